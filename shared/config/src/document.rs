//! One JSON5 text: its values, and where in the text they stand.
//!
//! The `json5` crate is the only reader; it has no spans, but an error raised by a visitor carries the place of the
//! value or key it was visiting. So a place is found by reading the text once more and stopping there: no second
//! parser that might disagree with the first, and places are only paid for when something is wrong.

use std::fmt;

use serde::de::{DeserializeSeed, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, de};
use serde_json::{Map, Number, Value};

use crate::path::{Path, Step};

/// Largest text. Far above any real configuration; small enough to read a few dozen times for its errors.
pub(crate) const MAX_BYTES: usize = 1024 * 1024;

/// Deepest nesting. The reader recurses: without a limit a text of brackets would overflow the stack.
pub(crate) const MAX_DEPTH: usize = 64;

/// A line and a column, both from 1; a column is a character.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) line: usize,
    pub(crate) column: usize,
}

/// A text that is not JSON5.
#[derive(Debug, PartialEq)]
pub(crate) struct Malformed {
    pub(crate) message: String,
    pub(crate) fix: &'static str,
    pub(crate) place: Place,
}

/// What a text says.
#[derive(Debug)]
pub(crate) struct Document {
    pub(crate) value: Value,
    /// Keys that stand in one object twice; the first is taken.
    pub(crate) repeated: Vec<Path>,
}

/// Which end of a path is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// The key itself.
    Key,
    /// The second occurrence of the key.
    SecondKey,
    /// The value behind it.
    Value,
}

/// Reads a text.
pub(crate) fn read(text: &str) -> Result<Document, Malformed> {
    if text.len() > MAX_BYTES {
        return Err(Malformed {
            message: format!("the file has {} bytes, more than the {MAX_BYTES} a configuration may have", text.len()),
            fix: "split it with $include, or move long texts into workspace files",
            place: Place { line: 1, column: 1 },
        });
    }
    json5::from_str(text).map_err(|error| malformed(text, &error))
}

impl<'de> Deserialize<'de> for Document {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let mut repeated = Vec::new();
        let value = Node { path: &mut Path::root(), repeated: &mut repeated }.deserialize(from)?;
        Ok(Self { value, repeated })
    }
}

/// What a text says, before variables are put in and files included; `None` if it cannot be read.
pub fn written(text: &str) -> Option<Value> {
    read(text).ok().map(|document| document.value)
}

/// Where `path` stands in a text that [`read`] could read; the nearest enclosing place if it stands nowhere.
pub(crate) fn locate(text: &str, path: &Path, part: Part) -> Place {
    let mut steps = path.steps();
    loop {
        let whole = steps.len() == path.steps().len();
        let wanted = if whole { part } else { Part::Value };
        let skip = usize::from(wanted == Part::SecondKey);
        let seed = Seek { steps, key: wanted != Part::Value, skip };
        let found = seed.deserialize(&mut json5::Deserializer::from_str(text)).err().and_then(|error| error.position());
        match (found, steps.split_last()) {
            (Some(at), _) => return Place { line: at.line.saturating_add(1), column: at.column.saturating_add(1) },
            (None, Some((_, parents))) => steps = parents,
            (None, None) => return Place { line: 1, column: 1 },
        }
    }
}

fn malformed(text: &str, error: &json5::Error) -> Malformed {
    use json5::ErrorCode as Code;
    let place = error.position().map_or_else(
        || end_of(text),
        |at| Place { line: at.line.saturating_add(1), column: at.column.saturating_add(1) },
    );
    let Some(code) = error.code() else {
        let text = error.to_string();
        let message = text.rsplit_once(" at line ").map_or(text.as_str(), |(message, _)| message).to_owned();
        return Malformed { message, fix: "correct the value", place };
    };
    let (message, fix) = match code {
        // The end of the text has no place of its own: the reader names the object or list it was in.
        Code::EofParsingObject | Code::ExpectedClosingBrace => ("this object is not closed", "add the missing }"),
        Code::EofParsingArray | Code::ExpectedClosingBracket => ("this list is not closed", "add the missing ]"),
        Code::EofParsingString => ("a text is not closed", "add the missing quote"),
        Code::LineTerminatorInString => ("a text ends with its line", "close the quote, or end the line with \\"),
        Code::EofParsingComment | Code::ExpectedComment => ("a comment is not closed", "write // … or /* … */"),
        Code::ExpectedComma => ("a comma is missing before this", "add a comma after the entry before"),
        Code::ExpectedColon => ("a colon is missing after a key", "write key: value"),
        Code::ExpectedIdentifier | Code::InvalidKey | Code::EofParsingIdentifier => {
            ("a key was expected here", "write the key in quotes, or remove the extra comma")
        }
        Code::InvalidEscapeSequence | Code::EofParsingEscapeSequence => {
            ("a text has an escape that JSON5 does not know", "write \\\\ for a backslash")
        }
        Code::TrailingCharacters => ("text follows the end of the configuration", "remove it, or move it inside { }"),
        Code::LeadingZero => ("a number begins with 0", "remove the zero, or write the number in quotes"),
        Code::OverflowParsingNumber => ("a number is too large", "write it in quotes"),
        Code::EofParsingValue => ("a value is missing at the end of the file", "a configuration is at least { }"),
        _ => ("a value was expected here", "write texts in quotes"),
    };
    let inside = matches!(code, Code::EofParsingString | Code::EofParsingComment | Code::EofParsingEscapeSequence);
    Malformed { message: message.to_owned(), fix, place: if inside { end_of(text) } else { place } }
}

fn end_of(text: &str) -> Place {
    let lines = text.split('\n').count();
    let last = text.rsplit('\n').next().unwrap_or_default();
    Place { line: lines, column: last.chars().count().saturating_add(1) }
}

/// Builds a [`Value`], noting keys that come twice.
struct Node<'a> {
    path: &'a mut Path,
    repeated: &'a mut Vec<Path>,
}

impl<'de> DeserializeSeed<'de> for Node<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Value, D::Error> {
        from.deserialize_any(self)
    }
}

impl Node<'_> {
    fn enter<E: de::Error>(&self) -> Result<(), E> {
        if self.path.steps().len() >= MAX_DEPTH {
            return Err(E::custom(format!("the configuration is nested deeper than {MAX_DEPTH} levels")));
        }
        Ok(())
    }
}

impl<'de> Visitor<'de> for Node<'_> {
    type Value = Value;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a value")
    }

    fn visit_unit<E: de::Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("a number is infinite or no number at all"))
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut from: A) -> Result<Value, A::Error> {
        self.enter()?;
        let mut items = Vec::new();
        loop {
            self.path.push(Step::Index(items.len()));
            let node = Node { path: self.path, repeated: self.repeated };
            let item = from.next_element_seed(node)?;
            self.path.pop();
            match item {
                Some(item) => items.push(item),
                None => return Ok(Value::Array(items)),
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut from: A) -> Result<Value, A::Error> {
        self.enter()?;
        let mut entries = Map::new();
        while let Some(key) = from.next_key::<String>()? {
            self.path.push(Step::Key(key.clone()));
            let value = from.next_value_seed(Node { path: self.path, repeated: self.repeated })?;
            if entries.contains_key(&key) {
                self.repeated.push(self.path.clone());
            } else {
                entries.insert(key, value);
            }
            self.path.pop();
        }
        Ok(Value::Object(entries))
    }
}

/// Walks to a path and raises an error there.
#[derive(Clone, Copy)]
struct Seek<'a> {
    steps: &'a [Step],
    /// Stop at the last key instead of its value.
    key: bool,
    /// How many occurrences of the last key to pass over.
    skip: usize,
}

impl<'de> DeserializeSeed<'de> for Seek<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<(), D::Error> {
        from.deserialize_any(self)
    }
}

impl Seek<'_> {
    /// A plain value: the end of the walk, or a path that leads nowhere.
    fn stop<E: de::Error>(self) -> Result<(), E> {
        if self.steps.is_empty() { Err(E::custom("here")) } else { Ok(()) }
    }
}

impl<'de> Visitor<'de> for Seek<'_> {
    type Value = ();

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a value")
    }

    fn visit_unit<E: de::Error>(self) -> Result<(), E> {
        self.stop()
    }

    fn visit_bool<E: de::Error>(self, _: bool) -> Result<(), E> {
        self.stop()
    }

    fn visit_u64<E: de::Error>(self, _: u64) -> Result<(), E> {
        self.stop()
    }

    fn visit_i64<E: de::Error>(self, _: i64) -> Result<(), E> {
        self.stop()
    }

    fn visit_f64<E: de::Error>(self, _: f64) -> Result<(), E> {
        self.stop()
    }

    fn visit_str<E: de::Error>(self, _: &str) -> Result<(), E> {
        self.stop()
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut from: A) -> Result<(), A::Error> {
        let Some((step, rest)) = self.steps.split_first() else { return self.stop() };
        let mut at: usize = 0;
        loop {
            let more = if *step == Step::Index(at) {
                from.next_element_seed(Seek { steps: rest, ..self })?.is_some()
            } else {
                from.next_element::<de::IgnoredAny>()?.is_some()
            };
            if !more {
                return Ok(());
            }
            at = at.saturating_add(1);
        }
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut from: A) -> Result<(), A::Error> {
        let Some((step, rest)) = self.steps.split_first() else { return self.stop() };
        let Step::Key(wanted) = step else { return Ok(()) };
        loop {
            let stop_at_key = self.key && rest.is_empty() && self.skip == 0;
            match from.next_key_seed(KeySeek { wanted, stop: stop_at_key })? {
                None => return Ok(()),
                Some(true) if self.key && rest.is_empty() => {
                    self.skip = self.skip.saturating_sub(1);
                    from.next_value::<de::IgnoredAny>()?;
                }
                Some(true) => from.next_value_seed(Seek { steps: rest, ..self })?,
                Some(false) => {
                    from.next_value::<de::IgnoredAny>()?;
                }
            }
        }
    }
}

struct KeySeek<'a> {
    wanted: &'a str,
    stop: bool,
}

impl<'de> DeserializeSeed<'de> for KeySeek<'_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<bool, D::Error> {
        from.deserialize_str(self)
    }
}

impl Visitor<'_> for KeySeek<'_> {
    type Value = bool;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a key")
    }

    fn visit_str<E: de::Error>(self, key: &str) -> Result<bool, E> {
        if key == self.wanted && self.stop { Err(E::custom("here")) } else { Ok(key == self.wanted) }
    }
}

#[cfg(test)]
mod tests;
