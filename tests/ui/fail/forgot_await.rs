#![deny(unused_must_use)]

use mq::prelude::*;

#[derive(Serialize, Deserialize, Job)]
#[job(producer)]
struct A;

#[mq::job]
async fn b() {}

async fn produce(mq: Client) {
    mq.enqueue(A);
    mq.enqueue_all([A, A]);
    b();
}

fn main() {}
