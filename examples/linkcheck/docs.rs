//! The tree to check.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, ensure};

/// The tree that was asked for, or the documentation of this workspace with all its dependencies:
/// thousands of real pages.
pub(crate) fn tree(root: Option<&Path>, limit: Option<usize>) -> anyhow::Result<PathBuf> {
    if let Some(root) = root {
        ensure!(root.is_dir(), "`{}` is not a directory", root.display());
        return Ok(root.to_owned());
    }
    let target = target_dir()?;
    let docs = target.join("doc");
    // `cargo doc --no-deps` leaves few pages, which are enough for a run with a limit.
    let has = |name: &str| docs.join(name).join("index.html").is_file();
    if !has("mq") || limit.is_none() && !has("tokio") {
        eprintln!("Making {} with `cargo doc`, once; this takes some minutes …", docs.display());
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let status = Command::new(cargo)
            .args(["doc", "--target-dir"])
            .arg(&target)
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .status()
            .context("cannot start cargo; name another tree with `--root DIR`")?;
        ensure!(status.success(), "`cargo doc` failed; name another tree with `--root DIR`");
    }
    Ok(docs)
}

/// Where this program was built: `target/debug/examples/linkcheck` → `target`.
fn target_dir() -> anyhow::Result<PathBuf> {
    let program = std::env::current_exe()?;
    let target = program.ancestors().nth(3).context("this program is in no target directory")?;
    Ok(target.to_owned())
}
