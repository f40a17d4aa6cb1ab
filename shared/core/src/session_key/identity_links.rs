//! Which ids on different channels belong to one person.

use std::fmt;

use schemars::JsonSchema;
use serde::de::{MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::value_text;
use crate::agent_id::{fold, js_trim};

/// A person's name → that person's ids, each `<channel>:<id>` or a bare id for every channel.
///
/// The order is kept because the first person who claims an id gets it.
#[derive(Clone, Debug, Default, PartialEq, Eq, JsonSchema)]
#[schemars(with = "std::collections::BTreeMap<String, Vec<String>>")]
pub struct IdentityLinks(Vec<(String, Vec<String>)>);

impl IdentityLinks {
    /// The name of the person behind a peer id on a channel, if anybody claims it.
    #[must_use]
    pub fn canonical(&self, channel: &str, peer_id: &str) -> Option<&str> {
        let peer_id = js_trim(peer_id);
        if peer_id.is_empty() {
            return None;
        }
        let bare = fold(peer_id);
        // Folded as a whole: how a final sigma folds depends on the letters before it.
        let scoped = fold(&format!("{}:{peer_id}", js_trim(channel)));
        let claims = |id: &String| {
            let id = fold(id);
            id == bare || id == scoped
        };
        self.0
            .iter()
            .find(|(name, ids)| !js_trim(name).is_empty() && ids.iter().any(claims))
            .map(|(name, _)| js_trim(name))
    }

    /// The persons and their ids, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[String])> {
        self.0.iter().map(|(name, ids)| (name.as_str(), ids.as_slice()))
    }
}

impl<N: Into<String>, I: Into<String>, L: IntoIterator<Item = I>> FromIterator<(N, L)> for IdentityLinks {
    fn from_iter<T: IntoIterator<Item = (N, L)>>(people: T) -> Self {
        let mut links = Self::default();
        for (name, ids) in people {
            links.put(name.into(), ids.into_iter().map(Into::into).collect());
        }
        links.in_javascript_order()
    }
}

impl IdentityLinks {
    /// A name written twice keeps its first place and its last ids.
    fn put(&mut self, name: String, ids: Vec<String>) {
        match self.0.iter_mut().find(|(known, _)| *known == name) {
            Some((_, old)) => *old = ids,
            None => self.0.push((name, ids)),
        }
    }

    /// JavaScript lists the keys of an object that are array indexes first, by value. OpenClaw's first match
    /// depends on it.
    fn in_javascript_order(mut self) -> Self {
        self.0.sort_by_key(|(name, _)| array_index(name).unwrap_or(u64::from(u32::MAX)));
        self
    }
}

fn array_index(name: &str) -> Option<u64> {
    let index: u32 = name.parse().ok()?;
    (index.to_string() == name && index != u32::MAX).then_some(u64::from(index))
}

impl Serialize for IdentityLinks {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, ids) in &self.0 {
            map.serialize_entry(name, ids)?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for IdentityLinks {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct People;

        impl<'de> Visitor<'de> for People {
            type Value = IdentityLinks;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map from a person's name to a list of \"channel:id\"")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Self::Value, M::Error> {
                let mut links = IdentityLinks::default();
                while let Some((name, ids)) = map.next_entry::<String, serde_json::Value>()? {
                    links.put(name, ids_of(ids));
                }
                Ok(links.in_javascript_order())
            }
        }

        deserializer.deserialize_map(People)
    }
}

/// As OpenClaw does, a value that is no list claims nothing, and neither does an entry that is no text.
fn ids_of(value: serde_json::Value) -> Vec<String> {
    let serde_json::Value::Array(ids) = value else { return Vec::new() };
    ids.into_iter().filter(serde_json::Value::is_string).filter_map(value_text).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_person_who_claims_an_id_gets_it() {
        let links: IdentityLinks = serde_json::from_str(r#"{"b":["7"],"a":["telegram:7"]}"#).unwrap();
        assert_eq!(links.canonical("telegram", "7"), Some("b"));
        let links: IdentityLinks = serde_json::from_str(r#"{"b":["7"],"2":["7"],"10":["7"]}"#).unwrap();
        assert_eq!(links.canonical("telegram", "7"), Some("2"));
    }

    #[test]
    fn an_id_of_another_channel_is_somebody_else() {
        let links = IdentityLinks::from_iter([("a", ["telegram:7"])]);
        assert_eq!(links.canonical("discord", "7"), None);
        assert_eq!(links.canonical(" Telegram ", " 7 "), Some("a"));
    }

    #[test]
    fn what_is_no_list_claims_nothing() {
        let links: IdentityLinks = serde_json::from_str(r#"{"a":"7","b":null,"c":[7,"8"]}"#).unwrap();
        assert_eq!((links.canonical("x", "7"), links.canonical("x", "8")), (None, Some("c")));
        assert_eq!(serde_json::to_string(&links).unwrap(), r#"{"a":[],"b":[],"c":["8"]}"#);
    }
}
