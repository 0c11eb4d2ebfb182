use mq::prelude::*;

#[derive(Serialize, Deserialize, Job)]
#[job(producer, backoff = "exponential")]
struct A;

#[derive(Serialize, Deserialize, Job)]
#[job(producer, backoff(linear, max = "1h"))]
struct B;

#[derive(Serialize, Deserialize, Job)]
#[job(producer, backoff(base = "2h", max = "1h"))]
struct C;

#[derive(Serialize, Deserialize, Job)]
#[job(producer, backoff(fixed, linear, base = "2h", base = "1h"))]
struct D;

fn main() {}
