use mq::prelude::*;

#[derive(Serialize, Deserialize, Job)]
#[job(producer, timeout = "30 parsecs", retention = "30m1h")]
struct A;

#[derive(Serialize, Deserialize, Job)]
#[job(producer, timeout = 30, retention = "0s")]
struct B;

#[derive(Serialize, Deserialize, Job)]
#[job(producer, timeout = "0ms", backoff(linear, base = "10x", max = "99999999d"))]
struct C;

fn main() {}
