use mq::prelude::*;

#[derive(Serialize, Deserialize, Job)]
struct A<T> {
    value: T,
}

#[derive(Serialize, Deserialize, Job)]
#[job(producer)]
struct B<T> {
    value: T,
}

fn main() {}
