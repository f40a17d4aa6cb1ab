//! The rows of the table: their keys and attributes, and what they weigh. Names are short because they are billed
//! with every row (<https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html>).
//!
//! | row | `pk` | `sk` | attributes |
//! |---|---|---|---|
//! | head | `S#<session>` | `HEAD` | `e` epoch · `o` owner · `l` lease end, ms · `n` last finished turn · `c` event in progress · `a` attempts of it · `r` finished events, `,x,y,` · `i` intents, JSON · `s` settled parts, JSON · `p` preview · `f` forgotten up to · `x` choices, JSON · `g` what was deleted, JSON · `ttl` once nothing else is in the session |
//! | event | `S#<session>` | `E#<event>` | `j` `Accepted`, JSON · `ttl` eight days |
//! | entry | `S#<session>` | `M#<turn>#<step>#…` | `j` `Entry`, JSON |
//! | flag | `FLAGGED` | `S#<session>#<turn>#<part>` | `j` `Flagged`, JSON, left out once it is settled · `ttl` thirty days |
//! | control | `CONTROL#S#<session>` | `CONTROL` | `j` `Control`, JSON · `ttl` fifteen days |
//! | activity | `CHANNELS#ACTIVITY` | `R`, `S` or `F`, `#<channel>#<account>` | `j` what happened last, JSON · `ttl` ninety days |
//! | confirmation | `CHANNELS#D#<idempotency key>` | `CONFIRMED` | `ttl` seven days |
//! | approval | `ACCESS#<channel>#<account>` | `A#<sender>` | – |
//! | pairing | `ACCESS#<channel>#<account>` | `PAIRING` | `j` the requests that wait, JSON · `ttl` their end |
//! | request | `REQUESTS` | `R#<id>` | `j` `Request`, JSON · `w` there while it waits · `ttl` its end and thirty days |
//! | rule | `RULES` | `R#<id>` | `j` `Rule`, JSON, left out once it is forgotten |
//! | record | `AUDIT#<tenant>` | its number | `j` `Record`, JSON |
//! | gate | `SPEND#<tenant>` | `HALT` | `h` there while spending is halted · `v` changes of that |
//! | spending | `SPEND#<tenant>` | `D#<date>` | the gate's · of each scope, named by a letter and its mark: `j` scope, JSON · `t` spent and reserved · `s` spent · `n` calls · `i` `o` `c` `w` tokens · `r<name>` an open reservation · `p` marks of persons · `ttl` ninety days |
//! | rest | `COOLDOWNS` | `P#<credential>` | `j` `Cooldown`, JSON, left out once it works · `ttl` its end and thirty days |
//! | listing | `LIST#A#<agent>`, `LIST#P#<parent session>` | time left at its beginning, `#S#<session>` | `j` `Listing`, JSON |
//! | wishes | `WISHES#S#<session>` | `WISHES` | `j` `Wishes`, JSON |
//! | home | `HOME#<place>` | `HOME` | `j` `Home`, JSON · `ttl` ninety days |
//!
//! Attributes that are empty or zero are left out. Names that are longer than a key may be are replaced by their hash,
//! marked `H#` instead of `S#` (or `~` instead of `#`), so that they meet no other name. Controls, wishes, money and what
//! channels note have partitions of their own so that a role can be limited to them (`dynamodb:LeadingKeys`).

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use chela_core::access::SenderRef;
use chela_core::agent_id::AgentId;
use chela_core::clock::Millis;
use chela_core::directory::Listing;
use chela_core::message::EventKey;
use chela_core::session::{Entry, Flagged, StoreError};
use chela_core::session_key::SessionKey;
use chela_core::spend::Day;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};

/// Longest name that stands in a key as it is: sort keys take 1,024 bytes, and something is added to most.
const NAME_BYTES: usize = 900;

/// Begins the keys of messages left for a running turn.
pub(crate) const LEFT: &str = "LEFT#";

/// The last instant that fifteen digits can tell.
const LAST_MS: u64 = 999_999_999_999_999;

/// A row as the SDK carries it.
pub(crate) type Item = HashMap<String, AttributeValue>;

/// Where a row is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Key {
    pub(crate) pk: String,
    pub(crate) sk: String,
}

impl Key {
    pub(crate) fn head(session: &SessionKey) -> Self {
        Self { pk: session_name(session), sk: "HEAD".to_owned() }
    }

    pub(crate) fn event(session: &SessionKey, event: &EventKey) -> Self {
        Self { pk: session_name(session), sk: name("E#", "E~", event.as_str()) }
    }

    pub(crate) fn entry(session: &SessionKey, entry: &Entry) -> Self {
        let place = entry.place();
        // Only a tool call's id, which a provider chooses, can make a place long.
        let sk = match place.split_once("#J#") {
            Some((step, id)) => format!("{step}{}", name("#J#", "#J~", id)),
            None => place,
        };
        Self { pk: session_name(session), sk }
    }

    pub(crate) fn summary(session: &SessionKey, turn: u64) -> Self {
        Self { pk: session_name(session), sk: Entry::summary_place(turn) }
    }

    pub(crate) fn flag(flagged: &Flagged) -> Self {
        let Flagged { session, turn, part, .. } = flagged;
        Self { pk: FLAGGED.to_owned(), sk: format!("{}#{turn:012}#{part:05}", session_name(session)) }
    }

    pub(crate) fn control(session: &SessionKey) -> Self {
        Self { pk: format!("CONTROL#{}", session_name(session)), sk: "CONTROL".to_owned() }
    }

    /// Beside the control mark, where a webhook may write.
    pub(crate) fn left(session: &SessionKey, accepted_at: Millis, event: &str) -> Self {
        Self { pk: Self::control(session).pk, sk: format!("{LEFT}{:015}#{event}", accepted_at.0) }
    }

    /// The partition of what happened on accounts: three rows for each, read together.
    pub(crate) const ACTIVITY: &str = "CHANNELS#ACTIVITY";

    pub(crate) fn activity(channel: &str, account: &str, kind: &str) -> Self {
        let sk = format!("{kind}#{}", account_name(channel, account));
        Self { pk: Self::ACTIVITY.to_owned(), sk }
    }

    pub(crate) fn confirmation(idempotency_key: &str) -> Self {
        Self { pk: format!("CHANNELS#{}", name("D#", "D~", idempotency_key)), sk: "CONFIRMED".to_owned() }
    }

    pub(crate) fn approval(who: &SenderRef) -> Self {
        Self { pk: account_name(&who.channel, &who.account), sk: name("A#", "A~", &who.sender) }
    }

    pub(crate) fn pairing(channel: &str, account: &str) -> Self {
        Self { pk: account_name(channel, account), sk: "PAIRING".to_owned() }
    }

    /// The partition of all requests for consent.
    pub(crate) const REQUESTS: &str = "REQUESTS";

    pub(crate) fn request(id: &str) -> Self {
        Self { pk: Self::REQUESTS.to_owned(), sk: name("R#", "R~", id) }
    }

    /// The partition of all that is allowed for ever.
    pub(crate) const RULES: &str = "RULES";

    pub(crate) fn rule(id: &str) -> Self {
        Self { pk: Self::RULES.to_owned(), sk: name("R#", "R~", id) }
    }

    /// Numbers sort as texts.
    pub(crate) fn record(tenant: &str, number: u64) -> Self {
        Self { pk: name("AUDIT#", "AUDIT~", tenant), sk: format!("{number:020}") }
    }

    /// What all days of a tenant begin with.
    pub(crate) const DAY: &str = "D";

    pub(crate) fn day(day: &Day) -> Self {
        Self { sk: name("D#", "D~", &day.date), ..Self::gate(&day.tenant) }
    }

    pub(crate) fn gate(tenant: &str) -> Self {
        Self { pk: name("SPEND#", "SPEND~", tenant), sk: "HALT".to_owned() }
    }

    /// The partition of all rests.
    pub(crate) const COOLDOWNS: &str = "COOLDOWNS";

    pub(crate) fn cooldown(profile: &str) -> Self {
        Self { pk: Self::COOLDOWNS.to_owned(), sk: name("P#", "P~", profile) }
    }

    /// The partition of an agent's conversations.
    pub(crate) fn listed(agent: &AgentId) -> String {
        name("LIST#A#", "LIST#A~", agent.as_str())
    }

    /// The partition of the conversations that this one gave work to.
    pub(crate) fn children(parent: &SessionKey) -> String {
        format!("LIST#P#{}", session_name(parent))
    }

    /// Rows are read from the first on, so the newest bears the least number.
    pub(crate) fn listing(partition: String, listing: &Listing) -> Self {
        let left = LAST_MS.saturating_sub(listing.began.0);
        Self { pk: partition, sk: format!("{left:015}#{}", session_name(&listing.session)) }
    }

    pub(crate) fn wishes(session: &SessionKey) -> Self {
        Self { pk: format!("WISHES#{}", session_name(session)), sk: "WISHES".to_owned() }
    }

    pub(crate) fn home(place: &str) -> Self {
        Self { pk: name("HOME#", "HOME~", place), sk: "HOME".to_owned() }
    }

    /// The key's two attributes, to put others beside.
    pub(crate) fn item(&self) -> Item {
        Item::from([("pk".to_owned(), text(&self.pk)), ("sk".to_owned(), text(&self.sk))])
    }
}

/// The partition of all flags: they are few, and read together.
pub(crate) const FLAGGED: &str = "FLAGGED";

/// The partition of a session.
pub(crate) fn session_name(session: &SessionKey) -> String {
    name("S#", "H#", session.as_str())
}

fn account_name(channel: &str, account: &str) -> String {
    // No other channel and account together give the same text.
    let channel = channel.replace('%', "%25").replace('#', "%23");
    format!("ACCESS#{}", name("", "~", &format!("{channel}#{account}")))
}

/// `name` after `mark`; if it is too long, its hash after `hashed`.
fn name(mark: &str, hashed: &str, name: &str) -> String {
    if name.len() <= NAME_BYTES {
        format!("{mark}{name}")
    } else {
        format!("{hashed}{}", hex::encode(Sha256::digest(name.as_bytes())))
    }
}

pub(crate) fn text(value: impl Into<String>) -> AttributeValue {
    AttributeValue::S(value.into())
}

pub(crate) fn number(value: u64) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

/// The bytes DynamoDB counts for a row: names and values, numbers by their digits.
pub(crate) fn size(item: &Item) -> usize {
    item.iter().map(|(name, value)| name.len().saturating_add(value_size(value))).sum()
}

fn value_size(value: &AttributeValue) -> usize {
    match value {
        AttributeValue::N(digits) => digits.len().div_ceil(2).saturating_add(1),
        AttributeValue::S(text) => text.len(),
        // Rows here have no others.
        _ => 0,
    }
}

/// Reads the attributes of a stored row; what it cannot read it names.
pub(crate) struct Row<'a>(pub(crate) &'a Item);

impl Row<'_> {
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).and_then(|value| value.as_s().ok()).map(String::as_str)
    }

    /// A number; 0 if it was left out.
    pub(crate) fn number(&self, name: &str) -> Result<u64, StoreError> {
        match self.0.get(name) {
            None => Ok(0),
            Some(AttributeValue::N(digits)) => digits.parse().map_err(|_| self.damaged(name)),
            Some(_) => Err(self.damaged(name)),
        }
    }

    /// What the JSON of an attribute says; `None` if it was left out.
    pub(crate) fn json<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, StoreError> {
        let Some(json) = self.text(name) else { return Ok(None) };
        serde_json::from_str(json).map(Some).map_err(|_| self.damaged(name))
    }

    /// What the row says in `j`, as most rows do.
    pub(crate) fn body<T: DeserializeOwned>(&self) -> Result<T, StoreError> {
        self.json("j")?.ok_or_else(|| self.damaged("j"))
    }

    pub(crate) fn damaged(&self, name: &str) -> StoreError {
        let (pk, sk) = (self.text("pk").unwrap_or_default(), self.text("sk").unwrap_or_default());
        StoreError::Damaged(format!("attribute \"{name}\" of pk \"{pk}\", sk \"{sk}\""))
    }
}

#[cfg(test)]
mod tests {
    use chela_core::clock::Millis;
    use chela_core::model::Block;
    use chela_core::session::EntryBody;

    use super::*;

    fn session(name: &str) -> SessionKey {
        SessionKey::from_stored(name)
    }

    fn done(id: &str) -> Entry {
        let result = Block::ToolResult { id: id.into(), text: String::new(), is_error: false, files: vec![] };
        Entry { turn: 1, step: 0, at: Millis(1), body: EntryBody::ToolDone { result } }
    }

    fn flagged(session: SessionKey, turn: u64, part: u16) -> Flagged {
        let event = EventKey::of("telegram", "main", "1");
        Flagged { session, turn, part, event, at: Millis(1), reason: String::new(), sending: false }
    }

    #[test]
    fn long_names_stay_within_a_key_and_apart() {
        let long = "x".repeat(5000);
        let keys = [
            Key::head(&session(&long)),
            Key::head(&session(&format!("{long}y"))),
            Key::head(&session(&Key::head(&session(&long)).pk)),
            Key::entry(&session("a"), &done(&long)),
            Key::entry(&session("a"), &done(&format!("{long}y"))),
            Key::flag(&flagged(session(&long), 1, 0)),
            Key::flag(&flagged(session(&"x".repeat(NAME_BYTES)), u64::MAX, u16::MAX)),
            Key::control(&session(&long)),
            Key::approval(&SenderRef { channel: long.clone(), account: long.clone(), sender: long.clone() }),
            Key::gate(&long),
            Key::request(&long),
            Key::rule(&long),
            Key::record(&long, u64::MAX),
            Key::day(&Day { tenant: long.clone(), date: long.clone() }),
            Key::cooldown(&long),
            Key::listing(Key::children(&session(&long)), &listing(&long, 0)),
            Key::wishes(&session(&long)),
        ];
        for key in &keys {
            assert!(key.pk.len() <= 2048 && key.sk.len() <= 1024, "{key:?}");
        }
        let apart: std::collections::BTreeSet<_> = keys.iter().map(|key| (&key.pk, &key.sk)).collect();
        assert_eq!(apart.len(), keys.len());
    }

    fn listing(name: &str, began: u64) -> Listing {
        let (session, agent) = (session(name), AgentId::new("main"));
        Listing { session, agent, label: None, parent: None, began: Millis(began), ended: None }
    }

    #[test]
    fn the_newest_listing_comes_first() {
        let key = |began| Key::listing(Key::listed(&AgentId::new("main")), &listing("a", began)).sk;
        assert!(key(u64::MAX) == key(LAST_MS) && key(LAST_MS) < key(1_795_219_200_001));
        assert!(key(1_795_219_200_001) < key(1_795_219_200_000) && key(1_795_219_200_000) < key(0));
    }

    #[test]
    fn an_account_is_not_part_of_a_channel() {
        let names = [("a", "b#c"), ("a#b", "c"), ("a%23b", "c"), ("a", "b%23c")];
        let apart: std::collections::BTreeSet<_> = names.iter().map(|(c, a)| account_name(c, a)).collect();
        assert_eq!(apart.len(), names.len());
        assert_eq!(account_name("telegram", "main"), "ACCESS#telegram#main");
    }

    #[test]
    fn a_damaged_row_is_named() {
        let mut item = Key::head(&session("a")).item();
        item.insert("e".into(), text("one"));
        let error = Row(&item).number("e").unwrap_err();
        assert_eq!(error.to_string(), r#"a stored row is damaged: attribute "e" of pk "S#a", sk "HEAD""#);
        item.insert("j".into(), text("{"));
        assert!(matches!(Row(&item).body::<Flagged>(), Err(StoreError::Damaged(_))));
    }
}
