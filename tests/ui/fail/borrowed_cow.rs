use std::borrow::Cow;

use mq::prelude::*;

#[derive(Serialize, Deserialize, Job)]
struct A<'a> {
    name: Cow<'a, str>,
}

fn main() {}
