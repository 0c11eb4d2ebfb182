//! A job that exists if and only if the application's own rows do: both are in one transaction of
//! the application's SQLite database.
//!
//! `cargo run --example transactional`
#![expect(clippy::print_stdout, reason = "an example talks to the person who runs it")]

mod common;

use anyhow::bail;
use mq::prelude::*;
use rusqlite::{Connection, TransactionBehavior};

#[derive(Debug, Serialize, Deserialize, Job)]
#[job(queue = "transactional")]
struct Confirm {
    order: i64,
}

impl Handler for Confirm {
    type Error = String;

    async fn run(self, _: Context) -> Result<(), String> {
        println!("  a mail confirms order {}", self.order);
        Ok(())
    }
}

/// Takes an order, unless something is wrong with it, and sees to its confirmation.
fn order(app: &mut Connection, mq: &Client, count: u32) -> anyhow::Result<i64> {
    // IMMEDIATE, because it writes: else somebody who writes first would make it fail half way.
    let tx = app.transaction_with_behavior(TransactionBehavior::Immediate)?;
    tx.execute("INSERT INTO orders (count) VALUES (?1)", [count])?;
    let order = tx.last_insert_rowid();
    mq.enqueue(Confirm { order }).in_transaction(&tx)?;
    if count == 0 {
        // The transaction is rolled back, and with it the job.
        bail!("an order of nothing");
    }
    tx.commit()?;
    Ok(order)
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("app.db");
    let mut app = Connection::open(&path)?;
    app.execute_batch("CREATE TABLE orders (id INTEGER PRIMARY KEY, count INTEGER)")?;
    // mq keeps its tables, which begin with `mq_`, beside those of the application.
    let mq = Client::connect(format!("sqlite:{}?database=application", path.display())).await?;
    let worker = Worker::builder(&mq).discover().build()?.spawn();

    for count in [3, 0, 2] {
        match order(&mut app, &mq, count) {
            Ok(order) => println!("order {order} is taken"),
            Err(error) => println!("no order is taken: {error}"),
        }
    }
    common::all_done(&mq, "transactional").await;
    let stats = mq.admin().queue("transactional").await?.stats;
    let orders: i64 = app.query_row("SELECT count(*) FROM orders", [], |row| row.get(0))?;
    println!("{orders} orders, {} confirmations", stats.done_total);
    worker.stop(Duration::from_secs(1)).await?;
    Ok(())
}
