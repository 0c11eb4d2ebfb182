use std::borrow::Cow;

#[mq::job]
async fn greet(name: &str) -> Result<(), String> {
    println!("{name}");
    Ok(())
}

#[mq::job]
async fn greet_all<'a>(names: Vec<&'a str>, _title: Cow<'_, str>) {
    println!("{names:?}");
}

#[mq::job]
async fn look(cx: &mq::Context<String>) {
    println!("{cx:?}");
}

fn main() {
    let _ = greet("a");
}
