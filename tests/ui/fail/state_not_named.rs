use mq::prelude::*;

struct Db;

#[derive(Serialize, Deserialize, Job)]
struct A;

#[mq::handler]
impl A {
    async fn run(self, _cx: Context<Db>) -> Result<(), String> {
        Ok(())
    }
}

fn main() {}
