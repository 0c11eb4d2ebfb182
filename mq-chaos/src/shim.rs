//! Shims in C, which stand between a process and its C library.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Compiles `shim/NAME.c` into a library in this folder, to be named in `LD_PRELOAD`. Not a build
/// script: only the tests that need one need a compiler.
///
/// # Panics
/// When there is no C compiler.
pub fn compile_shim(folder: &Path, name: &str) -> PathBuf {
    let shim = folder.join(format!("{name}.so"));
    let source = format!("{}/shim/{name}.c", env!("CARGO_MANIFEST_DIR"));
    let mut cc = Command::new("cc");
    cc.args(["-O2", "-shared", "-fPIC", "-o"]).arg(&shim).arg(&source).arg("-ldl");
    let cure = "install a C compiler, for example by `apt-get install gcc`";
    let output = cc.output().unwrap_or_else(|error| panic!("cannot run `cc`: {error}; {cure}"));
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "`cc` cannot compile {source}; {cure}: {text}");
    shim
}
