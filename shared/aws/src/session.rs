//! Sessions as rows of the table. A claim, a save, an accepted event and an entry are one request each; a plain turn
//! writes five rows of at most 1 KB.

use async_trait::async_trait;
use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::{ReturnValue, ReturnValuesOnConditionCheckFailure};
use chela_core::clock::Millis;
use chela_core::message::EventKey;
use chela_core::queue::Envelope;
use chela_core::session::{
    Accepted, Claim, Claimed, Control, Entry, Fence, Flagged, Head, Put, SessionStore, StoreError,
};
use chela_core::session_key::SessionKey;
use serde::de::value::Error as ValueError;
use serde::de::{DeserializeOwned, IntoDeserializer};
use serde::{Deserialize, Serialize};

use crate::item::{FLAGGED, Item, Key, Row, number, session_name, size, text};
use crate::table::{Table, Written};

const DAY_S: u64 = 24 * 60 * 60;

/// Longer than any platform repeats an event (WhatsApp: seven days).
const EVENT_KEPT_S: u64 = 8 * DAY_S;

/// Longer than a queue keeps a message (fourteen days), so that no turn can miss a mark meant for it:
/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html>
const CONTROL_KEPT_S: u64 = 15 * DAY_S;

/// Messages left for a running turn: longer than any turn runs.
const LEFT_KEPT_S: u64 = 60 * 60;

/// How long the owner has to decide about a reply.
const FLAG_KEPT_S: u64 = 30 * DAY_S;

/// Largest row. DynamoDB takes 400 KB, names and overhead included; larger ones are refused, not spilled: a turn cuts
/// what it stores to [`chela_core::turn::ROW_BYTES`], and no model would read more.
/// <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html>
const ROW_BYTES: usize = 350 * 1024;

/// Takes the session if nobody else holds it and the event is not finished.
const CLAIM: &str = "SET o = :me, l = :until, e = if_not_exists(e, :zero) + :one, \
    a = if_not_exists(a, :zero) + :one, c = if_not_exists(c, :event) REMOVE #ttl";
const CLAIMABLE: &str = "(attribute_not_exists(l) OR l <= :now OR o = :me) AND NOT contains(r, :finished)";

#[async_trait]
impl SessionStore for Table {
    async fn claim(&self, key: &SessionKey, claim: &Claim<'_>) -> Result<Claimed, StoreError> {
        let Key { pk, sk } = Key::head(key);
        let update = self
            .client
            .update_item()
            .table_name(&self.name)
            .key("pk", text(pk))
            .key("sk", text(sk))
            .update_expression(CLAIM)
            .condition_expression(CLAIMABLE)
            .expression_attribute_names("#ttl", "ttl")
            .expression_attribute_values(":me", text(claim.owner))
            .expression_attribute_values(":now", number(claim.now.0))
            .expression_attribute_values(":until", number(claim.until.0))
            .expression_attribute_values(":event", text(claim.event.as_str()))
            .expression_attribute_values(":finished", text(format!(",{},", claim.event.short())))
            .expression_attribute_values(":zero", number(0))
            .expression_attribute_values(":one", number(1))
            .return_values(ReturnValue::AllNew)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        let error = match update.send().await {
            Ok(answer) => return decode_head(&answer.attributes.unwrap_or_default()).map(Claimed::Held),
            Err(error) => error,
        };
        match error.as_service_error() {
            Some(UpdateItemError::ConditionalCheckFailedException(refusal)) => {
                let head = refusal.item().map(decode_head).transpose()?.unwrap_or_default();
                let finished = head.finished(claim.event);
                Ok(if finished { Claimed::Finished } else { Claimed::Busy { until: head.lease_until } })
            }
            _ => Err(self.failed(&error)),
        }
    }

    async fn save(&self, key: &SessionKey, head: &Head, fence: &Fence<'_>) -> Result<(), StoreError> {
        let values = Item::from([
            (":epoch".to_owned(), number(fence.epoch)),
            (":owner".to_owned(), text(fence.owner)),
            (":reaches".to_owned(), number(fence.lease_reaches.0)),
            (":revision".to_owned(), number(head.revision)),
        ]);
        let fenced = "e = :epoch AND o = :owner AND l >= :reaches AND (attribute_not_exists(v) OR v <= :revision)";
        match self.put_if(encode_head(key, head)?, fenced, values).await? {
            Written::Done => Ok(()),
            // A repetition of a save that released the session (the first answer was lost) finds its own work: nobody
            // else can have written this head, because every claim changes the epoch.
            Written::Refused(Some(stored)) if head.owner != fence.owner && decode_head(&stored)? == *head => Ok(()),
            Written::Refused(_) => Err(StoreError::Fenced),
        }
    }

    async fn head(&self, key: &SessionKey) -> Result<Option<Head>, StoreError> {
        self.get(&Key::head(key)).await?.as_ref().map(decode_head).transpose()
    }

    async fn accept(&self, key: &SessionKey, accepted: &Accepted) -> Result<Put<Accepted>, StoreError> {
        let mut item = encode(&Key::event(key, &accepted.event), accepted)?;
        item.insert("ttl".to_owned(), expires(accepted.at, EVENT_KEPT_S));
        self.put_first(item).await
    }

    async fn accepted(&self, key: &SessionKey, event: &EventKey) -> Result<Option<Accepted>, StoreError> {
        self.get(&Key::event(key, event)).await?.map(|item| Row(&item).body()).transpose()
    }

    async fn append(&self, key: &SessionKey, entry: &Entry) -> Result<Put<Entry>, StoreError> {
        self.put_first(encode(&Key::entry(key, entry), entry)?).await
    }

    async fn summary(&self, key: &SessionKey, turn: u64) -> Result<Option<Entry>, StoreError> {
        self.get(&Key::summary(key, turn)).await?.map(|item| Row(&item).body()).transpose()
    }

    async fn history(&self, key: &SessionKey, after_turn: u64, limit: usize) -> Result<Vec<Entry>, StoreError> {
        let query = self
            .client
            .query()
            .table_name(&self.name)
            .key_condition_expression("pk = :pk AND sk BETWEEN :first AND :last")
            .expression_attribute_values(":pk", text(session_name(key)))
            .expression_attribute_values(":first", text(Entry::turn_place(after_turn.saturating_add(1))))
            // '$' comes right after '#': the end of all places.
            .expression_attribute_values(":last", text("M$"))
            .scan_index_forward(false)
            .consistent_read(true);
        let mut newest_first: Vec<Entry> = Vec::new();
        let mut from = None;
        while newest_first.len() < limit {
            let missing = limit.saturating_sub(newest_first.len());
            let page = query
                .clone()
                .limit(i32::try_from(missing).unwrap_or(i32::MAX))
                .set_exclusive_start_key(from)
                .send()
                .await
                .map_err(|error| self.failed(&error))?;
            for item in page.items() {
                newest_first.push(Row(item).body()?);
            }
            from = page.last_evaluated_key;
            if from.is_none() {
                break;
            }
        }
        newest_first.reverse();
        Ok(newest_first)
    }

    async fn turn(&self, key: &SessionKey, turn: u64) -> Result<Vec<Entry>, StoreError> {
        let place = Entry::turn_place(turn);
        let query = self
            .client
            .query()
            .table_name(&self.name)
            .key_condition_expression("pk = :pk AND begins_with(sk, :turn)")
            .expression_attribute_values(":pk", text(session_name(key)))
            .expression_attribute_values(":turn", text(format!("{place}#")))
            .consistent_read(true);
        self.bodies(query).await
    }

    async fn flag(&self, flagged: &Flagged) -> Result<(), StoreError> {
        // What is there already is this flag, or that it was settled.
        self.put_if(encode_flag(flagged)?, "attribute_not_exists(pk)", Item::new()).await.map(drop)
    }

    async fn flagged(&self, limit: usize) -> Result<Vec<Flagged>, StoreError> {
        // Rows lie by what was flagged, so that flagging twice is one row; their order in time is made here. There
        // are few: each is a reply somebody must look at, and none is older than thirty days.
        let query = self
            .client
            .query()
            .table_name(&self.name)
            .key_condition_expression("pk = :pk")
            .filter_expression("attribute_exists(j)")
            .expression_attribute_values(":pk", text(FLAGGED))
            .consistent_read(true);
        let mut flags: Vec<Flagged> = self.bodies(query).await?;
        flags.sort_by_key(|flag| std::cmp::Reverse(flag.at));
        flags.truncate(limit);
        Ok(flags)
    }

    async fn change_flag(&self, seen: &Flagged, becomes: Option<&Flagged>) -> Result<bool, StoreError> {
        let item = match becomes {
            Some(flagged) => encode_flag(flagged)?,
            // A row that is settled stays, empty, so that an attempt that comes too late cannot flag it anew; and no
            // role needs to delete rows.
            None => Item::from([("ttl".to_owned(), expires(seen.at, FLAG_KEPT_S))])
                .into_iter()
                .chain(Key::flag(seen).item())
                .collect(),
        };
        let values = Item::from([(":seen".to_owned(), text(json(seen)?))]);
        Ok(matches!(self.put_if(item, "j = :seen", values).await?, Written::Done))
    }

    async fn set_control(&self, key: &SessionKey, control: &Control) -> Result<(), StoreError> {
        let mut item = encode(&Key::control(key), control)?;
        item.insert("ttl".to_owned(), expires(control.stop_before, CONTROL_KEPT_S));
        self.put(item).await
    }

    async fn control(&self, key: &SessionKey) -> Result<Option<Control>, StoreError> {
        self.get(&Key::control(key)).await?.map(|item| Row(&item).body()).transpose()
    }

    async fn leave(&self, envelope: &Envelope) -> Result<(), StoreError> {
        let key = Key::left(&envelope.session, envelope.accepted_at, envelope.event.short());
        let mut item = encode(&key, envelope)?;
        item.insert("ttl".to_owned(), expires(envelope.accepted_at, LEFT_KEPT_S));
        self.put(item).await
    }

    async fn left(&self, key: &SessionKey, since: Millis, limit: usize) -> Result<Vec<Envelope>, StoreError> {
        let (first, last) = (Key::left(key, since.plus(1), ""), Key::left(key, Millis(999_999_999_999_999), "~"));
        let query = self
            .client
            .query()
            .table_name(&self.name)
            .key_condition_expression("pk = :pk AND sk BETWEEN :first AND :last")
            .expression_attribute_values(":pk", text(first.pk))
            .expression_attribute_values(":first", text(first.sk))
            .expression_attribute_values(":last", text(last.sk))
            .limit(i32::try_from(limit).unwrap_or(i32::MAX))
            .consistent_read(true);
        let page = query.send().await.map_err(|error| self.failed(&error))?;
        page.items().iter().map(|item| Row(item).body()).collect()
    }
}

impl Table {
    pub(crate) async fn put_first<T: DeserializeOwned>(&self, item: Item) -> Result<Put<T>, StoreError> {
        match self.put_if(item, "attribute_not_exists(pk)", Item::new()).await? {
            Written::Done => Ok(Put::Stored),
            Written::Refused(Some(theirs)) => Row(&theirs).body().map(Put::Exists),
            Written::Refused(None) => Err(StoreError::Unavailable("the row that was in the way is gone".to_owned())),
        }
    }

    /// The values of all rows of a query.
    pub(crate) async fn bodies<T: DeserializeOwned>(&self, query: QueryFluentBuilder) -> Result<Vec<T>, StoreError> {
        self.rows(query).await?.iter().map(|item| Row(item).body()).collect()
    }
}

fn encode_flag(flagged: &Flagged) -> Result<Item, StoreError> {
    let mut item = encode(&Key::flag(flagged), flagged)?;
    item.insert("ttl".to_owned(), expires(flagged.at, FLAG_KEPT_S));
    Ok(item)
}

fn expires(at: Millis, kept_s: u64) -> aws_sdk_dynamodb::types::AttributeValue {
    number(at.seconds().saturating_add(kept_s))
}

/// A row that is its value's JSON.
pub(crate) fn encode<T: Serialize>(key: &Key, value: &T) -> Result<Item, StoreError> {
    let mut item = key.item();
    item.insert("j".to_owned(), text(json(value)?));
    fitting(key, item)
}

fn fitting(key: &Key, item: Item) -> Result<Item, StoreError> {
    let bytes = size(&item);
    if bytes > ROW_BYTES {
        return Err(StoreError::Full(format!(
            "row {} of {} has {bytes} bytes, and DynamoDB takes no more than {ROW_BYTES}; shorten what the turn stores",
            key.sk, key.pk
        )));
    }
    Ok(item)
}

pub(crate) fn json<T: Serialize>(value: &T) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|error| StoreError::Damaged(format!("a value cannot be stored: {error}")))
}

fn encode_head(session: &SessionKey, head: &Head) -> Result<Item, StoreError> {
    // Every field by name, so that a new one cannot be forgotten.
    let Head {
        revision,
        epoch,
        owner,
        lease_until,
        last_turn,
        current,
        attempts,
        intents,
        settled,
        preview,
        forgotten,
        plain,
        recent,
        choices,
        erased,
    } = head;
    let key = Key::head(session);
    let mut item = key.item();
    let mut set = |name: &str, value| item.insert(name.to_owned(), value);
    set("e", number(*epoch));
    // Always there, because the fence compares it.
    set("l", number(lease_until.0));
    if !owner.is_empty() {
        set("o", text(owner));
    }
    if *revision > 0 {
        set("v", number(*revision));
    }
    if *last_turn > 0 {
        set("n", number(*last_turn));
    }
    // Without a turn in progress there are no attempts of one: the next claim counts from 1.
    if let Some(event) = current {
        set("c", text(event.as_str()));
        set("a", number(u64::from(*attempts)));
    }
    if !intents.is_empty() {
        set("i", text(json(intents)?));
    }
    if !settled.is_empty() {
        set("s", text(json(settled)?));
    }
    if let Some(message) = preview {
        set("p", text(message));
    }
    if *forgotten > 0 {
        set("f", number(*forgotten));
    }
    if *plain > 0 {
        set("t", number(*plain));
    }
    if !recent.is_empty() {
        set("r", text(format!(",{},", recent.join(","))));
    }
    if !choices.is_none() {
        set("x", text(json(choices)?));
    }
    if !erased.is_empty() {
        set("g", text(json(erased)?));
    }
    if let Some(at) = head.expires() {
        set("ttl", expires(at, 0));
    }
    fitting(&key, item)
}

fn event_key(stored: &str) -> Option<EventKey> {
    EventKey::deserialize(IntoDeserializer::<ValueError>::into_deserializer(stored)).ok()
}

fn decode_head(item: &Item) -> Result<Head, StoreError> {
    let row = Row(item);
    let recent = row.text("r").unwrap_or_default().split(',').filter(|event| !event.is_empty());
    Ok(Head {
        epoch: row.number("e")?,
        owner: row.text("o").unwrap_or_default().to_owned(),
        lease_until: Millis(row.number("l")?),
        revision: row.number("v")?,
        last_turn: row.number("n")?,
        current: row.text("c").and_then(event_key),
        attempts: u32::try_from(row.number("a")?).unwrap_or(u32::MAX),
        intents: row.json("i")?.unwrap_or_default(),
        settled: row.json("s")?.unwrap_or_default(),
        preview: row.text("p").map(str::to_owned),
        forgotten: row.number("f")?,
        plain: row.number("t")?,
        recent: recent.map(str::to_owned).collect(),
        choices: row.json("x")?.unwrap_or_default(),
        erased: row.json("g")?.unwrap_or_default(),
    })
}

#[cfg(test)]
mod tests {
    use chela_core::erasure::Erased;
    use chela_core::model::{Block, Usage};
    use chela_core::queue::{Authority, Standing, Task};
    use chela_core::session::{AssistantEntry, Choices, EntryBody, Intent, Settled, UsageFooter, UserFragment};
    use chela_core::turn::fit_entry;
    use serde_json::json;

    use super::*;

    const NOW: Millis = Millis(1_795_219_200_000);

    fn session() -> SessionKey {
        SessionKey::from_stored("agent:main:telegram:main:direct:123456789")
    }

    fn event(n: usize) -> EventKey {
        EventKey::of("telegram", "main", &n.to_string())
    }

    /// A head after thousands of turns, held, with everything it remembers.
    fn busy_head() -> Head {
        Head {
            plain: 3,
            revision: 12,
            epoch: 1_234_567,
            owner: "0190f3a2c4e87b6d9a1b2c3d4e5f6a7b".into(),
            lease_until: NOW.plus(150_000),
            last_turn: 123_456,
            current: Some(event(0)),
            attempts: 1,
            intents: vec![Intent::Send { part: 0 }],
            settled: vec![Settled::Sent { id: "1700000000.000100".into() }],
            preview: Some("1700000000.000100".into()),
            forgotten: 123_000,
            recent: (0..chela_core::session::RECENT_EVENTS).map(|n| event(n).short().to_owned()).collect(),
            choices: Choices {
                model: Some("anthropic/claude-sonnet-4-5-20250929".into()),
                usage: Some(UsageFooter::Tokens),
                profile: Some("anthropic:default".into()),
                ..Choices::default()
            },
            erased: vec![Erased { at: NOW, turn: 123_000, who: Some("0123456789abcdef".into()) }],
        }
    }

    #[test]
    fn a_head_comes_back_as_it_was() {
        for head in [busy_head(), Head { epoch: 1, ..Head::default() }] {
            assert_eq!(decode_head(&encode_head(&session(), &head).unwrap()).unwrap(), head);
        }
    }

    /// A write is billed for each begun kilobyte.
    #[test]
    fn each_of_the_five_writes_of_a_plain_turn_is_under_one_kilobyte() {
        let text = "Could you remind me to call the dentist tomorrow morning, and tell me what the weather will be?";
        let inbound = json!({
            "channel": "telegram", "account": "main", "event_id": "987654321",
            "peer": {"kind": "direct", "id": "123456789"}, "sender": {"id": "123456789", "name": "Ada Lovelace"},
            "text": text, "kind": "message", "addressed": true, "sent_at": NOW,
            "reply_to": {"channel": "telegram", "account": "main", "to": "123456789", "message": "4711"},
        });
        let inbound = Box::new(serde_json::from_value(inbound).unwrap());
        let task = Task::Message { inbound, standing: Standing::Allowed, authority: Authority::Owner };
        let accepted = Accepted { event: event(0), turn: 123_457, at: NOW, task: Some(task) };
        let user = UserFragment {
            event: None,
            sender: "123456789".into(),
            name: Some("Ada Lovelace".into()),
            text: text.into(),
            authority: Authority::Owner,
            files: Vec::new(),
        };
        let reply = "I will remind you at nine. Tomorrow will be dry and mild, with some sun in the afternoon.";
        let body = AssistantEntry {
            user: vec![user],
            blocks: vec![Block::Text { text: reply.into() }],
            model: "claude-sonnet-4-5-20250929".into(),
            usage: Usage { input: 12_345, output: 678, cache_read: 11_000, cache_write: 1_200 },
            outbox: Some(vec![reply.into()]),
            ..AssistantEntry::default()
        };
        let answer = Entry { turn: 123_457, step: 0, at: NOW, body: EntryBody::Assistant(body) };
        let mut finished = busy_head();
        finished.finish(&[]);

        let mut event_row = encode(&Key::event(&session(), &accepted.event), &accepted).unwrap();
        event_row.insert("ttl".into(), expires(NOW, EVENT_KEPT_S));
        let writes = [
            ("claim, sending", encode_head(&session(), &busy_head()).unwrap()),
            ("accept", event_row),
            ("append", encode(&Key::entry(&session(), &answer), &answer).unwrap()),
            ("finish", encode_head(&session(), &finished).unwrap()),
        ];
        for (what, row) in writes {
            assert!(size(&row) <= 1024, "{what}: {} bytes, {row:?}", size(&row));
        }
    }

    /// What a turn cuts to its measure, a row takes whatever its keys are.
    #[test]
    fn what_a_turn_cut_to_fit_fits() {
        let result = |n: usize| Block::ToolResult {
            id: n.to_string(),
            text: "é".repeat(60_000),
            is_error: false,
            files: vec![],
        };
        let results = (0..16).map(result).collect();
        let huge = Entry { turn: u64::MAX, step: u16::MAX, at: NOW, body: EntryBody::ToolResults { results } };
        let key = Key::entry(&SessionKey::from_stored("x".repeat(5_000)), &huge);
        assert!(matches!(encode(&key, &huge), Err(StoreError::Full(_))));
        assert!(encode(&key, &fit_entry(huge)).is_ok());
        let names = Key { pk: "x".repeat(2048), sk: "x".repeat(1024) }.item();
        assert!(size(&names) + chela_core::turn::ROW_BYTES < ROW_BYTES);
    }

    #[test]
    fn rows_are_weighed_as_the_service_does() {
        // 2 + 3, 2 + 4, 1 + (2 digits: 2), 1 + 5, by the rules named in `item`.
        let mut item = Item::from([("pk".into(), text("S#a")), ("sk".into(), text("HEAD"))]);
        item.insert("e".into(), number(12));
        item.insert("o".into(), text("owner"));
        assert_eq!(size(&item), 5 + 6 + 3 + 6);
    }
}
