use std::rc::Rc;
use std::sync::Mutex;

use mq::prelude::*;

async fn pause() {}

#[mq::job]
async fn rc_over_await() -> Result<(), String> {
    let rc = Rc::new(1);
    pause().await;
    drop(rc);
    Ok(())
}

#[derive(Serialize, Deserialize, Job)]
#[job(state = Mutex<u32>)]
struct GuardOverAwait;

impl Handler<Mutex<u32>> for GuardOverAwait {
    type Error = String;
    async fn run(self, cx: Context<Mutex<u32>>) -> Result<(), String> {
        let mut guard = cx.state().lock().unwrap();
        pause().await;
        *guard += 1;
        Ok(())
    }
}

fn main() {
    let _ = rc_over_await();
}
