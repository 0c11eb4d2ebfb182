//! One measured number, once per round.

use serde::Serialize;

/// Which of two values is the better one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Better {
    Higher,
    Lower,
}

/// What one run of a measurement found.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Figure {
    pub(crate) measure: &'static str,
    pub(crate) unit: &'static str,
    pub(crate) better: Better,
    pub(crate) value: f64,
}

/// A figure of which more is better, for example of jobs per second.
pub(crate) fn higher(measure: &'static str, unit: &'static str, value: f64) -> Figure {
    Figure { measure, unit, better: Better::Higher, value }
}

/// A figure of which less is better, for example of time.
pub(crate) fn lower(measure: &'static str, unit: &'static str, value: f64) -> Figure {
    Figure { measure, unit, better: Better::Lower, value }
}

/// A figure with its samples of all rounds, in the order they were taken.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Row {
    pub(crate) scenario: String,
    pub(crate) case: String,
    /// An engine, a floor or a peer.
    pub(crate) subject: String,
    pub(crate) measure: String,
    pub(crate) unit: String,
    pub(crate) better: Better,
    pub(crate) samples: Vec<f64>,
}

impl Row {
    /// The middle of the samples; of an even number, the mean of the two in the middle.
    pub(crate) fn median(&self) -> f64 {
        let mut sorted = self.samples.clone();
        sorted.sort_by(f64::total_cmp);
        let half = sorted.len() / 2;
        match (sorted.len(), sorted.get(half)) {
            (len, Some(&upper)) if len % 2 == 0 => (sorted[half - 1] + upper) / 2.0,
            (_, middle) => middle.copied().unwrap_or(f64::NAN),
        }
    }

    pub(crate) fn min(&self) -> f64 {
        self.samples.iter().copied().fold(f64::NAN, f64::min)
    }

    pub(crate) fn max(&self) -> f64 {
        self.samples.iter().copied().fold(f64::NAN, f64::max)
    }
}

/// The value below which a share of the samples is, nearest rank: `0.5` is the median, `0.99` what
/// one in a hundred exceeds. Sorts the samples.
pub(crate) fn percentile(samples: &mut [f64], share: f64) -> f64 {
    samples.sort_by(f64::total_cmp);
    let rank = (share * samples.len() as f64).ceil() as usize;
    samples.get(rank.saturating_sub(1)).copied().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(samples: &[f64]) -> Row {
        Row {
            scenario: String::new(),
            case: String::new(),
            subject: String::new(),
            measure: String::new(),
            unit: String::new(),
            better: Better::Lower,
            samples: samples.to_vec(),
        }
    }

    #[test]
    fn the_median_is_the_middle_or_the_mean_of_the_two_middle_ones() {
        assert_eq!(row(&[3.0]).median(), 3.0);
        assert_eq!(row(&[9.0, 1.0, 2.0]).median(), 2.0);
        assert_eq!(row(&[9.0, 1.0, 2.0, 4.0]).median(), 3.0);
        assert!(row(&[]).median().is_nan());
    }

    #[test]
    fn min_and_max_are_of_all_samples() {
        let row = row(&[2.0, -1.0, 7.0]);
        assert_eq!((row.min(), row.max()), (-1.0, 7.0));
    }

    #[test]
    fn percentiles_are_samples_and_not_between_them() {
        let mut hundred: Vec<f64> = (1..=100).rev().map(f64::from).collect();
        assert_eq!(percentile(&mut hundred, 0.5), 50.0);
        assert_eq!(percentile(&mut hundred, 0.99), 99.0);
        assert_eq!(percentile(&mut hundred, 1.0), 100.0);
        assert_eq!(percentile(&mut [4.0], 0.01), 4.0);
        assert!(percentile(&mut [], 0.5).is_nan());
    }
}
