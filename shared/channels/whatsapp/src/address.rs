//! Where a message goes: digits, a business-scoped user id or a group; and from which of our numbers, where the account
//! has several.

use std::fmt;

use serde_json::{Map, Value, json};

/// Stands before a group's id.
const GROUP: &str = "group:";

/// Who gets a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Recipient {
    /// A phone number, digits only.
    Phone(String),
    /// A business-scoped user id: `US.13491208655302741918`.
    User(String),
    /// A group.
    Group(String),
}

/// An address as it stands in [`chela_core::message::ReplyAddress::to`]: `15551234567`, `US.1349…` or `group:…`, and
/// after an `@` the id of our number if the account has no number of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Address {
    pub(crate) recipient: Recipient,
    pub(crate) number: Option<String>,
}

impl Address {
    /// Reads an address, also one an owner wrote (`+1 555-123-4567`); `None` if it is none.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (to, number) = match text.rsplit_once('@') {
            // The number's id becomes part of a URL.
            Some((to, number)) if is_digits(number) => (to, Some(number.to_owned())),
            Some(_) => return None,
            None => (text, None),
        };
        let recipient = if let Some(group) = to.strip_prefix(GROUP) {
            Recipient::Group(group.to_owned()).named(group)?
        } else if is_user_id(to) {
            Recipient::User(to.to_owned())
        } else {
            let fit = to.chars().all(|c| c.is_ascii_digit() || matches!(c, '+' | ' ' | '-' | '(' | ')'));
            let phone = digits(to);
            if !fit || phone.is_empty() {
                return None;
            }
            Recipient::Phone(phone)
        };
        Some(Self { recipient, number })
    }
}

impl Recipient {
    fn named(self, id: &str) -> Option<Self> {
        (!id.is_empty()).then_some(self)
    }

    /// The beginning of a message to them.
    pub(crate) fn fields(&self) -> Map<String, Value> {
        let (kind, name, id) = match self {
            Self::Phone(id) => ("individual", "to", id),
            Self::User(id) => ("individual", "recipient", id),
            Self::Group(id) => ("group", "to", id),
        };
        let fields =
            [("messaging_product", json!("whatsapp")), ("recipient_type", json!(kind)), (name, json!(id.as_str()))];
        fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }
}

impl fmt::Display for Address {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.recipient {
            Recipient::Phone(id) | Recipient::User(id) => out.write_str(id)?,
            Recipient::Group(id) => write!(out, "{GROUP}{id}")?,
        }
        self.number.iter().try_for_each(|number| write!(out, "@{number}"))
    }
}

/// The digits in a phone number, however it is written.
pub(crate) fn digits(phone: &str) -> String {
    phone.chars().filter(char::is_ascii_digit).collect()
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Two letters of a country, a dot, and what Meta likes.
fn is_user_id(text: &str) -> bool {
    let Some((country, rest)) = text.split_once('.') else { return false };
    let word = |c: char| c.is_ascii_alphanumeric() || c == '.';
    country.len() == 2 && country.chars().all(|c| c.is_ascii_uppercase()) && !rest.is_empty() && rest.chars().all(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_written_as_they_are_read() {
        for text in ["15551234567", "US.13491208655302741918", "group:Y2FwaV", "15551234567@1065", "group:a@b@7"] {
            assert_eq!(Address::parse(text).unwrap().to_string(), text);
        }
        let owners = Address::parse("+1 (555) 123-4567").unwrap();
        assert_eq!(owners.recipient, Recipient::Phone("15551234567".to_owned()));
    }

    #[test]
    fn what_is_no_address_is_none() {
        for text in ["", "+", "Ada", "group:", "us.134", "USA.1", "US.", "1555@", "1555@../me", "1555@12a", "US.1/2"] {
            assert_eq!(Address::parse(text), None, "{text}");
        }
    }
}
