//! One key of a configuration text changed, everything else left as it was written: comments, order, quotes.
//!
//! There is no second parser for it. Where the value begins is known ([`locate`]); where it ends is found by trying:
//! the first end with which the whole text reads as it should is the right one, and if there is none nothing is changed.

use serde_json::{Map, Value};

use crate::document::{Part, locate, read};
use crate::path::Path;

/// Longest value that is replaced, in bytes: settings that somebody else may change are words and numbers.
const LONGEST: usize = 200;

/// The text with the key at `path` set to `value`, or `None` if that cannot be done without touching anything else: the
/// text cannot be read, a value on the way is no object, or the key stands in an included file. Setting it again changes
/// nothing more.
pub fn edit(text: &str, path: &[String], value: &Value) -> Option<String> {
    let mut wanted = read(text).ok()?.value;
    set(&mut wanted, path, value)?;
    let is_right = |edited: &String| read(edited).is_ok_and(|document| document.value == wanted);
    let keys: Vec<&str> = path.iter().map(String::as_str).collect();
    let there = exists(text, &keys);
    let start = offset(text, keys.get(..there)?)?;
    if there == keys.len() {
        let head = text.get(..start)?;
        let ends = (start..=text.len()).take(LONGEST).filter(|end| text.is_char_boundary(*end));
        let tails = ends.filter_map(|end| text.get(end..));
        return tails.map(|tail| format!("{head}{value}{tail}")).find(is_right);
    }
    let after = start.checked_add(1)?;
    let (head, tail) = (text.get(..after)?, text.get(after..)?);
    let mut rest = keys.get(there..)?.iter().rev();
    let last = *rest.next()?;
    let inner = rest
        .fold(format!("{}: {value}", Value::from(last)), |inner, key| format!("{}: {{ {inner} }}", Value::from(*key)));
    let indent = "  ".repeat(there.checked_add(1)?);
    let edited = [format!("{head}\n{indent}{inner},{tail}"), format!("{head} {inner} {tail}")];
    edited.into_iter().find(is_right)
}

/// How many of the keys lead somewhere.
fn exists(text: &str, keys: &[&str]) -> usize {
    let Ok(document) = read(text) else { return 0 };
    let mut value = &document.value;
    for (depth, key) in keys.iter().enumerate() {
        match value.get(key) {
            Some(inner) => value = inner,
            None => return depth,
        }
    }
    keys.len()
}

/// Where a value begins, in bytes.
fn offset(text: &str, keys: &[&str]) -> Option<usize> {
    let place = locate(text, &Path::of(keys), Part::Value);
    let before: usize = text.split_inclusive('\n').take(place.line.checked_sub(1)?).map(str::len).sum();
    let line = text.get(before..)?;
    let column = line.char_indices().map(|(at, _)| at).nth(place.column.checked_sub(1)?)?;
    before.checked_add(column)
}

fn set(at: &mut Value, path: &[String], value: &Value) -> Option<()> {
    match path.split_first() {
        None => *at = value.clone(),
        Some((key, rest)) => {
            let inner = at.as_object_mut()?.entry(key).or_insert_with(|| Value::Object(Map::new()));
            set(inner, rest, value)?;
        }
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn edited(text: &str, path: &str, value: &Value) -> Option<String> {
        edit(text, &path.split('.').map(str::to_owned).collect::<Vec<_>>(), value)
    }

    #[test]
    fn only_the_value_changes() {
        let text =
            "{\n  // mine\n  channels: {\n    telegram: { groupPolicy: 'open', /* so */ groups: {} },\n  },\n}\n";
        let expected = text.replace("'open'", "\"allowlist\"");
        assert_eq!(edited(text, "channels.telegram.groupPolicy", &json!("allowlist")), Some(expected));
        let number = "{ gateway: { limits: { messagesPerMinute: 0 } } } // end";
        let expected = number.replace("Minute: 0", "Minute: 30");
        assert_eq!(edited(number, "gateway.limits.messagesPerMinute", &json!(30)), Some(expected));
    }

    #[test]
    fn a_missing_key_is_put_in() {
        for text in
            ["{}", "{ }", "{ a: 1 }", "{\n  a: 1,\n  // c\n}", "{ \"channels\": {}, }", "{ channels: { x: 1 } }"]
        {
            let done = edited(text, "channels.slack.requireMention", &json!(true)).unwrap();
            let value: Value = read(&done).unwrap().value;
            assert_eq!(value.pointer("/channels/slack/requireMention"), Some(&json!(true)), "{done}");
            assert_eq!(edited(&done, "channels.slack.requireMention", &json!(true)), Some(done), "twice is once");
        }
    }

    #[test]
    fn what_cannot_be_done_is_left() {
        assert_eq!(edited("{ channels: 7 }", "channels.slack.x", &json!(1)), None);
        assert_eq!(edited("{ channels:", "channels.slack.x", &json!(1)), None);
    }
}
