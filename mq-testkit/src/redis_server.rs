//! A throw-away `redis-server`: its own port, its own directory, gone when the test is.
//!
//! The server is a child of a small shell that waits for its input to end, and that input is held
//! by this process. So the server dies with the process that started it however that one ends,
//! also by `kill -9`, which a `Drop` alone cannot promise.

use std::fmt;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use mq_core::clock;

/// How long a server may take to answer, also one that has data to load.
const START_MAX: Duration = Duration::from_secs(20);
/// How many ports are tried; somebody else may take a free one before the server does.
const PORTS_MAX: usize = 20;

/// `$1` is the directory, the rest the server's arguments. A line `keep` leaves the directory for
/// a restart, the end of the input removes it. The watchdog must outlive a Ctrl-C to clean up.
const WATCHDOG: &str = r#"
trap '' INT TERM HUP
dir=$1; shift
redis-server "$@" >/dev/null 2>&1 & pid=$!
echo $pid
read -r word
kill -9 $pid 2>/dev/null
wait $pid 2>/dev/null
[ "$word" = keep ] || rm -rf -- "$dir"
"#;

/// A `redis-server` of one test's own, on a free loopback port, ended when dropped.
///
/// All methods block for the few milliseconds they need.
pub struct RedisServer {
    dir: PathBuf,
    port: u16,
    args: Vec<String>,
    variables: Vec<(&'static str, String)>,
    run: Option<Run>,
}

struct Run {
    watchdog: Child,
    stdin: Option<ChildStdin>,
    pid: u32,
}

impl RedisServer {
    /// Starts a server that keeps nothing on disk.
    ///
    /// # Panics
    /// When there is no `redis-server` in the path, or it does not start.
    pub fn start() -> Self {
        Self::with(&[])
    }

    /// Starts a server with further arguments, for example `["--appendonly", "yes"]`. They come
    /// after the defaults and win over them.
    ///
    /// # Panics
    /// As [`start`](Self::start).
    pub fn with(args: &[&str]) -> Self {
        Self::in_folder(&std::env::temp_dir(), args, |_| Vec::new())
    }

    /// As [`with`](Self::with), on a disk that is never slow: the machine's memory, where it has
    /// such a folder. A server that syncs every second holds writes back while a sync is under
    /// way, so that on a slow disk a kill takes what it has acknowledged.
    ///
    /// # Panics
    /// As [`start`](Self::start).
    pub fn on_a_fast_disk(args: &[&str]) -> Self {
        Self::prepared(args, |_| Vec::new())
    }

    /// As [`on_a_fast_disk`](Self::on_a_fast_disk), with variables in its environment, such as
    /// `LD_PRELOAD`. `prepare` gets the folder that will be the server's, to put there what they
    /// name.
    ///
    /// # Panics
    /// As [`start`](Self::start).
    pub fn prepared(
        args: &[&str],
        prepare: impl FnOnce(&Path) -> Vec<(&'static str, String)>,
    ) -> Self {
        let memory = Path::new("/dev/shm");
        let folder = if memory.is_dir() { memory } else { &std::env::temp_dir() };
        Self::in_folder(folder, args, prepare)
    }

    fn in_folder(
        folder: &Path,
        args: &[&str],
        prepare: impl FnOnce(&Path) -> Vec<(&'static str, String)>,
    ) -> Self {
        require_redis();
        let dir = tempfile::Builder::new().prefix("mq-redis-").tempdir_in(folder);
        let dir = dir.unwrap_or_else(|error| panic!("cannot make a temporary directory: {error}"));
        let args: Vec<_> = args.iter().map(|&arg| arg.to_owned()).collect();
        let dir = dir.keep();
        let variables = prepare(&dir);
        let mut server = Self { dir, port: 0, args, variables, run: None };
        for _ in 0..PORTS_MAX {
            server.port = free_port();
            if server.launch() {
                return server;
            }
        }
        panic!("{PORTS_MAX} ports were taken by others before redis-server could have them");
    }

    /// The URL to connect to.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// The port on 127.0.0.1; the same after a restart.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The server's process id, if it runs.
    pub fn pid(&self) -> Option<u32> {
        self.run.as_ref().map(|run| run.pid)
    }

    /// Where the server keeps its files; the same after a restart.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// What the server has logged.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.dir.join("log")).unwrap_or_default()
    }

    /// Kills the server with SIGKILL and waits until it is gone. Its files stay.
    pub fn kill9(&mut self) {
        if let Some(mut run) = self.run.take() {
            run.end("keep\n");
        }
    }

    /// Starts the server again, same port, same files, after killing it if it still runs.
    ///
    /// # Panics
    /// When it does not start.
    pub fn restart(&mut self) {
        self.kill9();
        // The port may be in use for a moment by connections of the server that was killed.
        let deadline = clock::now() + START_MAX;
        while !self.launch() {
            assert!(clock::now() < deadline, "port {} was not free again", self.port);
            std::thread::park_timeout(Duration::from_millis(50));
        }
    }

    /// Freezes the server (SIGSTOP): connections stay open and nobody answers.
    pub fn stop_process(&self) {
        self.signal("STOP");
    }

    /// Thaws a frozen server (SIGCONT).
    pub fn continue_process(&self) {
        self.signal("CONT");
    }

    fn signal(&self, signal: &str) {
        let Some(pid) = self.pid() else { panic!("the server does not run") };
        // The shell's own `kill`: not every image has one as a program.
        let status = Command::new("sh").arg("-c").arg(format!("kill -{signal} {pid}")).status();
        assert!(status.is_ok_and(|status| status.success()), "cannot send SIG{signal} to {pid}");
    }

    /// Sends a command without any client; see [`ask`](crate::ask). Empty as well if there is no
    /// answer within a second, as from a server that is frozen.
    pub async fn ask(&self, words: &[&str]) -> String {
        let answer = crate::wire::ask(self.port, words);
        tokio::time::timeout(Duration::from_secs(1), answer).await.unwrap_or_default()
    }

    /// Whether the server is up; not, when somebody else has the port.
    fn launch(&mut self) -> bool {
        let _ = std::fs::remove_file(self.dir.join("log"));
        let mut run = Run::spawn(self);
        let deadline = clock::now() + START_MAX;
        while !answers(&self.dir.join("socket")) {
            let log = self.log();
            if log.contains("Address already in use") {
                run.end("keep\n");
                return false;
            }
            if clock::now() > deadline || log.contains("FATAL CONFIG") {
                run.end("keep\n");
                panic!("redis-server {:?} did not start; its log:\n{log}", self.args);
            }
            std::thread::park_timeout(Duration::from_millis(5));
        }
        self.run = Some(run);
        true
    }
}

impl Run {
    fn spawn(server: &RedisServer) -> Self {
        let RedisServer { dir, port, args, variables, .. } = server;
        let in_dir = |name| dir.join(name).to_string_lossy().into_owned();
        let mut command = Command::new("sh");
        command.arg("-c").arg(WATCHDOG).arg("watchdog").arg(dir);
        command.args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", ""]);
        command.args(["--dir", &dir.to_string_lossy(), "--logfile", &in_dir("log")]);
        // Only this server has this socket: an answer on it proves that it also has the port.
        command.args(["--unixsocket", &in_dir("socket"), "--daemonize", "no"]);
        command.args(args).envs(variables.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut watchdog =
            command.spawn().unwrap_or_else(|error| panic!("cannot start `sh`: {error}"));
        let stdin = watchdog.stdin.take();
        let mut line = String::new();
        let _ = watchdog.stdout.take().map(|out| BufReader::new(out).read_line(&mut line));
        let pid = line.trim().parse();
        Self { watchdog, stdin, pid: pid.unwrap_or_else(|_| panic!("no process id: `{line}`")) }
    }

    fn end(&mut self, word: &str) {
        if let Some(mut stdin) = self.stdin.take() {
            let _ = stdin.write_all(word.as_bytes());
        }
        let _ = self.watchdog.wait();
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        match self.run.take() {
            Some(mut run) => run.end(""),
            None => drop(std::fs::remove_dir_all(&self.dir)),
        }
    }
}

impl fmt::Debug for RedisServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisServer").field("port", &self.port).finish_non_exhaustive()
    }
}

/// The URL of one server that all tests of this process share; started at the first call.
///
/// Much faster than a server per test. Tests keep out of each other's way by a key prefix each:
/// [`unique_prefix`]. A test that disturbs the server needs its own [`RedisServer`].
pub fn shared_url() -> String {
    static SHARED: OnceLock<RedisServer> = OnceLock::new();
    // Debug commands, to damage data and to freeze the server without a signal.
    SHARED.get_or_init(|| RedisServer::with(&["--enable-debug-command", "local"])).url()
}

/// A key prefix that nobody else in this process uses: letters and digits.
pub fn unique_prefix() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    format!("t{}x{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

fn require_redis() {
    let found = Command::new("redis-server").arg("--version").stdout(Stdio::null()).status();
    if !found.is_ok_and(|status| status.success()) {
        panic!(
            "these tests need the program `redis-server` 7.0 or newer in the path: install it, \
             for example with `apt-get install redis-server`"
        );
    }
}

fn free_port() -> u16 {
    let bound = TcpListener::bind(("127.0.0.1", 0)).and_then(|listener| listener.local_addr());
    bound.unwrap_or_else(|error| panic!("no free port on 127.0.0.1: {error}")).port()
}

/// Whether the server is ready; one that wants a password first is, too.
fn answers(socket: &Path) -> bool {
    let Ok(mut stream) = UnixStream::connect(socket) else { return false };
    let _ = stream.set_read_timeout(Some(Duration::from_secs(1)));
    let mut reply = [0; 7];
    let asked = stream.write_all(b"PING\r\n").and_then(|()| stream.read_exact(&mut reply));
    asked.is_ok() && (reply.starts_with(b"+PONG") || reply.starts_with(b"-NOAUTH"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_killed_server_comes_back_on_its_port_with_its_files() {
        let mut server = RedisServer::with(&["--appendonly", "yes", "--appendfsync", "always"]);
        assert_eq!(server.ask(&["SET", "a", "1"]).await, "+OK\r\n");
        let first = server.pid();
        server.kill9();
        assert_eq!(server.ask(&["GET", "a"]).await, "");
        server.restart();
        assert_ne!(server.pid(), first);
        assert_eq!(server.ask(&["GET", "a"]).await, "$1\r\n1\r\n");
    }

    #[tokio::test]
    async fn a_frozen_server_takes_connections_and_says_nothing_until_it_is_thawed() {
        let server = RedisServer::start();
        server.stop_process();
        assert_eq!(server.ask(&["PING"]).await, "");
        server.continue_process();
        assert_eq!(server.ask(&["PING"]).await, "+PONG\r\n");
    }

    #[tokio::test]
    async fn nothing_is_left_behind() {
        let server = RedisServer::start();
        let (port, dir) = (server.port(), server.dir().to_owned());
        drop(server);
        assert_eq!(crate::wire::ask(port, &["PING"]).await, "");
        assert!(!dir.exists());
    }

    #[test]
    fn many_can_be_started_at_once_and_the_shared_one_is_one() {
        let starts: Vec<_> = (0..8).map(|_| std::thread::spawn(RedisServer::start)).collect();
        let servers: Vec<_> = starts.into_iter().map(|start| start.join().unwrap()).collect();
        let ports: std::collections::BTreeSet<_> = servers.iter().map(RedisServer::port).collect();
        assert_eq!(ports.len(), servers.len());
        assert_eq!(shared_url(), shared_url());
        assert_ne!(unique_prefix(), unique_prefix());
    }
}
