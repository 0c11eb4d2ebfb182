use mq::prelude::*;

#[derive(Debug)]
struct MyErr;

#[derive(Serialize, Deserialize, Job)]
struct A;

impl Handler for A {
    type Error = MyErr;
    async fn run(self, _cx: Context) -> Result<(), MyErr> {
        Err(MyErr)
    }
}

#[derive(Serialize, Deserialize, Job)]
struct B;

#[mq::handler]
impl B {
    async fn run(self) -> Result<(), MyErr> {
        Err(MyErr)
    }
}

#[mq::job]
async fn c() -> Result<(), MyErr> {
    Err(MyErr)
}

fn main() {
    let _ = c();
}
