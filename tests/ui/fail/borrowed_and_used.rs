use mq::prelude::*;

#[derive(Serialize, Deserialize, Job)]
struct A<'a> {
    name: &'a str,
}

impl Handler for A<'_> {
    type Error = String;
    async fn run(self, _cx: Context) -> Result<(), String> {
        println!("{}", self.name);
        Ok(())
    }
}

async fn produce(mq: Client) -> Result<(), mq::EnqueueError> {
    mq.enqueue(A { name: "a" }).await?;
    Ok(())
}

fn main() {}
