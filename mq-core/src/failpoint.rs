//! Named places where a test can make this process die, freeze or panic.
//!
//! Without the feature `failpoints` a point is nothing. With it, the environment variable
//! `MQ_FAIL=claim.asked=kill@3` makes the third passage of that point kill the process as
//! `kill -9` does; `panic` panics there, `stop` freezes the process as SIGSTOP does until somebody
//! sends SIGCONT. Not the crate `fail`: its actions cannot freeze a process, and process-wide
//! configuration by one variable is all that a fault test of separate processes needs.

#[cfg(all(feature = "failpoints", not(debug_assertions)))]
compile_error!("the feature `failpoints` is for tests and cannot be built into a release");

/// A place to fail at. Does nothing outside tests.
#[cfg(not(feature = "failpoints"))]
#[inline(always)]
pub fn point(_name: &'static str) {}

/// A place to fail at. Does nothing outside tests.
#[cfg(feature = "failpoints")]
pub fn point(name: &'static str) {
    if let Some(plan) = plan() {
        plan.pass(name);
    }
}

#[cfg(feature = "failpoints")]
struct Plan {
    name: String,
    action: String,
    left: std::sync::atomic::AtomicI64,
}

#[cfg(feature = "failpoints")]
fn plan() -> Option<&'static Plan> {
    static PLAN: std::sync::OnceLock<Option<Plan>> = std::sync::OnceLock::new();
    let parse = || {
        let text = std::env::var("MQ_FAIL").ok()?;
        let (name, rest) = text.split_once('=')?;
        let (action, count) = rest.split_once('@').unwrap_or((rest, "1"));
        let left = std::sync::atomic::AtomicI64::new(count.parse().ok()?);
        Some(Plan { name: name.to_owned(), action: action.to_owned(), left })
    };
    PLAN.get_or_init(parse).as_ref()
}

#[cfg(feature = "failpoints")]
impl Plan {
    fn pass(&self, name: &str) {
        let ordering = std::sync::atomic::Ordering::SeqCst;
        if self.name != name || self.left.fetch_sub(1, ordering) != 1 {
            return;
        }
        match self.action.as_str() {
            "panic" => std::panic::panic_any(format!("fail point {name}")),
            "stop" => signal_self("STOP"),
            _ => signal_self("KILL"),
        }
    }
}

/// Through a shell, because sending a signal needs `unsafe` or a dependency otherwise.
#[cfg(feature = "failpoints")]
fn signal_self(signal: &str) {
    let script = format!("kill -{signal} {}", std::process::id());
    let _ = std::process::Command::new("sh").arg("-c").arg(script).status();
}
