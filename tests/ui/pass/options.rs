//! Every option of `#[job(…)]`, in every form.

use mq::prelude::*;
use mq::{Backoff, Jitter, JobOptions};

struct App;

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Receipt(u64);

#[derive(Debug, Serialize, Deserialize, Job)]
#[job(
    name = "mail.welcome",
    was = "welcome",
    was("welcome_mail", "hello"),
    queue = "mail",
    max_attempts = 10,
    timeout = "1h30m",
    backoff(linear, base = "2s", max = "1h", jitter = "full"),
    priority = "high",
    retention = "7d",
    state = App,
    output = Receipt,
    blocking,
    crate = ::mq,
)]
struct Full {
    user_id: u64,
}

impl Handler<App> for Full {
    type Error = std::io::Error;
    async fn run(self, cx: Context<App>) -> Result<Receipt, Self::Error> {
        let App = cx.state();
        Ok(Receipt(self.user_id))
    }
    fn verdict(&self, error: &Self::Error) -> Verdict {
        match error.kind() {
            std::io::ErrorKind::NotFound => Verdict::Discard,
            _ => Verdict::RetryIn(Duration::from_secs(5)),
        }
    }
}

#[derive(Serialize, Deserialize, Job)]
#[job(producer, backoff(fixed, base = "250ms", jitter = "none"))]
#[job(priority = "low")]
struct HTTPFetch;

#[derive(Serialize, Deserialize, Job)]
#[job(producer, backoff(max = "1h", jitter = "quarter"))]
enum Choice {
    One,
    Two(String),
    Three { count: u8 },
}

#[derive(Serialize, Deserialize, Job)]
#[job(producer, name = "sized")]
struct Sized<T, const N: usize>(Vec<T>);

#[derive(Serialize, Deserialize, Job)]
#[job(producer)]
struct r#Move(std::borrow::Cow<'static, str>, #[serde(skip)] pub Option<&'static str>);

fn main() {
    assert_eq!(Full::KIND, "mail.welcome");
    assert_eq!(Full::WAS, ["welcome", "welcome_mail", "hello"]);
    let backoff =
        Backoff::linear(Duration::from_secs(2)).max(Duration::from_secs(3600)).jitter(Jitter::Full);
    let options = JobOptions::DEFAULT
        .queue("mail")
        .max_attempts(10)
        .timeout(Duration::from_secs(5400))
        .backoff(backoff)
        .priority(Priority::High)
        .retention(Duration::from_secs(7 * 86_400))
        .blocking(true);
    assert_eq!(Full::OPTIONS, options);

    assert_eq!(HTTPFetch::KIND, "http_fetch");
    let backoff = Backoff::fixed(Duration::from_millis(250)).jitter(Jitter::None);
    assert_eq!(HTTPFetch::OPTIONS, JobOptions::DEFAULT.backoff(backoff).priority(Priority::Low));

    let backoff = Backoff::DEFAULT.max(Duration::from_secs(3600)).jitter(Jitter::Quarter);
    assert_eq!(Choice::OPTIONS, JobOptions::DEFAULT.backoff(backoff));
    assert_eq!(Sized::<u8, 3>::KIND, "sized");
    assert_eq!(Move::KIND, "move");
    let _ = (Choice::One, Choice::Two(String::new()), Choice::Three { count: 3 });
    let _ = (Sized::<u8, 3>(vec![]), Move("".into(), None), HTTPFetch);

    let mut registry = mq::Registry::new();
    registry.discover();
    let kinds: Vec<&str> = registry.entries().iter().map(|entry| entry.kind()).collect();
    assert_eq!(kinds, ["mail.welcome"]);
    assert!(registry.find("hello").is_some());
}
