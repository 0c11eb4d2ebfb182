//! Serializing a job that may be too large, without the memory that all of it would take.

use std::io::{self, Write};

/// A buffer that keeps what fits and only counts what comes after. It never says no: the size of
/// what was too large is part of the error.
#[derive(Debug)]
pub(super) struct Bounded {
    kept: Vec<u8>,
    /// How many bytes may be kept.
    max: usize,
    /// How many came after those that are kept.
    beyond: usize,
}

impl Bounded {
    /// Writes behind what is there, at most so much more.
    pub(super) fn behind(kept: Vec<u8>, more_max: usize) -> Self {
        let max = kept.len().saturating_add(more_max);
        Self { kept, max, beyond: 0 }
    }

    /// All bytes; the error is how many there would have been.
    pub(super) fn finish(self) -> Result<Vec<u8>, usize> {
        match self.beyond {
            0 => Ok(self.kept),
            beyond => Err(self.kept.len() + beyond),
        }
    }
}

impl Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.beyond == 0 && bytes.len() <= self.max - self.kept.len() {
            self.kept.extend_from_slice(bytes);
        } else {
            self.beyond += bytes.len();
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f82_what_is_too_large_is_counted_and_not_kept() {
        const MAX: usize = 1024 * 1024;
        for sizes in [vec![100_000_000], vec![1_000; 100_000], vec![MAX, 1], vec![MAX + 1]] {
            let mut bounded = Bounded::behind(b"head".to_vec(), MAX);
            let piece = vec![b'x'; *sizes.iter().max().unwrap()];
            for size in &sizes {
                bounded.write_all(&piece[..*size]).unwrap();
            }
            assert!(bounded.kept.capacity() <= 2 * MAX, "{}", bounded.kept.capacity());
            assert_eq!(bounded.finish(), Err(4 + sizes.iter().sum::<usize>()));
        }
    }

    #[test]
    fn what_fits_to_the_last_byte_is_kept() {
        let mut bounded = Bounded::behind(b"head".to_vec(), 3);
        bounded.write_all(b"ab").unwrap();
        bounded.write_all(b"c").unwrap();
        bounded.write_all(b"").unwrap();
        assert_eq!(bounded.finish(), Ok(b"headabc".to_vec()));
        let mut endless = Bounded::behind(vec![1], usize::MAX);
        endless.write_all(b"ab").unwrap();
        assert_eq!(endless.finish(), Ok(b"\x01ab".to_vec()));
    }
}
