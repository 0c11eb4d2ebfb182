//! The program of the guide `docs/faults.md`, which is quoted there word for word.

use std::path::{Path, PathBuf};
use std::process::Command;

use mq::prelude::*;
use mq::testing::faults::{
    Check, Final, Nemesis, Pack, Recorder, RedisServer, Rules, Server, Verdict, check,
};

const LEASE: Duration = Duration::from_secs(2);

/// Where mails go.
#[derive(Debug)]
struct Outbox(PathBuf);

#[derive(Debug, Serialize, Deserialize, Job)]
#[job(queue = "mail", max_attempts = 3, state = Outbox)]
struct Welcome {
    user_id: u64,
}

#[mq::handler]
impl Welcome {
    async fn run(self, cx: Context<Outbox>) -> Result<(), std::io::Error> {
        // One file per user: sending twice is harmless.
        std::fs::write(cx.state().0.join(self.user_id.to_string()), "welcome")
    }
}

#[tokio::main]
async fn worker(url: &str, folder: &Path) -> Result<(), Box<dyn std::error::Error>> {
    let recorder = Recorder::open(&folder.join("history"))?;
    let mq = recorder.watch(&Client::connect(url).await?);
    Worker::builder(&mq)
        .lease(LEASE)
        .state(Outbox(folder.to_owned()))
        .layer(recorder.attempts())
        .discover()
        .build()?
        .run_until(mq::shutdown_signal())
        .await?;
    Ok(())
}

/// Not a test, but what the processes of the test below run; without the variables it does nothing.
#[test]
fn worker_program() {
    if let (Ok(url), Ok(folder)) = (std::env::var("MAIL_URL"), std::env::var("MAIL_FOLDER")) {
        worker(&url, Path::new(&folder)).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_user_is_welcomed_whatever_dies() {
    let folder = tempfile::tempdir().unwrap();
    let history = folder.path().join("history");
    let recorder = Recorder::open(&history).unwrap();
    let server = RedisServer::on_a_fast_disk(&["--appendonly", "yes"]);
    let mq = recorder.watch(&Client::connect(server.url()).await.unwrap());

    let (url, outbox) = (server.url(), folder.path().to_owned());
    let workers = Pack::start(2, LEASE, &recorder, move || {
        let mut worker = Command::new(std::env::current_exe().unwrap());
        worker.args(["--exact", "worker_program", "--nocapture"]);
        worker.env("MAIL_URL", &url).env("MAIL_FOLDER", &outbox);
        worker
    });
    // The same seed gives the same faults.
    let mut nemesis = Nemesis::new(7, &recorder).victim(workers).victim(Server::new(server));
    let welcomes = mq.enqueue_all((0..200).map(|user_id| Welcome { user_id })).await.unwrap();
    assert_eq!(welcomes.len(), 200);
    nemesis.torment(12, Duration::from_millis(400)).await;

    let verdict = at_rest(&mq, &mut nemesis, &history).await;
    verdict.assert_clean();
    let sent = (0..200).filter(|user_id| folder.path().join(user_id.to_string()).exists());
    assert_eq!(sent.count() as u64 + verdict.counts.dead, 200, "{verdict}");
    assert_eq!(verdict.count(Check::Lost), 0);
}

/// Waits until nothing moves any more, and asks the checks.
async fn at_rest(mq: &Client, nemesis: &mut Nemesis, history: &Path) -> Verdict {
    let rest = async {
        while mq.admin().queue("mail").await.map_or(1, |queue| queue.stats.open()) > 0 {
            // sleep: polls, with a deadline below.
            tokio::time::sleep(Duration::from_millis(50)).await;
            // Starts a worker in the place of each that has died.
            nemesis.recover().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), rest).await.expect("the queue stands still");
    let end = Final::of(mq).await.expect("the store's listings");
    // Whoever dies here is killed by the nemesis, so that no silence needs to be forgiven.
    let rules = Rules { lease: LEASE, deaths_recorded: true, ..Rules::default() };
    check(&Recorder::read(history).expect("the history"), &end, &rules)
}

// The program of the guide ends here.

#[test]
fn the_guide_typed_literally_is_this_program() {
    let (guide, here) = (include_str!("../docs/faults.md"), include_str!("faults.rs"));
    let blocks = |language| {
        let begin = format!("```{language}\n");
        let blocks: Vec<_> = guide.split(&begin).skip(1).collect();
        blocks.iter().map(|block| block.split("```").next().unwrap()).collect::<Vec<_>>()
    };
    let program = here.split("// The program of the guide ends here.").next().unwrap();
    let (_, program) = program.split_once("\n\n").unwrap();
    assert_eq!(blocks("rust").join("\n").trim_end(), program.trim_end());

    let toml = blocks("toml").concat();
    for name in ["mq", "serde", "tempfile", "tokio"] {
        assert!(toml.contains(&format!("\n{name} = ")), "{name} is used and not in Cargo.toml");
    }
}
