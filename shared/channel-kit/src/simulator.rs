//! A platform as tests and `chela invoke` play it: it signs a body the way the platform does.

use std::collections::BTreeMap;

use chela_core::clock::Millis;
use chela_core::secret::Secret;
use http::{HeaderMap, Method};
use serde_json::Value;

/// What a channel gives to those who play its platform. Each channel has one behind its feature `simulator`, so that
/// nothing deployed can sign in a platform's name.
#[derive(Clone, Debug)]
pub struct Simulator {
    /// The channel.
    pub channel: &'static str,
    /// The public secrets that the samples in `events/` are signed with, by key: pairs of key and value.
    pub secrets: &'static [(&'static str, &'static str)],
    /// The method of the platform's posts: POST, but for Matrix.
    pub method: Method,
    /// What follows the account in their path, see [`chela_core::channel::RawRequest::path`]: nothing, but for Matrix.
    pub path: &'static str,
    /// The options of the account the samples are for, when the platform's API is at this base URL.
    pub options: fn(url: &str) -> Value,
    /// The headers under which the platform would post `body` at this time, the content type among them. The same body
    /// is the same event, whenever it is signed.
    pub sign_sample: fn(body: &[u8], secrets: &BTreeMap<String, Secret>, now: Millis) -> HeaderMap,
}

impl Simulator {
    /// The public test secrets as an account has them.
    pub fn test_secrets(&self) -> BTreeMap<String, Secret> {
        self.secrets.iter().map(|(key, value)| ((*key).to_owned(), Secret::new(*value))).collect()
    }
}
