use mq::prelude::*;

#[derive(Serialize, Deserialize, Job)]
#[job(timout = "30s", queue = "mail", cron = "0 3 * * *")]
struct A;

impl Handler for A {
    type Error = String;
    async fn run(self, _cx: Context) -> Result<(), String> {
        Ok(())
    }
}

#[derive(Serialize, Deserialize, Job)]
#[job(producer, priority = "hihg")]
#[job(backoff(exponentail, base = "2s", jiter = "full"))]
struct B;

#[mq::job(queu = "mail")]
async fn c() {}

fn main() {
    let _ = c();
}
