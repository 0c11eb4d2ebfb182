use mq::prelude::*;

#[derive(Job)]
struct A {
    id: u64,
}

impl Handler for A {
    type Error = String;
    async fn run(self, _cx: Context) -> Result<(), String> {
        let _ = self.id;
        Ok(())
    }
}

async fn produce(mq: Client) -> Result<(), mq::EnqueueError> {
    mq.enqueue(A { id: 7 }).await?;
    Ok(())
}

#[derive(Serialize, Job)]
#[job(producer)]
struct B;

fn main() {}
