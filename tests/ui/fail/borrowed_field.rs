use mq::prelude::*;

#[derive(Serialize, Deserialize, Job)]
struct A<'a> {
    name: &'a str,
    raw: &'a [u8],
}

fn main() {}
