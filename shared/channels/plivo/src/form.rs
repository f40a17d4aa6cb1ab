//! The parameters Plivo posts.

use chela_core::channel::Rejected;
use url::form_urlencoded;

/// Names with their values, in the order of their bytes, as they are signed.
pub(crate) struct Form(Vec<(String, String)>);

impl Form {
    /// Reads a body, or a query. Every text is a form.
    pub(crate) fn read(text: &[u8]) -> Self {
        let mut pairs: Vec<_> = form_urlencoded::parse(text).into_owned().collect();
        pairs.sort();
        Self(pairs)
    }

    /// Names and values as a URL has them, but not escaped.
    pub(crate) fn as_query(&self) -> String {
        self.0.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&")
    }

    /// Names and values one behind another.
    pub(crate) fn run_together(&self) -> String {
        self.0.iter().flat_map(|(name, value)| [name.as_str(), value]).collect()
    }

    /// The same, where a parameter has no value.
    pub(crate) fn without(&self, name: &str) -> Self {
        let blank = |(other, value): &(String, String)| {
            (other.clone(), if other == name { String::new() } else { value.clone() })
        };
        Self(self.0.iter().map(blank).collect())
    }

    /// Whether there are no parameters.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// A parameter that says something; one that stands twice is refused: what was verified must be what is read.
    pub(crate) fn one(&self, name: &str) -> Result<Option<&str>, Rejected> {
        let mut values = self.0.iter().filter(|(other, _)| other == name).map(|(_, value)| value.as_str());
        let value = values.next().filter(|value| !value.is_empty());
        if values.next().is_some() {
            return Err(Rejected::Malformed("a parameter stands twice"));
        }
        Ok(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_signed_in_order_and_as_often_as_they_stand_there() {
        let form = Form::read(b"b=2&a=x+y&b=1&B=3&b=2&c=&%C3%A9=%F0%9F%91%8B");
        assert_eq!(form.run_together(), "B3ax yb1b2b2c\u{e9}\u{1f44b}");
        assert_eq!(form.as_query(), "B=3&a=x y&b=1&b=2&b=2&c=&\u{e9}=\u{1f44b}");
    }

    #[test]
    fn what_stands_twice_is_not_read() {
        let form = Form::read(b"a=1&b=1&b=1&c=");
        assert_eq!(form.one("a"), Ok(Some("1")));
        assert!(form.one("b").is_err());
        assert_eq!((form.one("c"), form.one("d")), (Ok(None), Ok(None)));
        assert!(!form.is_empty() && Form::read(b"").is_empty());
    }
}
