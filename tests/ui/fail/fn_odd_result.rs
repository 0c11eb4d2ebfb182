struct Width(u64);

#[mq::job]
async fn double(number: u64) -> Width {
    Width(number * 2)
}

fn main() {
    let _ = double(2);
}
