use mq::prelude::*;

#[derive(Serialize, Deserialize, Job)]
#[job(producer, queue = "a", queue = "b")]
#[job(producer)]
struct A;

fn main() {}
