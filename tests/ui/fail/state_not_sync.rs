use std::cell::Cell;

use mq::prelude::*;

#[derive(Serialize, Deserialize, Job)]
#[job(state = Cell<u32>)]
struct A;

impl Handler<Cell<u32>> for A {
    type Error = String;
    async fn run(self, _cx: Context<Cell<u32>>) -> Result<(), String> {
        Ok(())
    }
}

fn main() {}
