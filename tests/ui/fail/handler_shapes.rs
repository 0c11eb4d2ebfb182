use mq::prelude::*;

#[derive(Serialize, Deserialize, Job)]
struct A;

#[mq::handler]
impl A {
    fn run(&self, times: u64) -> Result<(), String> {
        Ok(())
    }

    fn helper(&self) {}
}

#[derive(Serialize, Deserialize, Job)]
struct B;

#[mq::handler]
impl Handler for B {
    type Error = String;
    async fn run(self, _cx: Context) -> Result<(), String> {
        Ok(())
    }
}

#[derive(Serialize, Deserialize, Job)]
struct C;

#[mq::handler]
impl C {}

#[derive(Serialize, Deserialize, Job)]
struct D;

#[mq::handler(sate = u64)]
impl D {
    async fn run(self, _cx: &Context) {}
}

fn main() {}
