//! Whether a text is addressed to us, and the text without the address.

use chela_channel_kit::ConfigProblem;

use crate::BOT_TOKEN;
use crate::update::Entity;

/// Who we are, known without asking: the id is the first part of the token.
#[derive(Debug)]
pub(crate) struct Me {
    pub(crate) id: i64,
    /// Without `@`, as configured.
    pub(crate) username: Option<String>,
}

impl Me {
    pub(crate) fn new(token: &str, username: Option<&str>) -> Result<Self, ConfigProblem> {
        let fit =
            |rest: &str| !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
        let id = token.split_once(':').filter(|(_, rest)| fit(rest)).and_then(|(id, _)| id.parse().ok());
        let id = id.filter(|id| *id > 0).ok_or_else(|| {
            ConfigProblem::secret(
                BOT_TOKEN.key,
                "it does not look like 123456789:AA…",
                format!("copy it again: {}", BOT_TOKEN.doc),
            )
        })?;
        let username = username.map(|name| name.trim().trim_start_matches('@').to_owned());
        Ok(Self { id, username: username.filter(|name| !name.is_empty()) })
    }

    fn is_called(&self, name: &str) -> bool {
        self.username.as_ref().is_some_and(|own| own.eq_ignore_ascii_case(name))
    }
}

/// A text, read.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Addressed {
    /// Without mentions of us, and without our name after a command.
    pub(crate) text: String,
    /// Whether it mentions us or has a command for us by name.
    pub(crate) to_us: bool,
    /// Whether it begins with a command that is not another bot's.
    pub(crate) command: bool,
}

/// Reads a text with its entities. Offsets beyond the text are ignored.
pub(crate) fn read(text: &str, entities: &[Entity], me: &Me) -> Addressed {
    let units: Vec<u16> = text.encode_utf16().collect();
    let mut kept = vec![true; units.len()];
    let mut read = Addressed::default();
    for entity in entities {
        let range = entity.offset..entity.offset.saturating_add(entity.length);
        let Some(slice) = units.get(range.clone()) else { continue };
        let slice = String::from_utf16_lossy(slice);
        let dropped = match entity.kind.as_str() {
            "mention" if slice.strip_prefix('@').is_some_and(|name| me.is_called(name)) => range,
            "text_mention" if entity.user.as_ref().is_some_and(|user| user.id == me.id) => range,
            "bot_command" => {
                let name = slice.split_once('@').map(|(_, name)| name);
                let ours = name.is_some_and(|name| me.is_called(name));
                read.command |= entity.offset == 0 && (ours || name.is_none());
                if !ours {
                    continue;
                }
                let name_units = name.map_or(0, |name| name.encode_utf16().count() + 1);
                range.end.saturating_sub(name_units)..range.end
            }
            _ => continue,
        };
        read.to_us = true;
        drop_units(&mut kept, &units, dropped);
    }
    let left: Vec<u16> = units.iter().zip(&kept).filter(|(_, kept)| **kept).map(|(unit, _)| *unit).collect();
    read.text = String::from_utf16_lossy(&left).trim().to_owned();
    read
}

/// Drops a range, and the space after it where one stands before it too.
fn drop_units(kept: &mut [bool], units: &[u16], range: std::ops::Range<usize>) {
    let is_space = |at: usize| units.get(at) == Some(&u16::from(b' '));
    let spaced = range.start.checked_sub(1).is_none_or(is_space) && is_space(range.end);
    let end = if spaced { range.end + 1 } else { range.end };
    if let Some(dropped) = kept.get_mut(range.start..end) {
        dropped.fill(false);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn me() -> Me {
        Me::new("99:AA", Some("@My_Bot")).unwrap()
    }

    fn seen(text: &str, entities: Value) -> (String, bool, bool) {
        let entities: Vec<Entity> = serde_json::from_value(entities).unwrap();
        let read = read(text, &entities, &me());
        (read.text, read.to_us, read.command)
    }

    fn mention(offset: usize, length: usize) -> Value {
        json!([{"type": "mention", "offset": offset, "length": length}])
    }

    #[test]
    fn a_mention_is_found_in_utf16_units_and_taken_out() {
        assert_eq!(seen("@my_bot status", mention(0, 7)), ("status".into(), true, false));
        assert_eq!(seen("😀 hey @MY_BOT what", mention(7, 7)), ("😀 hey what".into(), true, false));
        assert_eq!(seen("thanks, @my_bot!", mention(8, 7)), ("thanks, !".into(), true, false));
        assert_eq!(seen("@my_bot", mention(0, 7)), (String::new(), true, false));
    }

    #[test]
    fn another_name_is_not_ours() {
        assert_eq!(seen("@my_bot2 hi", mention(0, 8)), ("@my_bot2 hi".into(), false, false));
        assert_eq!(seen("@my_bo hi", mention(0, 6)), ("@my_bo hi".into(), false, false));
        // Text that looks like a mention and is none: no entity, no address.
        assert_eq!(seen("`@my_bot` hi", json!([])), ("`@my_bot` hi".into(), false, false));
        let nameless = Me::new("99:AA", None).unwrap();
        let entities: Vec<Entity> = serde_json::from_value(mention(0, 1)).unwrap();
        assert!(!read("@ hi", &entities, &nameless).to_us);
    }

    #[test]
    fn a_mention_by_id_needs_no_name() {
        let by = |id: i64| json!([{"type": "text_mention", "offset": 3, "length": 5, "user": {"id": id, "is_bot": true, "first_name": "Clawd"}}]);
        assert_eq!(seen("hi Clawd there", by(99)), ("hi there".into(), true, false));
        assert_eq!(seen("hi Clawd there", by(98)), ("hi Clawd there".into(), false, false));
    }

    #[test]
    fn a_command_loses_our_name_and_keeps_anothers() {
        let command = |length: usize| json!([{"type": "bot_command", "offset": 0, "length": length}]);
        assert_eq!(seen("/status@my_bot now", command(14)), ("/status now".into(), true, true));
        assert_eq!(seen("/status now", command(7)), ("/status now".into(), false, true));
        assert_eq!(seen("/status@other_bot now", command(17)), ("/status@other_bot now".into(), false, false));
    }

    #[test]
    fn offsets_that_lie_are_ignored() {
        for (offset, length) in [(0, 99), (99, 1), (usize::MAX, usize::MAX), (1, 7)] {
            assert!(!seen("@my_bot x", mention(offset, length)).1, "{offset} {length}");
        }
        // Half a surrogate pair is no name either.
        assert_eq!(seen("😀", mention(1, 1)), ("😀".into(), false, false));
    }

    #[test]
    fn a_token_tells_our_id_or_is_refused_unseen() {
        assert_eq!(me().id, 99);
        for bad in ["", "99", "99:", ":AA", "x:AA", "-9:AA", "0:AA", "99:A A", "99:AA/../x", "99:é"] {
            let problem = Me::new(bad, None).unwrap_err().to_string();
            assert!(problem.contains("botToken"), "{problem}");
        }
    }
}
