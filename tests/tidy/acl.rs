//! The rights that operators are told to give, against the commands that are sent.

use std::collections::BTreeSet;

use super::repo::{File, Finding, Repo, missing};
use super::source;

const PAGE: &str = "docs/operate.md";
/// What the client library sends by itself to introduce itself.
const GREETINGS: [&str; 4] = ["hello", "auth", "select", "ping"];
/// What announces the name of a command, in Lua and in Rust.
const CALLS: [&str; 5] = ["redis.call('", "redis.pcall('", "cmd(\"", "command(\"", "step(\""];

/// Commands that the documented user may not use, and rights that nothing needs.
pub(crate) fn wrong_rights(repo: &Repo) -> Vec<Finding> {
    let Some(page) = repo.find(PAGE) else {
        return vec![missing(PAGE, "is not there")];
    };
    let given = rights(&page.text);
    let needed: BTreeSet<String> =
        repo.files.iter().filter(|file| is_engine(file)).flat_map(commands).collect();
    let mut findings = Vec::new();
    for command in needed.iter().filter(|command| !given.contains(*command)) {
        findings.push(page.whole(format!("mq sends {command}, but its user has no +{command}")));
    }
    let idle = given.iter().filter(|right| !needed.contains(*right));
    for right in idle.filter(|right| !GREETINGS.contains(&right.as_str())) {
        findings.push(page.whole(format!("gives +{right}, which mq does not send")));
    }
    findings
}

fn is_engine(file: &File) -> bool {
    file.path.starts_with("mq-redis/src/") && (file.is_lua() || file.is_product())
}

fn commands(file: &File) -> Vec<String> {
    let code = match file.is_lua() {
        true => source::lua_code(&file.text),
        false => source::product_with_texts(&file.text),
    };
    let mut found = Vec::new();
    for call in CALLS {
        for rest in code.split(call).skip(1) {
            let name: String = rest.chars().take_while(char::is_ascii_uppercase).collect();
            if !name.is_empty() {
                found.push(name.to_lowercase());
            }
        }
    }
    found
}

/// The commands in the block that begins with `ACL SETUSER`; a right to a subcommand counts as one
/// to its command, since the code names the subcommand in too many ways to compare.
fn rights(page: &str) -> BTreeSet<String> {
    let block = page.split_once("ACL SETUSER mq ").map_or("", |(_, rest)| rest);
    let block = block.split("```").next().unwrap_or("");
    let words = block.split_whitespace().filter_map(|word| word.strip_prefix('+'));
    words.map(|word| word.split('|').next().unwrap_or(word).to_owned()).collect()
}
