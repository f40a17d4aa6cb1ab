//! Provisional types; the routing port replaces this file.
use serde::{Deserialize, Serialize};
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AgentId(String);
impl AgentId {
    pub fn new(id: &str) -> Self { Self(id.to_owned()) }
    pub fn as_str(&self) -> &str { &self.0 }
}
