#[mq::job]
async fn double(number: u64) -> u64 {
    number * 2
}

fn main() {
    let _ = double(2);
}
