//! placeholder
use crate::client::Client;
/// x
#[derive(Debug)]
pub struct Admin {
    client: Client,
}
impl Admin {
    pub(crate) fn new(client: Client) -> Self {
        Self { client }
    }
}
