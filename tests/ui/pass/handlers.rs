//! `#[mq::handler]` in all its forms, alone and beside the derive.

use mq::prelude::*;

struct Db;

#[derive(Clone, Serialize, Deserialize, Job)]
#[job(state = Db)]
struct Import {
    total: u64,
}

#[mq::handler]
impl Import {
    async fn run(self, cx: Context<Db>) -> anyhow::Result<()> {
        let Db = cx.state();
        if self.total == 0 {
            return Err(cx.discard(anyhow::anyhow!("empty file")));
        }
        Ok(())
    }
}

#[derive(Serialize, Deserialize, Job)]
struct Plain;

#[mq::handler]
impl Plain {
    async fn run(self) {
        if true {
            return;
        }
        std::future::ready(()).await;
    }
}

#[derive(Serialize, Deserialize, Job)]
#[job(output = u64)]
struct Judged(u64);

#[mq::handler]
impl Judged {
    /// Doubles.
    async fn run(mut self, _: Context) -> Result<u64, std::num::TryFromIntError> {
        self.0 *= 2;
        u8::try_from(self.0)?;
        Ok(self.0)
    }

    fn verdict(&self, _: &std::num::TryFromIntError) -> Verdict {
        Verdict::Discard
    }
}

// As in a worker whose job types are in another crate.
#[derive(Serialize, Deserialize, Job)]
#[job(producer)]
struct Shared;

#[mq::handler(state = Db)]
impl Shared {
    async fn run(self) -> Result<(), String> {
        Ok(())
    }
}

#[derive(Serialize, Deserialize, Job)]
#[job(producer, name = "boxed")]
struct Boxed<T>(T);

#[mq::handler]
impl<T: Send + Serialize + serde::de::DeserializeOwned + 'static> Boxed<T> {
    async fn run(self, _cx: Context) -> Result<(), String> {
        Ok(())
    }
}

fn main() {
    let mut registry = mq::Registry::new();
    registry.discover();
    let mut kinds: Vec<&str> = registry.entries().iter().map(|entry| entry.kind()).collect();
    kinds.sort_unstable();
    assert_eq!(kinds, ["import", "judged", "plain", "shared"]);
    let mut states = mq::registry::States::new();
    let problems = registry.problems(&states);
    assert_eq!(problems.len(), 2, "{problems:?}");
    assert!(problems.iter().all(|problem| problem.to_string().contains("needs state")));
    states.set(Db);
    assert_eq!(registry.problems(&states), []);
    fn handles<J: Handler>() {}
    handles::<Boxed<u8>>();
    let _ = (Import { total: 1 }, Plain, Judged(1), Shared, Boxed(1));
}
