//! The table of keys for operators, against the code that makes the keys.

use super::repo::{Finding, Repo, missing};

const CODE: &str = "mq-redis/src/keys.rs";
const PAGE: &str = "docs/keys.md";

/// Rows that the page lacks, and rows of keys that are no more. A row is what the code says about
/// the key, word for word, so the page can be mended by copying the finding.
pub(crate) fn undocumented_keys(repo: &Repo) -> Vec<Finding> {
    let Some(code) = repo.find(CODE) else {
        return vec![missing(CODE, "the only home of key names is not there")];
    };
    let Some(page) = repo.find(PAGE) else {
        return vec![missing(PAGE, "is not there")];
    };
    let made = rows(&code.text);
    let told: Vec<&str> = page.text.lines().filter(|line| line.starts_with("| `mq:")).collect();
    let mut findings = Vec::new();
    if made.is_empty() {
        findings.push(code.whole("has no key whose comment begins with its type, like `HASH: `"));
    }
    for row in made.iter().filter(|row| !told.contains(&row.as_str())) {
        findings.push(page.whole(format!("lacks the row {row}")));
    }
    for row in told.iter().filter(|row| !made.iter().any(|made| made == *row)) {
        findings.push(page.whole(format!("has a row that the code does not: {row}")));
    }
    findings
}

/// One row per key: a comment that begins with a type describes all texts up to the next comment.
fn rows(code: &str) -> Vec<String> {
    let code = code.split("\nmod tests").next().unwrap_or(code);
    let mut rows = Vec::new();
    let mut comment = String::new();
    let mut in_comment = false;
    for line in code.lines().map(str::trim) {
        if let Some(text) = line.strip_prefix("/// ") {
            if !in_comment {
                comment.clear();
            }
            comment.push_str(if in_comment { " " } else { "" });
            comment.push_str(text);
        } else if let Some((kind, meaning)) = described(&comment) {
            let texts = line.split('"').skip(1).step_by(2);
            rows.extend(texts.map(|text| format!("| `{}` | {kind} | {meaning} |", key(text))));
        }
        in_comment = line.starts_with("///");
        if line == "}" {
            comment.clear();
        }
    }
    rows
}

/// The type and the meaning in `ZSET: id, due time in ms.`
fn described(comment: &str) -> Option<(&str, &str)> {
    let (kind, meaning) = comment.split_once(": ")?;
    kind.chars().all(|c| c.is_ascii_uppercase()).then_some((kind, meaning.trim_end_matches('.')))
}

/// A key as the page shows it: with the default prefix, and `…` for what varies.
fn key(text: &str) -> String {
    match text.strip_prefix("{}") {
        Some(rest) => format!("mq{rest}"),
        None if text.ends_with(':') => format!("mq:{{queue}}:{text}…"),
        None => format!("mq:{{queue}}:{text}"),
    }
}
