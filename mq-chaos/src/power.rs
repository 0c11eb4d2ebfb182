//! A disk whose power is cut. `shim/power.c` says what it surely has; what it has beyond that is
//! drawn by lot.
//!
//! One thing is taken for granted, which ext4, XFS and btrfs do: that a file which was synced has
//! its name in its folder as well.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use mq_core::rng::Rng;

use crate::file::File;
use crate::shim::compile_shim;

/// The variable that makes a process die in front of its fsync with this number, where a power
/// loss hurts most.
pub const CUT: &str = "MQ_POWER_CUT";
/// The variable that makes each fsync of a log take so much longer, in ms.
pub const DELAY: &str = "MQ_POWER_DELAY_MS";
/// What a disk writes as a whole.
const SECTOR: usize = 512;

/// What the disk has of the writes that no fsync has confirmed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Left {
    /// None.
    Nothing,
    /// Some sectors here and there, in no order.
    Scattered,
    /// Those up to a place in the middle of a sector.
    Torn,
}

/// A folder with a store, and what the disk has of it.
#[derive(Debug)]
pub struct Disk {
    base: PathBuf,
    shim: PathBuf,
    cuts: usize,
}

impl Disk {
    /// A disk in this folder, with an empty folder for a store.
    ///
    /// # Panics
    /// When there is no C compiler; so do all methods when the real disk fails.
    pub fn new(base: &Path) -> Self {
        let base = base.canonicalize().unwrap_or_else(|error| panic!("{base:?}: {error}"));
        let disk = Self { shim: compile_shim(&base, "power"), base, cuts: 0 };
        disk.make();
        disk
    }

    /// The store; another file after each cut.
    pub fn file(&self) -> File {
        File::in_folder(&self.folder("store"))
    }

    /// What a process needs in its environment so that its fsyncs are known.
    pub fn variables(&self) -> Vec<(&'static str, String)> {
        variables(&self.shim, &self.folder("store"), &self.folder("disk"))
    }

    /// Makes the next sync of a log fail, of whatever process. Those after it succeed, but the disk
    /// gets only those pages of the log that were written since.
    pub fn fail(&self) {
        let marker = self.folder("disk").join("fail");
        fs::write(&marker, "").unwrap_or_else(|error| panic!("{marker:?}: {error}"));
    }

    /// Whether a sync has failed since it was told to.
    pub fn has_failed(&self) -> bool {
        self.folder("disk").join("failed").exists()
    }

    /// Cuts the power: the store goes on with what the disk has. All processes must be dead.
    pub fn cut(&mut self, left: Left, rng: &mut Rng) {
        let (store, disk) = (self.folder("store"), self.folder("disk"));
        self.cuts += 1;
        self.make();
        for name in names(&store).union(&names(&disk)) {
            let (sure, written) = (read(&disk.join(name)), read(&store.join(name)));
            let Some(kept) = after(sure, written, left, rng) else { continue };
            for folder in ["store", "disk"] {
                let path = self.folder(folder).join(name);
                fs::write(&path, &kept).unwrap_or_else(|error| panic!("{path:?}: {error}"));
            }
        }
    }

    /// A copy of the store to look at: whoever closes an SQLite file last changes it.
    pub fn copy(&self, to: &Path) -> File {
        for name in names(&self.folder("store")) {
            let copied = fs::copy(self.folder("store").join(&name), to.join(&name));
            copied.unwrap_or_else(|error| panic!("cannot copy {name}: {error}"));
        }
        File::in_folder(to)
    }

    fn folder(&self, what: &str) -> PathBuf {
        self.base.join(format!("{what}-{}", self.cuts))
    }

    fn make(&self) {
        for what in ["store", "disk"] {
            let made = fs::create_dir(self.folder(what));
            made.unwrap_or_else(|error| panic!("cannot make {:?}: {error}", self.folder(what)));
        }
    }
}

/// What makes the shim known to a process that writes to the folder `store`.
pub(crate) fn variables(shim: &Path, store: &Path, disk: &Path) -> Vec<(&'static str, String)> {
    let all = [("LD_PRELOAD", shim), ("MQ_POWER_DIR", store), ("MQ_POWER_DISK", disk)];
    all.into_iter().map(|(name, path)| (name, path.display().to_string())).collect()
}

/// Files that are the shim's own.
const OWN: [&str; 4] = ["lock", "fail", "failed", "dirty"];

/// Files that a disk keeps. The index of the log is shared memory.
pub(crate) fn names(folder: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{folder:?}: {error}"));
    let name = |entry: io::Result<fs::DirEntry>| entry.ok()?.file_name().into_string().ok();
    let counts = |name: &String| !name.ends_with("-shm") && !OWN.contains(&name.as_str());
    entries.filter_map(name).filter(counts).collect()
}

pub(crate) fn read(path: &Path) -> Option<Vec<u8>> {
    match fs::read(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        read => Some(read.unwrap_or_else(|error| panic!("{path:?}: {error}"))),
    }
}

/// What is left of a file of which the disk surely has `sure` and a program has made `written`.
pub(crate) fn after(
    sure: Option<Vec<u8>>,
    written: Option<Vec<u8>>,
    left: Left,
    rng: &mut Rng,
) -> Option<Vec<u8>> {
    let (old, new) = match (left, sure, written) {
        (Left::Nothing, sure, _) => return sure,
        // Removed, which the shim takes for done at once.
        (_, _, None) => return None,
        (_, sure, Some(written)) => (sure.unwrap_or_default(), written),
    };
    let mut kept = old.clone();
    if left == Left::Torn {
        let first = old.iter().zip(&new).position(|(old, new)| old != new);
        let first = first.unwrap_or(old.len().min(new.len()));
        let end = rng.between(first as u64, new.len() as u64) as usize;
        kept.resize(old.len().max(end), 0);
        kept[first..end].copy_from_slice(&new[first..end]);
        return Some(kept);
    }
    // A part that is different each time: from nearly nothing to nearly all.
    let part = rng.between(1, 99);
    for (at, sector) in new.chunks(SECTOR).enumerate() {
        let (from, to) = (at * SECTOR, at * SECTOR + sector.len());
        if rng.between(1, 100) <= part {
            kept.resize(kept.len().max(to), 0);
            kept[from..to].copy_from_slice(sector);
        }
    }
    Some(kept)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_has_all_that_is_sure_and_some_of_the_rest() {
        let mut rng = Rng::seeded(1);
        let (old, new) = (vec![1; 4 * SECTOR], vec![2; 8 * SECTOR]);
        let mut left = |left| after(Some(old.clone()), Some(new.clone()), left, &mut rng).unwrap();
        assert_eq!(left(Left::Nothing), old);
        let mut seen = [0; 3];
        for _ in 0..50 {
            for kept in [left(Left::Scattered), left(Left::Torn)] {
                assert!((old.len()..=new.len()).contains(&kept.len()));
                kept.iter().for_each(|byte| seen[usize::from(*byte)] += 1);
            }
        }
        assert!(seen.iter().all(|count| *count > 0), "{seen:?}: holes, old and new sectors");
        assert_eq!(after(None, Some(new), Left::Nothing, &mut rng), None);
    }
}
