struct A;

impl A {
    #[mq::job]
    async fn method(self) {}
}

#[mq::job]
async fn generic<T: Send>(value: T) {
    drop(value);
}

#[mq::job]
async fn pattern((left, right): (u64, u64), _: u64) {
    let _ = left + right;
}

#[mq::job]
async fn opaque(text: impl Into<String>) -> Result<impl Sized, String> {
    Ok(text.into())
}

#[mq::job(state = A, output = u64)]
async unsafe fn options(one: mq::Context<A>, two: mq::Context<A>) {}

fn main() {}
