//! Did you mean …?

/// The end of a message about a word that is none of the known ones.
///
/// A near one is suggested; if there is none, all are listed.
pub(crate) fn hint(word: &str, known: &[&str]) -> String {
    match nearest(word, known) {
        Some(near) => format!("did you mean `{near}`?"),
        None => {
            let all: Vec<String> = known.iter().map(|word| format!("`{word}`")).collect();
            format!("expected one of {}", all.join(", "))
        }
    }
}

/// The known word that is a slip of the finger away.
fn nearest<'a>(word: &str, known: &[&'a str]) -> Option<&'a str> {
    let slips_max = word.chars().count().max(3) / 3;
    known
        .iter()
        .map(|candidate| (distance(word, candidate), *candidate))
        .filter(|(slips, _)| *slips <= slips_max)
        .min_by_key(|(slips, _)| *slips)
        .map(|(_, candidate)| candidate)
}

/// How many letters must be put in, left out, replaced or swapped with their neighbour: the optimal
/// string alignment distance. Swaps count once, being the commonest slip of fast fingers.
fn distance(left: &str, right: &str) -> usize {
    let left: Vec<char> = left.chars().collect();
    let right: Vec<char> = right.chars().collect();
    let mut rows: Vec<Vec<usize>> = vec![(0..=right.len()).collect()];
    for row in 1..=left.len() {
        let mut current = vec![row];
        for column in 1..=right.len() {
            let same = left[row - 1] == right[column - 1];
            let replaced = rows[row - 1][column - 1] + usize::from(!same);
            let mut best = replaced.min(rows[row - 1][column] + 1).min(current[column - 1] + 1);
            let swapped = row > 1
                && column > 1
                && left[row - 1] == right[column - 2]
                && left[row - 2] == right[column - 1];
            if swapped {
                best = best.min(rows[row - 2][column - 2] + 1);
            }
            current.push(best);
        }
        rows.push(current);
    }
    rows[left.len()][right.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances() {
        for (left, right, slips) in [
            ("", "", 0),
            ("timeout", "timeout", 0),
            ("timout", "timeout", 1),
            ("tiemout", "timeout", 1),
            ("queues", "queue", 1),
            ("retries", "max_attempts", 10),
        ] {
            assert_eq!(distance(left, right), slips, "{left} {right}");
            assert_eq!(distance(right, left), slips, "{right} {left}");
        }
    }

    #[test]
    fn a_near_word_is_suggested_and_a_far_one_gets_the_list() {
        let known = ["queue", "timeout", "max_attempts"];
        assert_eq!(hint("timout", &known), "did you mean `timeout`?");
        assert_eq!(hint("max_attempt", &known), "did you mean `max_attempts`?");
        let all = "expected one of `queue`, `timeout`, `max_attempts`";
        assert_eq!(hint("cron", &known), all);
        assert_eq!(hint("q", &known), all);
    }
}
