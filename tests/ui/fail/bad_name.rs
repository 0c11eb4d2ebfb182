use mq::prelude::*;

#[derive(Serialize, Deserialize, Job)]
#[job(producer, name = "", queue = "a\nb", was("old", " "))]
struct A;

#[derive(Serialize, Deserialize, Job)]
#[job(
    producer,
    name = "1234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890"
)]
struct B;

fn main() {}
