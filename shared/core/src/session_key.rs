//! Provisional types; the routing port replaces this file.
use serde::{Deserialize, Serialize};
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SessionKey(String);
impl SessionKey {
    pub fn new(key: impl Into<String>) -> Self { Self(key.into()) }
    pub fn as_str(&self) -> &str { &self.0 }
    pub fn queue_group(&self) -> String { self.0.clone() }
}
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PeerKind { Direct, Group, Channel }
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Peer { pub kind: PeerKind, pub id: String }
