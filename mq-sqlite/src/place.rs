//! Who else may write where the file lies: payloads and jobs are in the hands of whoever can.

use std::path::Path;

use mq_core::connect::ConnectError;

/// Refuses a link that another user has put where the file is expected: it would lead to a file
/// that only this user may write, and mq would write to it. The kernel may refuse such links, too,
/// but only in directories like `/tmp`, and not everywhere.
#[cfg(target_os = "linux")]
pub(crate) fn refuse_link(path: &Path) -> Result<(), ConnectError> {
    use std::os::unix::fs::MetadataExt;
    let Ok(found) = std::fs::symlink_metadata(path) else { return Ok(()) };
    let own = rustix::process::geteuid().as_raw();
    if !found.is_symlink() || is_trusted(found.uid(), own) {
        return Ok(());
    }
    Err(ConnectError::Unfit(format!(
        "{} is a link that another user has made: name the file that it leads to, if that is meant",
        path.display()
    )))
}

/// Elsewhere there is no portable way to ask who we are.
#[cfg(not(target_os = "linux"))]
pub(crate) fn refuse_link(_: &Path) -> Result<(), ConnectError> {
    Ok(())
}

#[cfg(target_os = "linux")]
fn is_trusted(owner: u32, own: u32) -> bool {
    owner == own || owner == 0
}

/// What should be mended about the rights of the file and its directory: one sentence each.
#[cfg(unix)]
pub(crate) fn warnings(path: &Path) -> Vec<String> {
    use std::os::unix::fs::PermissionsExt;
    const OTHERS_WRITE: u32 = 0o002;
    /// In such a directory nobody can replace another user's files.
    const STICKY: u32 = 0o1000;
    let mode = |path: &Path| std::fs::metadata(path).map_or(0, |data| data.permissions().mode());
    let shown = path.display();
    let mut warnings = Vec::new();
    if mode(path) & OTHERS_WRITE != 0 {
        warnings.push(format!(
            "{shown}: every user of this machine can change its jobs; type `chmod o-w {shown}`"
        ));
    }
    let directory = path.parent().filter(|parent| *parent != Path::new(""));
    let directory = directory.unwrap_or(Path::new("."));
    if mode(directory) & (OTHERS_WRITE | STICKY) == OTHERS_WRITE {
        let directory = directory.display();
        warnings.push(format!(
            "{shown}: every user of this machine can put another file in its place; type `chmod \
             o-w {directory}`, or move it to a directory of its own"
        ));
    }
    warnings
}

/// Elsewhere rights are not told by a mode.
#[cfg(not(unix))]
pub(crate) fn warnings(_: &Path) -> Vec<String> {
    Vec::new()
}

#[cfg(target_os = "linux")]
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_of_our_own_and_of_the_system_are_trusted_and_no_others() {
        assert!(is_trusted(1_000, 1_000) && is_trusted(0, 1_000) && is_trusted(0, 0));
        assert!(!is_trusted(1_001, 1_000) && !is_trusted(1_000, 0));
    }
}
