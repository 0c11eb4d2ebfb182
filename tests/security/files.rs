//! Line 29, and the same for Redis: a store that somebody else has written to. A file's rights,
//! links to it and damage that a look finds are tested in `mq-sqlite/tests`.

use std::panic;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use mq::admin::{Filter, Verb};
use mq::prelude::*;
use mq::{ConnectError, State};
use mq_testkit::RedisServer;
use rusqlite::Connection;

#[derive(Serialize, Deserialize, Job)]
#[job(name = "plain", max_attempts = 2, backoff(fixed, base = "10ms"), retention = "1h")]
struct Plain {
    number: u32,
}

#[mq::handler]
impl Plain {
    async fn run(self, _: Context) -> Result<(), String> {
        if self.number.is_multiple_of(2) { Ok(()) } else { Err("odd".to_owned()) }
    }
}

async fn open(path: &Path) -> Result<Client, ConnectError> {
    Client::connect(format!("sqlite:{}", path.display())).await
}

/// Jobs in every state.
async fn fill(mq: &Client) {
    mq.enqueue_all((0..40).map(|number| Plain { number })).await.unwrap();
    let ran = async {
        while mq.admin().queue("default").await.unwrap().stats.dead < 5 {
            // sleep: between two looks
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let worker = Worker::builder(mq).job::<Plain, ()>().concurrency(2).build().unwrap();
    worker.run_until(ran).await.unwrap();
    for number in 0..20 {
        mq.enqueue(Plain { number }).idempotency_key(format!("k{number}")).await.unwrap();
        mq.enqueue(Plain { number }).delay(Duration::from_secs(3_600)).await.unwrap();
    }
    mq.admin().pause("paused").await.unwrap();
}

/// Everything that mq does, whatever comes of it.
async fn use_all(engine: &Client) {
    let admin = engine.admin();
    let _ = engine.enqueue(Plain { number: 2 }).idempotency_key("k1").await;
    for state in State::ALL {
        let filter = Filter::state(state);
        let page = admin.jobs(&filter, None, 100).await;
        if let Some(job) = page.ok().and_then(|page| page.jobs.into_iter().next()) {
            let _ = admin.job(job.id).await;
        }
        for verb in [Verb::RunNow, Verb::Cancel, Verb::Retry { per_second: Some(5) }] {
            let _ = admin.act_on_all(&filter, &verb).await;
        }
    }
    let worker = Worker::builder(engine).job::<Plain, ()>().lease(Duration::from_secs(1));
    // What it cannot tell a broken store shall hold it up no longer than that.
    let worker = worker.grace(Duration::from_millis(50)).build();
    // sleep: for as long as the worker takes to claim, sweep and prune once
    let a_while = tokio::time::sleep(Duration::from_millis(60));
    let _ = worker.unwrap().run_until(a_while).await;
    let _ = admin.queues().await;
    let _ = admin.workers().await;
    let _ = admin.audit(true).await;
}

static PANICS: AtomicUsize = AtomicUsize::new(0);

/// Counts panics on threads of mq's own and in its futures: handlers of this test have none.
fn count_panics() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            let place = info.location().map_or("", |place| place.file());
            if place.contains("mq-") && !place.contains("tests/security") {
                PANICS.fetch_add(1, Ordering::SeqCst);
            }
            before(info);
        }));
    });
}

/// What no column of mq's has: numbers where they end, and another type than its own.
const ODD: &[&str] = &[
    "9223372036854775807",
    "-9223372036854775808",
    "-1",
    "1e300",
    "NULL",
    "x'00ff80'",
    "''",
    "char(27) || '[31m' || char(10)",
];

fn columns(path: &Path) -> Vec<(String, String)> {
    let conn = Connection::open(path).unwrap();
    conn.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
    let mut columns = conn
        .prepare(
            "SELECT t.name, c.name FROM sqlite_schema t, pragma_table_info(t.name) c \
             WHERE t.type = 'table' AND t.name LIKE 'mq%' ORDER BY 1, 2",
        )
        .unwrap();
    let rows = columns.query_map((), |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    rows.collect::<Result<_, _>>().unwrap()
}

/// A file with these bytes and nothing beside it.
fn copy_of(whole: &[u8], directory: &Path) -> PathBuf {
    let copy = directory.join("copy.db");
    for end in ["-wal", "-shm"] {
        let _ = std::fs::remove_file(format!("{}{end}", copy.display()));
    }
    let _ = std::fs::remove_file(&copy);
    std::fs::write(&copy, whole).unwrap();
    copy
}

async fn is_used_without_panic(path: &Path, what: &str) {
    if let Ok(mq) = open(path).await {
        use_all(&mq).await;
    }
    assert_eq!(PANICS.load(Ordering::SeqCst), 0, "{what}");
}

/// Writes a value into all rows of a column that can have it; whether any could.
fn spoil(copy: &Path, update: &str) -> bool {
    // A schema of an attacker's own would allow what ours refuses.
    let schema =
        "UPDATE sqlite_schema SET sql = replace(sql, ' NOT NULL', '') WHERE type = 'table'";
    let pragmas = "PRAGMA ignore_check_constraints = ON; PRAGMA writable_schema = ON";
    Connection::open(copy).unwrap().execute_batch(&format!("{pragmas}; {schema}")).unwrap();
    // A row's own number is the one thing that SQLite keeps a number.
    Connection::open(copy).unwrap().execute(update, ()).is_ok()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn values_that_mq_would_not_write_are_errors_and_no_panics() {
    count_panics();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("whole.db");
    fill(&open(&path).await.unwrap()).await;
    let columns = columns(&path);
    assert!(columns.len() > 30, "{columns:?}");
    let whole: Arc<[u8]> = std::fs::read(&path).unwrap().into();
    let mut parts = tokio::task::JoinSet::new();
    for (at, (table, column)) in columns.into_iter().enumerate() {
        let whole = Arc::clone(&whole);
        parts.spawn(async move {
            let directory = tempfile::tempdir().unwrap();
            for odd in values(at) {
                let copy = copy_of(&whole, directory.path());
                let update = format!("UPDATE OR IGNORE {table} SET {column} = {odd}");
                if spoil(&copy, &update) {
                    is_used_without_panic(&copy, &update).await;
                }
            }
        });
        // As many at a time as bring each other into no time limit.
        if parts.len() >= 4 {
            parts.join_next().await.unwrap().unwrap();
        }
    }
    while let Some(part) = parts.join_next().await {
        part.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_that_were_changed_anywhere_are_errors_and_no_panics() {
    count_panics();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("whole.db");
    fill(&open(&path).await.unwrap()).await;
    columns(&path);
    let whole = std::fs::read(&path).unwrap();
    let mut random = 0x5eed_u64;
    let mut draw = |below: usize| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (random >> 33) as usize % below
    };
    for round in 0..rounds() {
        let mut bytes = whole.clone();
        for _ in 0..=draw(8) {
            bytes[draw(whole.len())] = draw(256) as u8;
        }
        let copy = copy_of(&bytes, directory.path());
        is_used_without_panic(&copy, &format!("round {round}")).await;
    }
}

/// Puts an odd value wherever the type of a key takes one.
const SPOIL: &str = "
local key, odd = KEYS[1], ARGV[1]
local number = tonumber(odd) and odd or 'inf'
local kind = redis.call('TYPE', key).ok
if kind == 'string' then redis.call('SET', key, odd) end
if kind == 'list' then redis.call('LSET', key, 0, odd) redis.call('RPUSH', key, odd) end
if kind == 'set' then redis.call('SADD', key, odd) end
if kind == 'hash' then
  for _, field in ipairs(redis.call('HKEYS', key)) do redis.call('HSET', key, field, odd) end
  redis.call('HSET', key, odd, odd)
end
if kind == 'zset' then
  for _, member in ipairs(redis.call('ZRANGE', key, 0, -1)) do
    redis.call('ZADD', key, number, member)
  end
  redis.call('ZADD', key, number, odd)
end
return kind";

fn redis_cli(server: &RedisServer, words: &[&str]) -> String {
    let port = server.port().to_string();
    let output = Command::new("redis-cli").args(["-p", &port]).args(words).output();
    let output = output.expect("redis-cli comes with redis-server");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn values_that_mq_would_not_write_on_redis_are_errors_and_no_panics() {
    const ODD: &[&str] = &[
        "9223372036854775807",
        "-9223372036854775808",
        "18446744073709551616",
        "-1",
        "1e300",
        "",
        "\u{1b}[31m\n",
        "0000000000000000000000",
        "{\"attempts\":4294967295,\"interruptions\":[18446744073709551615]}",
    ];
    count_panics();
    let server = RedisServer::start();
    for odd in if is_long() { ODD } else { &ODD[..3] } {
        redis_cli(&server, &["FLUSHALL"]);
        fill(&Client::connect(server.url()).await.unwrap()).await;
        let keys = redis_cli(&server, &["KEYS", "*"]);
        assert!(keys.lines().count() > 10, "{keys}");
        for key in keys.lines() {
            redis_cli(&server, &["EVAL", SPOIL, "1", key, odd]);
            if let Ok(mq) = Client::connect(server.url()).await {
                use_all(&mq).await;
            }
            assert_eq!(PANICS.load(Ordering::SeqCst), 0, "{key} {odd:?}");
        }
    }
}

fn is_long() -> bool {
    std::env::var_os("MQ_HOSTILE_ALL").is_some()
}

/// The largest number for each, which is what overflows, and one of the others in turn.
fn values(at: usize) -> Vec<&'static str> {
    match is_long() {
        true => ODD.to_vec(),
        false => vec![ODD[0], ODD[1 + at % (ODD.len() - 1)]],
    }
}

fn rounds() -> usize {
    if is_long() { 500 } else { 30 }
}
