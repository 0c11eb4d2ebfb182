use mq::prelude::*;

#[mq::job(queue = "mail")]
struct A;

#[mq::handler]
async fn b() {}

#[derive(Serialize, Deserialize, Job)]
#[job(producer)]
struct C {
    #[job(name = "d")]
    d: u64,
}

#[derive(Job)]
#[job(producer)]
union E {
    f: u64,
}

fn main() {}
