//! From figures to places on an axis, and to what is written there.

/// Values that differ by more than this need a logarithmic scale: the bar of the smallest would be
/// too short to be seen beside that of the largest.
const LINEAR_MAX_RATIO: f64 = 25.0;
/// About how many marks fit on an axis.
const TICKS_MAX: f64 = 6.0;

/// An axis from its lowest to its highest value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Scale {
    /// From zero.
    Linear {
        high: f64,
    },
    Log {
        low: f64,
        high: f64,
    },
}

impl Scale {
    /// The scale on which all these values can be read.
    pub(crate) fn of(values: impl Iterator<Item = f64> + Clone) -> Self {
        let high = values.clone().fold(0.0, f64::max);
        let low = values.filter(|value| *value > 0.0).fold(f64::INFINITY, f64::min);
        if high <= 0.0 {
            Self::Linear { high: 1.0 }
        } else if high / low <= LINEAR_MAX_RATIO {
            Self::Linear { high }
        } else {
            // Half of the lowest, so that its bar has a length.
            Self::Log { low: 10f64.powf((low / 2.0).log10().floor()), high }
        }
    }

    /// Where a value is: 0 is the left end of the axis, 1 the right one.
    pub(crate) fn place(self, value: f64) -> f64 {
        let place = match self {
            Self::Linear { high } => value / high,
            // Zero, and what is even less, has no place of its own on it.
            Self::Log { low, .. } if value <= low => 0.0,
            Self::Log { low, high } => (value / low).ln() / (high / low).ln(),
        };
        place.clamp(0.0, 1.0)
    }

    pub(crate) fn is_log(self) -> bool {
        matches!(self, Self::Log { .. })
    }

    /// The values that are marked.
    pub(crate) fn ticks(self) -> Vec<f64> {
        match self {
            Self::Linear { high } => {
                let step = round_step(high / TICKS_MAX);
                let count = (high / step + 1e-9).floor() as u32;
                (0..=count).map(|index| f64::from(index) * step).collect()
            }
            Self::Log { low, high } => {
                let first = low.log10().round() as i32;
                let last = (high.log10() + 1e-9).floor() as i32;
                // Not every power of ten fits when there are many.
                let step = ((last - first) as f64 / TICKS_MAX).ceil().max(1.0) as usize;
                (first..=last).step_by(step).map(|power| 10f64.powi(power)).collect()
            }
        }
    }
}

/// 1, 2 or 5 times a power of ten, not less than `least`.
fn round_step(least: f64) -> f64 {
    let power = 10f64.powf(least.log10().floor());
    let steps = [1.0, 2.0, 5.0, 10.0].map(|digit| digit * power);
    steps.into_iter().find(|step| *step >= least * (1.0 - 1e-9)).unwrap_or(10.0 * power)
}

/// What is written at a mark: as short as it goes.
pub(crate) fn tick(value: f64) -> String {
    let (value, unit) = match value.abs() {
        size if size >= 1e6 => (value / 1e6, " M"),
        size if size >= 1e4 => (value / 1e3, " k"),
        _ => (value, ""),
    };
    // Multiples of a round step have no more decimals than these.
    let text = format!("{value:.6}");
    format!("{}{unit}", text.trim_end_matches('0').trim_end_matches('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: &[f64]) -> Scale {
        Scale::of(values.iter().copied())
    }

    #[test]
    fn marks_are_short() {
        let cases = [(0.0, "0"), (0.002, "0.002"), (2.5, "2.5"), (5000.0, "5000")];
        let large = [(20_000.0, "20 k"), (1e6, "1 M"), (2.5e6, "2.5 M")];
        for (value, text) in cases.into_iter().chain(large) {
            assert_eq!(tick(value), text);
        }
    }

    #[test]
    fn values_of_one_size_are_linear_and_others_logarithmic() {
        assert_eq!(of(&[100.0, 300.0]), Scale::Linear { high: 300.0 });
        assert_eq!(of(&[0.0, 300.0]), Scale::Linear { high: 300.0 });
        assert_eq!(of(&[64.0, 300_000.0]), Scale::Log { low: 10.0, high: 300_000.0 });
        assert_eq!(of(&[0.0]), Scale::Linear { high: 1.0 });
        assert_eq!(of(&[]), Scale::Linear { high: 1.0 });
    }

    #[test]
    fn marks_are_on_the_axis() {
        assert_eq!(of(&[300.0]).ticks(), [0.0, 50.0, 100.0, 150.0, 200.0, 250.0, 300.0]);
        assert_eq!(of(&[7.0]).ticks(), [0.0, 2.0, 4.0, 6.0]);
        assert_eq!(of(&[2.0, 1500.0]).ticks(), [1.0, 10.0, 100.0, 1000.0]);
        assert_eq!(of(&[0.02, 15.0]).ticks(), [0.01, 0.1, 1.0, 10.0]);
        assert!(of(&[1e-9, 1e9]).ticks().len() <= 8);
    }

    #[test]
    fn places_are_in_order_and_within_the_axis() {
        for values in [vec![3.0, 7.0], vec![1.0, 1e6]] {
            let scale = of(&values);
            let places: Vec<f64> =
                [-1.0, 0.0, 1.0, 3.0, 7.0, 1e6, 1e9].map(|value| scale.place(value)).into();
            assert!(places.is_sorted(), "{places:?}");
            assert_eq!((places[0], places[6]), (0.0, 1.0));
        }
    }
}
