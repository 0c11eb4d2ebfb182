use mq::prelude::*;

struct App;

#[derive(Serialize, Deserialize, Job)]
#[job(state = App)]
struct A;

#[mq::handler]
impl A {
    async fn perform(self, _cx: Context<App>) -> Result<(), String> {
        Ok(())
    }
}

fn main() {}
