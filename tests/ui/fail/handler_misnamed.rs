use mq::prelude::*;

#[derive(Serialize, Deserialize, Job)]
struct A;

#[mq::handler]
impl A {
    async fn perform(self, _cx: Context) -> Result<(), String> {
        Ok(())
    }
}

fn main() {}
