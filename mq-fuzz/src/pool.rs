//! Inputs that are kept: in the repository those that mean something, below `target` those that
//! reached something new.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::target::Target;

/// The repository's inputs of a target.
pub fn corpus(target: &Target) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target.name)
}

/// What guided runs have found so far, on this machine only.
pub fn found(target: &Target) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/fuzz-pool");
    root.join(target.name)
}

/// Names and contents of all inputs in a folder, by name; none if it is not there.
///
/// # Errors
/// When they cannot be read.
pub fn read(folder: &Path) -> io::Result<Vec<(String, Vec<u8>)>> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut inputs = Vec::new();
    for entry in entries {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        inputs.push((name, fs::read(&path)?));
    }
    inputs.sort();
    Ok(inputs)
}

/// Writes an input; its name is `what` and a hash of its content.
///
/// # Errors
/// When it cannot be written.
pub fn write(folder: &Path, what: &str, input: &[u8]) -> io::Result<PathBuf> {
    fs::create_dir_all(folder)?;
    let path = folder.join(format!("{what}-{:016x}", hash(input)));
    fs::write(&path, input)?;
    Ok(path)
}

/// FNV-1a: the same on every machine and in every version, which the standard library's is not.
pub fn hash(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back_in_order() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(read(&folder.path().join("none")).unwrap(), vec![]);
        for input in [&b"b"[..], b"a"] {
            write(folder.path(), "crash", input).unwrap();
        }
        let names: Vec<_> =
            read(folder.path()).unwrap().into_iter().map(|(name, _)| name).collect();
        // The known values of this hash.
        assert_eq!(names, ["crash-af63dc4c8601ec8c", "crash-af63df4c8601f1a5"]);
    }
}
