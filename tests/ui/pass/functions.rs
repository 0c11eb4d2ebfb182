//! Functions as jobs.
#![forbid(unsafe_code)]
#![deny(warnings, missing_docs)]
#![deny(clippy::all)]

use mq::Context;
use mq::Job as _;

/// Shared by all jobs.
#[derive(Debug)]
pub struct App;

/// Says what went wrong.
#[derive(Debug)]
pub struct MailError;

impl std::fmt::Display for MailError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("bounced")
    }
}

impl std::error::Error for MailError {}

/// Greets a new user.
#[mq::job(queue = "mail", timeout = "30s")]
pub async fn welcome(user_id: u64, lang: String) -> Result<(), MailError> {
    let _ = (user_id, lang);
    Err(MailError)
}

/// The context may stand anywhere, and may be kept or changed like any argument.
#[mq::job(name = "sum", was = "add")]
#[derive(PartialEq)]
async fn add_up(
    /// The first of the two.
    mut left: u64,
    cx: Context<App>,
    #[serde(default)] right: u64,
) -> std::io::Result<u64> {
    let App = cx.state();
    left += right;
    Ok(left)
}

#[mq::job]
async fn tick() {
    tock().await;
}

async fn tock() {}

#[mq::job]
async fn nothing(_cx: Context) -> () {}

/// What went wrong may be a text in the program.
#[mq::job(producer)]
async fn text_error() -> Result<(), &'static str> {
    Err("the mail server is busy")
}

#[mq::job(producer)]
async fn any_error(path: std::path::PathBuf) -> anyhow::Result<Vec<String>> {
    let text = std::fs::read_to_string(&path)?;
    if text.is_empty() {
        return Ok(vec![]);
    }
    Ok(text.lines().map(str::to_owned).collect())
}

#[mq::job]
#[deprecated = "by nothing"]
#[allow(clippy::too_many_arguments, unused_variables, reason = "passed on")]
async fn wide(a: u8, b: u8, c: u8, d: u8, e: u8, f: u8, g: u8, h: u8) {}

#[mq::job(blocking)]
fn crunch(n: u64) -> Result<u64, std::convert::Infallible> {
    Ok(n * 2)
}

/// A job that asks for itself again: inside, its name still makes a job.
#[mq::job]
async fn again(left: u32, cx: Context) -> Result<(), mq::EnqueueError> {
    if left > 0 {
        cx.client().enqueue(again(left - 1)).await?;
    }
    Ok(())
}

mod inner {
    #[mq::job(crate = mq)]
    pub(super) async fn r#move(r#type: String) -> Result<(), String> {
        Err(r#type)
    }
}

fn main() {
    assert_eq!((Welcome::KIND, Welcome::OPTIONS.queue), ("welcome", "mail"));
    let job = welcome(7, "en".into());
    assert_eq!((job.user_id, &*job.lang), (7, "en"));
    assert_eq!(format!("{job:?}"), r#"Welcome { user_id: 7, lang: "en" }"#);
    assert_eq!(serde_json::to_string(&job).unwrap(), r#"{"user_id":7,"lang":"en"}"#);

    assert_eq!((AddUp::KIND, AddUp::WAS), ("sum", &["add"][..]));
    assert!(add_up(1, 0) == serde_json::from_str(r#"{"left":1}"#).unwrap());
    fn output<J: mq::Job<Output = O>, O>(_: J) {}
    output::<_, u64>(add_up(1, 2));
    output::<_, u64>(crunch(1));
    output::<_, Vec<String>>(any_error("a".into()));
    output::<_, ()>(again(1));
    const { assert!(Crunch::OPTIONS.blocking) };
    assert_eq!(serde_json::to_string(&tick()).unwrap(), "{}");
    assert_eq!(inner::Move::KIND, "move");
    assert_eq!(inner::r#move("a".into()).r#type, "a");
    let _ = nothing();

    let mut registry = mq::Registry::new();
    registry.discover();
    let mut kinds: Vec<&str> = registry.entries().iter().map(|entry| entry.kind()).collect();
    kinds.sort_unstable();
    assert_eq!(kinds, ["again", "crunch", "move", "nothing", "sum", "tick", "welcome", "wide"]);
}
