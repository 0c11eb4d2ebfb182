use mq::prelude::*;

#[derive(Serialize, Deserialize, Job)]
struct A;

#[mq::handler]
impl A {
    async fn run(self) -> Option<()> {
        None
    }
}

fn main() {}
