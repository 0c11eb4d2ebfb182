use mq::prelude::*;

#[derive(Serialize, Deserialize)]
struct NotAJob {
    id: u64,
}

async fn produce(mq: Client) -> Result<(), mq::EnqueueError> {
    mq.enqueue(NotAJob { id: 7 }).await?;
    Ok(())
}

fn main() {}
