#[mq::job]
fn double(number: u64) -> Result<u64, String> {
    Ok(number * 2)
}

fn main() {
    let _ = double(2);
}
