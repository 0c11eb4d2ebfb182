use mq::prelude::*;

struct Db;

#[derive(Serialize, Deserialize, Job)]
#[job(state = Db)]
struct A;

impl Handler<Db> for A {
    type Error = String;
    async fn run(self, _cx: Context<Db>) -> Result<(), String> {
        Ok(())
    }
}

fn work(mq: &Client) {
    let _ = Worker::builder(mq).job::<A, String>();
}

fn main() {}
