use mq::prelude::*;

#[derive(Serialize, Deserialize, Job)]
struct A {
    id: u64,
}

fn main() {}
