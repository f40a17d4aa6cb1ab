//! The parameters Twilio posts.

use std::collections::{BTreeMap, BTreeSet};

use chela_core::channel::Rejected;
use url::form_urlencoded;

/// A form: names in the order of their bytes, with their values, each once.
pub(crate) struct Form(BTreeMap<String, BTreeSet<String>>);

impl Form {
    /// Reads a body, or a query. Every text is a form.
    pub(crate) fn read(text: &[u8]) -> Self {
        let mut names: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for (name, value) in form_urlencoded::parse(text) {
            names.entry(name.into_owned()).or_default().insert(value.into_owned());
        }
        Self(names)
    }

    /// Names and values as they are signed.
    pub(crate) fn signed(&self) -> String {
        let pairs = self.0.iter().flat_map(|(name, values)| values.iter().map(move |value| [name.as_str(), value]));
        pairs.flatten().collect()
    }

    /// A parameter that says something; one that says two things is refused: what was verified must be what is read.
    pub(crate) fn one(&self, name: &str) -> Result<Option<&str>, Rejected> {
        let Some(values) = self.0.get(name) else { return Ok(None) };
        let mut values = values.iter();
        let value = values.next().map(String::as_str).filter(|value| !value.is_empty());
        if values.next().is_some() {
            return Err(Rejected::Malformed("a parameter has two values"));
        }
        Ok(value)
    }

    /// Whether there is such a parameter.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_signed_once_each_in_order() {
        let form = Form::read(b"b=2&a=x+y&b=1&B=3&b=2&c=&%C3%A9=%F0%9F%91%8B");
        assert_eq!(form.signed(), "B3ax yb1b2c\u{e9}\u{1f44b}");
    }

    #[test]
    fn two_values_are_none() {
        let form = Form::read(b"a=1&a=1&b=1&b=2&c=");
        assert_eq!(form.one("a"), Ok(Some("1")));
        assert!(form.one("b").is_err());
        assert_eq!((form.one("c"), form.one("d")), (Ok(None), Ok(None)));
        assert!(form.has("c") && !form.has("d"));
    }
}
