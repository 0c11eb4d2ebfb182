//! Text of strangers, made harmless.

use std::fmt::Write;

/// One line: everything that is not a visible character or a plain space is written as an escape,
/// line breaks included. Doing it twice changes nothing.
pub(crate) fn escape(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut characters = text.escape_debug().peekable();
    while let Some(character) = characters.next() {
        // Quotes and backslashes steer nothing, and JSON is full of them.
        let plain = |next: &char| character == '\\' && matches!(next, '\\' | '"' | '\'');
        shown.push(characters.next_if(plain).unwrap_or(character));
    }
    shown
}

/// The same for a text whose line breaks are ours.
pub(crate) fn escape_lines(text: &str) -> String {
    let lines: Vec<String> = text.split('\n').map(escape).collect();
    lines.join("\n")
}

/// The same for JSON that has been written: inside strings, and in JSON's way.
pub(crate) fn escape_json(json: &str) -> String {
    let mut shown = String::with_capacity(json.len());
    for character in json.chars() {
        let mut buffer = [0; 4];
        let alone: &str = character.encode_utf8(&mut buffer);
        // Asked behind a letter: at the start, a combining accent would be escaped as well.
        let is_plain = character == '\n' || escape(&format!("a{alone}"))[1..] == *alone;
        if is_plain {
            shown.push(character);
        } else {
            for unit in character.encode_utf16(&mut [0; 2]) {
                let _ = write!(shown, "\\u{unit:04x}");
            }
        }
    }
    shown
}

/// Cuts a text that a table has no room for.
pub(crate) fn shorten(text: &str, characters_max: usize) -> String {
    match text.char_indices().nth(characters_max) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// `1 job`, `2 jobs`.
pub(crate) fn jobs(count: usize) -> String {
    if count == 1 { "1 job".to_owned() } else { format!("{count} jobs") }
}

/// As an argument for a shell.
pub(crate) fn quoted(argument: &str) -> String {
    format!("'{}'", argument.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOSTILE: &str = "a\u{1b}[31m\r\u{7}\u{9b}2J\u{202e}\u{200b}\t\u{feff}b\nc\\n\"é\u{301}語";

    fn steers(character: char) -> bool {
        character.is_control()
            || matches!(character, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{feff}')
    }

    #[test]
    fn nothing_that_steers_a_terminal_is_left_and_twice_is_as_good_as_once() {
        let shown = escape(HOSTILE);
        assert!(!shown.chars().any(steers), "{shown}");
        assert!(shown.ends_with("b\\nc\\n\"é\u{301}語"), "{shown}");
        assert_eq!(escape(&shown), shown);
        assert_eq!(escape_lines("a\nb\rc"), "a\nb\\rc");
    }

    #[test]
    fn json_says_the_same_after_it_was_made_harmless() {
        let json = escape_json(&serde_json::to_string_pretty(&[HOSTILE, "😀\u{e0041}"]).unwrap());
        assert!(!json.chars().any(|c| c != '\n' && (steers(c) || c == '\u{e0041}')), "{json}");
        let back: Vec<String> = serde_json::from_str(&json).unwrap();
        assert_eq!(back, [HOSTILE, "😀\u{e0041}"]);
    }

    #[test]
    fn a_quoted_argument_cannot_end_its_quotes() {
        assert_eq!(quoted("a'b; rm"), r"'a'\''b; rm'");
    }
}
