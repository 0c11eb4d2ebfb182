//! Just enough of Rust's and Lua's grammar to tell code from comments, texts and tests.

/// A function: its name and the lines it takes, counted from 1.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Function {
    pub(crate) name: String,
    pub(crate) first_line: usize,
    pub(crate) last_line: usize,
}

/// Rust with comments and the contents of literals blanked out; lines and columns stay.
pub(crate) fn code(text: &str) -> String {
    blank_out(text, true)
}

/// Rust with only comments blanked out.
pub(crate) fn without_comments(text: &str) -> String {
    blank_out(text, false)
}

/// Lua without line comments; Lua texts with `--` in them are not worth a lexer.
pub(crate) fn lua_code(text: &str) -> String {
    let lines = text.lines().map(|line| line.split("--").next().unwrap_or(""));
    lines.collect::<Vec<_>>().join("\n")
}

/// [`code`] without what is compiled for tests only.
pub(crate) fn product(text: &str) -> String {
    let code = code(text);
    let mut kept = code.clone().into_bytes();
    for (from, to) in test_regions(&code) {
        blank(&mut kept, from, to);
    }
    into_text(kept)
}

/// [`without_comments`] without what is compiled for tests only.
pub(crate) fn product_with_texts(text: &str) -> String {
    let mut kept = without_comments(text).into_bytes();
    for (from, to) in test_regions(&code(text)) {
        blank(&mut kept, from, to);
    }
    into_text(kept)
}

/// [`code`] of nothing but what is compiled for tests only.
pub(crate) fn tests_only(text: &str) -> String {
    let code = code(text);
    let mut kept = code.clone().into_bytes();
    let mut start = 0;
    for (from, to) in test_regions(&code) {
        blank(&mut kept, start, from);
        start = to;
    }
    let end = kept.len();
    blank(&mut kept, start, end);
    into_text(kept)
}

/// Every place of a word, as line numbers: `now` is not found in `know`.
pub(crate) fn lines_with(code: &str, needle: &str) -> Vec<usize> {
    let hits = code.lines().enumerate().filter(|(_, line)| has_word(line, needle));
    hits.map(|(index, _)| index + 1).collect()
}

/// The functions that have a body.
pub(crate) fn functions(code: &str) -> Vec<Function> {
    let mut found = Vec::new();
    for (at, _) in code.match_indices("fn ") {
        let named = code[at + 3..].starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
        if !named || code[..at].ends_with(is_word_char) {
            continue;
        }
        if let Some(end) = body_end(code, at) {
            let name = code[at + 3..].split(|c| !is_word_char(c)).next().unwrap_or("").to_owned();
            found.push(Function {
                name,
                first_line: line_of(code, at),
                last_line: line_of(code, end),
            });
        }
    }
    found
}

fn has_word(line: &str, needle: &str) -> bool {
    let starts_word = needle.starts_with(is_word_char);
    let ends_word = needle.ends_with(is_word_char);
    line.match_indices(needle).any(|(at, _)| {
        let before = line[..at].ends_with(is_word_char);
        let after = line[at + needle.len()..].starts_with(is_word_char);
        !(starts_word && before || ends_word && after)
    })
}

fn is_word_char(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn line_of(text: &str, at: usize) -> usize {
    text[..at].matches('\n').count() + 1
}

/// From each `#[cfg(test)]` to the end of the item it stands on.
fn test_regions(code: &str) -> Vec<(usize, usize)> {
    let mut regions = Vec::new();
    let mut done = 0;
    for (at, attribute) in code.match_indices("#[cfg(test)]") {
        if at < done {
            continue;
        }
        let after = at + attribute.len();
        done = item_end(code, after).unwrap_or(code.len());
        regions.push((at, done));
    }
    regions
}

/// The end of an item: its `;`, or the brace that closes it.
fn item_end(code: &str, from: usize) -> Option<usize> {
    let mut depth = 0i32;
    for (index, byte) in code.bytes().enumerate().skip(from) {
        match byte {
            b'{' | b'(' | b'[' => depth += 1,
            b')' | b']' => depth -= 1,
            b'}' => {
                depth -= 1;
                if depth == 0 {
                    return Some(index + 1);
                }
            }
            b';' if depth == 0 => return Some(index + 1),
            _ => {}
        }
    }
    None
}

/// The closing brace of the function at `from`; none if it only declares.
fn body_end(code: &str, from: usize) -> Option<usize> {
    let end = item_end(code, from)?;
    code[..end].ends_with('}').then_some(end - 1)
}

fn blank(bytes: &mut [u8], from: usize, to: usize) {
    for byte in &mut bytes[from..to] {
        if *byte != b'\n' {
            *byte = b' ';
        }
    }
}

/// Blanks are set byte by byte over whole characters, so the text stays valid.
fn into_text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).expect("whole characters were blanked out")
}

fn blank_out(text: &str, literals_too: bool) -> String {
    let source = text.as_bytes();
    let mut out = source.to_vec();
    let mut at = 0;
    while at < source.len() {
        let (end, is_comment) = match token_at(source, at) {
            Some(token) => token,
            None => {
                at += 1;
                continue;
            }
        };
        if is_comment {
            blank(&mut out, at, end);
        } else if literals_too {
            // The quotes stay, so that code keeps its shape.
            blank(&mut out, at + 1, end - 1);
        }
        at = end;
    }
    into_text(out)
}

/// The end of the comment (true) or literal (false) that begins here.
fn token_at(source: &[u8], at: usize) -> Option<(usize, bool)> {
    let rest = &source[at..];
    if rest.starts_with(b"//") {
        return Some((at + position(rest, b"\n").unwrap_or(rest.len()), true));
    }
    if rest.starts_with(b"/*") {
        return Some((at + block_comment(rest), true));
    }
    match rest[0] {
        b'"' => Some((at + quoted(rest, b'"'), false)),
        b'\'' => char_literal(rest).map(|len| (at + len, false)),
        b'r' if !at.checked_sub(1).is_some_and(|i| is_raw_prefix_blocked(source[i])) => {
            raw_text(rest).map(|len| (at + len, false))
        }
        _ => None,
    }
}

/// In `ptr"` the `r` is not a prefix; in `br"` it is.
fn is_raw_prefix_blocked(before: u8) -> bool {
    (before.is_ascii_alphanumeric() && before != b'b' && before != b'c') || before == b'_'
}

fn position(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}

fn block_comment(rest: &[u8]) -> usize {
    let mut depth = 0;
    let mut at = 0;
    while at < rest.len() {
        if rest[at..].starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if rest[at..].starts_with(b"*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    rest.len()
}

fn quoted(rest: &[u8], quote: u8) -> usize {
    let mut at = 1;
    while at < rest.len() {
        match rest[at] {
            b'\\' => at += 2,
            byte if byte == quote => return at + 1,
            _ => at += 1,
        }
    }
    rest.len()
}

/// A lifetime (`'a`) is no literal.
fn char_literal(rest: &[u8]) -> Option<usize> {
    let text = std::str::from_utf8(&rest[1..rest.len().min(16)]);
    let text = text.or_else(|error| std::str::from_utf8(&rest[1..=error.valid_up_to()])).ok()?;
    let first = text.chars().next()?;
    if first == '\\' {
        return Some(quoted(rest, b'\''));
    }
    let end = 1 + first.len_utf8();
    (rest.get(end) == Some(&b'\'')).then_some(end + 1)
}

fn raw_text(rest: &[u8]) -> Option<usize> {
    let hashes = rest[1..].iter().take_while(|&&byte| byte == b'#').count();
    if rest.get(1 + hashes) != Some(&b'"') {
        return None;
    }
    let close = format!("\"{}", "#".repeat(hashes));
    let body = 2 + hashes;
    let end = position(&rest[body..], close.as_bytes()).map(|at| body + at + close.len());
    Some(end.unwrap_or(rest.len()))
}

#[test]
fn comments_and_texts_are_blanked_out() {
    let source = "let a = \"// x\"; // y \"\nlet b = 'x'; let c: &'a str = r#\"a \" b\"#; \
        /* z */ d";
    let blanked = code(source);
    assert_eq!(blanked.len(), source.len());
    for gone in ["x", "y", "z", "//", "a \" b"] {
        assert!(!blanked.contains(gone), "{gone} in {blanked}");
    }
    assert!(blanked.contains("&'a str") && blanked.ends_with('d'), "{blanked}");
    assert!(without_comments(source).contains("// x"));
}

#[test]
fn test_code_is_told_from_product_code() {
    let source = "fn a() { x }\n#[cfg(test)]\nmod tests { fn b() { y } }\nfn c() { z }";
    assert!(!product(source).contains('y') && product(source).contains('z'));
    assert!(tests_only(source).contains('y') && !tests_only(source).contains('z'));
}

#[test]
fn functions_have_a_first_and_a_last_line() {
    let source = "trait T { fn d(&self); }\nfn a(x: [u8; 2]) -> T\nwhere T: U,\n{\n  b\n}\n";
    let expected = Function { name: "a".into(), first_line: 2, last_line: 6 };
    assert_eq!(functions(source), [expected]);
}
