//! Sentences on a terminal.

const WIDTH: usize = 98;
const INDENT: &str = "  ";

/// Breaks each line of a text so that it fits, and indents it.
pub(crate) fn wrap(text: &str) -> String {
    let mut wrapped = String::new();
    for line in text.lines() {
        let mut len = 0;
        for word in line.split_whitespace() {
            let wide = word.chars().count();
            if len > 0 && len + 1 + wide > WIDTH {
                wrapped.push('\n');
                len = 0;
            }
            let gap = if len == 0 { INDENT } else { " " };
            wrapped.push_str(gap);
            wrapped.push_str(word);
            len += gap.len() + wide;
        }
        wrapped.push('\n');
    }
    wrapped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_broken_between_words_and_kept_apart() {
        let text = format!("a b\n{}", "word ".repeat(30));
        let wrapped = wrap(&text);
        let lines: Vec<_> = wrapped.lines().collect();
        assert_eq!((lines.len(), lines[0]), (3, "  a b"));
        assert!(lines.iter().all(|line| line.len() <= WIDTH && line.starts_with(INDENT)));
        assert_eq!(wrapped.split_whitespace().count(), 32);
    }
}
