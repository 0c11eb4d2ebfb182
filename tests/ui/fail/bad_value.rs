use mq::prelude::*;

#[derive(Serialize, Deserialize, Job)]
#[job(producer, max_attempts = 0, queue = mail, name)]
struct A;

#[derive(Serialize, Deserialize, Job)]
#[job(producer = true, max_attempts = -1, state)]
struct B;

#[derive(Serialize, Deserialize, Job)]
#[job("mail", producer)]
struct C;

#[derive(Serialize, Deserialize, Job)]
#[job(producer max_attempts = 5)]
struct D;

#[derive(Serialize, Deserialize, Job)]
#[job]
struct E;

#[derive(Serialize, Deserialize, Job)]
#[job(producer, max_attempts = "5")]
struct F;

fn main() {}
