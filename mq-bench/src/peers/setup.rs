//! Builds and installs what the peers need, everything into `target/peers/`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use super::list::{Peer, Program};
use crate::fail::Fail;
use crate::out;

/// What npm is given beside the programs.
const NODE_LISTS: [&str; 2] = ["package.json", "package-lock.json"];
/// A copy of what was installed, so that it is not installed again.
const DONE: &str = "done";

/// Where things are.
#[derive(Debug)]
pub(crate) struct Workshop {
    source: PathBuf,
    target: PathBuf,
    /// All Rust programs come out of one build.
    is_built: OnceLock<()>,
}

impl Workshop {
    /// That of this repository.
    pub(crate) fn here() -> Result<Self, Fail> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize()?;
        let (source, target) = (root.join("benches/peers"), root.join("target/peers"));
        fs::create_dir_all(&target)?;
        Ok(Self { source, target, is_built: OnceLock::new() })
    }

    /// Makes a peer ready to run. What is there already takes no time.
    pub(crate) fn prepare(&self, peer: &Peer) -> Result<(), Fail> {
        match peer.program {
            Program::Rust(_) => self.build_rust(),
            Program::Node(_) => self.install_node(),
            Program::Python(name) => self.install_python(name),
        }
    }

    /// The program of a peer, ready for its verb.
    pub(crate) fn command(&self, peer: &Peer) -> Command {
        let mut command = match peer.program {
            Program::Rust(name) => Command::new(self.target.join("rust/release").join(name)),
            Program::Node(name) => {
                let mut command = Command::new("node");
                // A copy: it looks for its packages beside the file.
                command.arg(self.node().join(format!("{name}.js"))).env("NODE_ENV", "production");
                command
            }
            Program::Python(name) => {
                let mut command = Command::new(self.python(name).join("bin/python"));
                // Nothing of it is to stand in the source.
                command.arg("-B").arg(self.source.join(peer.program.path()));
                command
            }
        };
        if peer.is_tuned {
            command.arg("--tuned");
        }
        command.current_dir(&self.target);
        command
    }

    fn node(&self) -> PathBuf {
        self.target.join("node")
    }

    fn python(&self, name: &str) -> PathBuf {
        self.target.join(format!("python-{name}"))
    }

    fn build_rust(&self) -> Result<(), Fail> {
        if self.is_built.get().is_some() {
            return Ok(());
        }
        let mut command = Command::new("cargo");
        command.args(["build", "--release", "--quiet"]);
        command.arg("--manifest-path").arg(self.source.join("rust/Cargo.toml"));
        command.arg("--target-dir").arg(self.target.join("rust"));
        carry_out(command)?;
        self.is_built.get_or_init(|| ());
        Ok(())
    }

    fn install_node(&self) -> Result<(), Fail> {
        let (source, target) = (self.source.join("node"), self.node());
        fs::create_dir_all(&target)?;
        for entry in fs::read_dir(&source)? {
            let entry = entry?;
            if entry.path().extension().is_some_and(|end| end == "js") {
                fs::copy(entry.path(), target.join(entry.file_name()))?;
            }
        }
        once(&source.join(NODE_LISTS[1]), &target, || {
            for name in NODE_LISTS {
                fs::copy(source.join(name), target.join(name))?;
            }
            let mut command = Command::new("npm");
            command.args(["ci", "--no-audit", "--no-fund", "--loglevel=error"]);
            command.current_dir(&target);
            carry_out(command)
        })
    }

    fn install_python(&self, name: &str) -> Result<(), Fail> {
        let (list, target) = (self.source.join(format!("python/{name}.txt")), self.python(name));
        once(&list, &target, || {
            let mut command = Command::new("python3");
            command.args(["-m", "venv", "--clear"]).arg(&target);
            carry_out(command)?;
            let mut command = Command::new(target.join("bin/pip"));
            command.args(["install", "--quiet", "--disable-pip-version-check", "-r"]).arg(&list);
            carry_out(command)
        })
    }
}

/// Installs something unless the same list was installed before.
fn once(
    list: &Path,
    target: &Path,
    install: impl FnOnce() -> Result<(), Fail>,
) -> Result<(), Fail> {
    let (wanted, done) = (fs::read(list)?, target.join(DONE));
    if fs::read(&done).is_ok_and(|there| there == wanted) {
        return Ok(());
    }
    install()?;
    Ok(fs::write(done, wanted)?)
}

/// A step, shown to the people who wait.
fn carry_out(mut command: Command) -> Result<(), Fail> {
    let program = command.get_program().to_string_lossy().into_owned();
    let args: Vec<_> = command.get_args().map(|arg| arg.to_string_lossy()).collect();
    let line = format!("{program} {}", args.join(" "));
    out::note(&line);
    // What it says is no part of our answer.
    let status = command.stdout(std::io::stderr()).status();
    match status.map_err(|error| Fail::new(format!("{program}: {error}")))? {
        status if status.success() => Ok(()),
        status => Err(Fail::new(format!("`{line}` ended with {status}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    #[test]
    fn what_was_installed_is_not_installed_again_until_its_list_changes() {
        let folder = tempfile::tempdir().unwrap();
        let list = folder.path().join("list");
        let count = Cell::new(0);
        let install = || {
            once(&list, folder.path(), || {
                count.set(count.get() + 1);
                if count.get() == 1 { Err(Fail::new("no network")) } else { Ok(()) }
            })
        };
        fs::write(&list, "a 1").unwrap();
        assert!(install().is_err());
        install().unwrap();
        install().unwrap();
        assert_eq!(count.get(), 2);
        fs::write(&list, "a 2").unwrap();
        install().unwrap();
        assert_eq!(count.get(), 3);
    }

    #[test]
    fn a_step_that_fails_is_said_with_its_command() {
        let mut command = Command::new("sh");
        command.args(["-c", "exit 3"]);
        let fail = carry_out(command).unwrap_err().to_string();
        assert!(fail.contains("sh -c exit 3") && fail.contains('3'), "{fail}");
        assert!(carry_out(Command::new("no-such-program-here")).is_err());
    }
}
