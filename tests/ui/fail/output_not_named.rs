use mq::prelude::*;

#[derive(Serialize, Deserialize, Job)]
struct A;

#[mq::handler]
impl A {
    async fn run(self) -> Result<u64, String> {
        Ok(7)
    }
}

fn main() {}
