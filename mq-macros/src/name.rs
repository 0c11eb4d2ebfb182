//! Names of jobs and queues: how they are checked, and how they follow from names of types.
//!
//! Uses nothing but std, so that a test of the facade can include this file and hold it against
//! `mq_core::name`, which this crate cannot depend on.

/// Longest name, in bytes; the same as `mq_core::NAME_LEN_MAX`.
pub(crate) const LEN_MAX: usize = 128;

/// Says what is wrong with a name, in the words of `mq_core::NameError`.
pub(crate) fn check(what: &str, name: &str) -> Result<(), String> {
    if name.trim().is_empty() {
        return Err(format!("the {what} is empty: give it at least one visible character"));
    }
    if name.len() > LEN_MAX {
        let len = name.len();
        return Err(format!("the {what} has {len} bytes: at most {LEN_MAX} are allowed"));
    }
    match name.chars().find(|character| is_unprintable(*character)) {
        Some(character) => {
            let shown = name.escape_debug();
            Err(format!(
                "the {what} `{shown}` contains the control character {character:?}: remove it"
            ))
        }
        None => Ok(()),
    }
}

fn is_unprintable(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2028}'
            | '\u{2029}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// `WelcomeEmail` → `welcome_email`, `HTTPFetch` → `http_fetch`.
pub(crate) fn snake_case(name: &str) -> String {
    let letters: Vec<char> = name.chars().collect();
    let mut snake = String::with_capacity(name.len() + 4);
    for (at, letter) in letters.iter().enumerate() {
        if letter.is_uppercase() && at > 0 {
            let before = letters[at - 1];
            let next_is_small = letters.get(at + 1).is_some_and(|next| next.is_lowercase());
            let ends_an_abbreviation = before.is_uppercase() && next_is_small;
            if before.is_lowercase() || before.is_numeric() || ends_an_abbreviation {
                snake.push('_');
            }
        }
        snake.extend(letter.to_lowercase());
    }
    snake
}

/// `welcome_email` → `WelcomeEmail`.
pub(crate) fn camel_case(name: &str) -> String {
    let words = name.split('_').filter(|word| !word.is_empty());
    let mut camel = String::with_capacity(name.len());
    for word in words {
        let mut letters = word.chars();
        camel.extend(letters.next().into_iter().flat_map(char::to_uppercase));
        camel.push_str(letters.as_str());
    }
    camel
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_from_names() {
        for (camel, snake) in [
            ("Welcome", "welcome"),
            ("WelcomeEmail", "welcome_email"),
            ("HTTPFetch", "http_fetch"),
            ("FetchHTTP", "fetch_http"),
            ("Resize2X", "resize2_x"),
            ("A", "a"),
            ("ÄrgerMelden", "ärger_melden"),
        ] {
            assert_eq!(snake_case(camel), snake);
        }
        for (snake, camel) in [
            ("welcome", "Welcome"),
            ("welcome_email", "WelcomeEmail"),
            ("_private__job_", "PrivateJob"),
            ("resize_2x", "Resize2x"),
            ("été", "Été"),
        ] {
            assert_eq!(camel_case(snake), camel);
        }
    }

    #[test]
    fn bad_names_are_refused() {
        assert_eq!(check("job name", "mail.welcome"), Ok(()));
        assert!(check("job name", " ").is_err());
        assert!(check("job name", &"x".repeat(LEN_MAX)).is_ok());
        assert!(check("job name", &"x".repeat(LEN_MAX + 1)).is_err());
        assert!(check("job name", "a\u{202e}b").is_err());
    }
}
