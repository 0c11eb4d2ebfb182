//! Figures for people: three digits say all that a measurement knows.

/// The figures with one unit for all, chosen by the first: `312k`, and `298k` beside `1.02M`
/// becomes `1020k`.
pub(crate) fn together(figures: &[f64]) -> Vec<String> {
    let (divisor, unit) = match figures.first().map_or(0.0, |first| first.abs()) {
        big if big >= 999_500.0 => (1e6, "M"),
        big if big >= 9_995.0 => (1e3, "k"),
        _ => (1.0, ""),
    };
    figures.iter().map(|figure| format!("{}{unit}", digits(figure / divisor))).collect()
}

fn digits(figure: f64) -> String {
    let places = match figure.abs() {
        big if big >= 99.95 => 0,
        middle if middle >= 9.995 => 1,
        _ => 2,
    };
    format!("{figure:.places$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_digits_are_shown() {
        assert_eq!(together(&[312_345.0, 1_020_000.0, 99_940.0]), ["312k", "1020k", "99.9k"]);
        assert_eq!(together(&[1_234_567.0]), ["1.23M"]);
        assert_eq!(together(&[999_700.0]), ["1.00M"]);
        assert_eq!(together(&[0.0, 1.234, 12.34, 123.4]), ["0.00", "1.23", "12.3", "123"]);
        assert_eq!(together(&[9_990.0]), ["9990"]);
        assert!(together(&[]).is_empty());
    }
}
