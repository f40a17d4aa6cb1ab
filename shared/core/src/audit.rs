//! Who agreed to what, and what was run: records that can be added to and not changed. Each bears the digest of the one
//! before it, so that a record that is changed, left out or put in is seen by whoever reads them in order.
//!
//! They hold no words of a message and no arguments: digests, and the names of programs.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::approval::hashed;
use crate::clock::Millis;
use crate::session::{Put, StoreError};
use crate::session_key::SessionKey;

/// Writers that meet at the end of the log try again so often.
const ROUNDS: usize = 64;

/// Newest records among which a happening that is told again is looked for.
const LOOKED_BACK: usize = 16;

/// Records read at once.
const PAGE: usize = 500;

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum What {
    /// The owner was asked.
    Asked,
    /// The owner allowed it, once.
    AllowedOnce,
    /// The owner allowed it, for ever.
    AllowedAlways,
    /// The owner denied it.
    Denied,
    /// Nobody decided in time.
    Expired,
    /// It was begun.
    Ran,
    /// It was not run, or somebody tried to decide who may not.
    Refused,
    /// What was allowed for ever is not any more.
    Forgotten,
    /// What was stored of a person was deleted.
    Erased,
    /// The owner let a sender in.
    LetIn,
}

/// What is to be recorded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Happening {
    /// What happened.
    pub what: What,
    /// The same for the same happening told again after a crash, different for every other.
    pub name: String,
    /// The agent.
    pub agent: String,
    /// Sixteen digits that stand for the conversation.
    pub session: String,
    /// The tool.
    pub tool: String,
    /// The programs' names, without arguments; of what was deleted, how much.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub programs: Vec<String>,
    /// The digest of what was agreed to, or what stands for the person who was forgotten.
    pub digest: String,
    /// Who did it: `telegram:42`, `api`; for a call that ran, why it might.
    pub by: String,
    /// When.
    pub at: Millis,
}

/// One record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Record {
    /// Counted from 1.
    pub number: u64,
    /// What happened.
    #[serde(flatten)]
    pub happening: Happening,
    /// [`Record::digest`] of the record before; empty for the first.
    pub before: String,
    /// The digest of all this.
    pub digest_of_record: String,
}

/// Where the chain is broken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// A record is not there.
    #[error("record {0} is missing")]
    Missing(u64),
    /// A record is not as it was written.
    #[error("record {0} was changed")]
    Changed(u64),
    /// A record follows another one than was there when it was written.
    #[error("record {0} was written after another record than the one before it")]
    Unchained(u64),
}

impl Record {
    /// The record of a happening behind `before`.
    pub fn after(before: Option<&Self>, happening: Happening) -> Self {
        let number = before.map_or(1, |before| before.number.saturating_add(1));
        let chained = before.map(|before| before.digest_of_record.clone()).unwrap_or_default();
        let mut record = Self { number, happening, before: chained, digest_of_record: String::new() };
        record.digest_of_record = record.digest();
        record
    }

    /// What the record's digest must be.
    pub fn digest(&self) -> String {
        // Every field by name, so that a new one cannot be forgotten.
        let Self { number, happening, before, digest_of_record: _ } = self;
        let Happening { what, name, agent, session, tool, programs, digest, by, at } = happening;
        let (number, what, at) = (number.to_string(), format!("{what:?}"), at.0.to_string());
        let count = programs.len().to_string();
        let fields = [&number, before, &what, name, agent, session, tool, digest, by, &at, &count];
        hashed(fields.into_iter().chain(programs).map(String::as_str))
    }
}

/// Whether these are all records from the first to the last, in order and as they were written. `newest`, if it is known
/// from elsewhere, is the digest of the last: without it, the end of a log could be cut off unseen.
pub fn verify(records: &[Record], newest: Option<&str>) -> Result<(), Broken> {
    let mut before: Option<&Record> = None;
    for (number, record) in (1u64..).zip(records) {
        if record.number != number {
            return Err(Broken::Missing(number));
        }
        if record.digest_of_record != record.digest() {
            return Err(Broken::Changed(number));
        }
        if record.before != before.map_or("", |before| before.digest_of_record.as_str()) {
            return Err(Broken::Unchained(number));
        }
        before = Some(record);
    }
    match newest {
        Some(newest) if !records.iter().any(|record| record.digest_of_record == newest) => {
            Err(Broken::Missing(u64::try_from(records.len()).unwrap_or(u64::MAX).saturating_add(1)))
        }
        _ => Ok(()),
    }
}

/// Sixteen digits that stand for a conversation.
pub fn session_mark(session: &SessionKey) -> String {
    let mut mark = hashed(["session", session.as_str()]);
    mark.truncate(16);
    mark
}

/// Keeps the records of tenants.
#[async_trait]
pub trait AuditLog: Send + Sync {
    /// Stores a record unless there is one of its number; then that is told, and nothing changed. There is no way to
    /// change or remove one.
    async fn record(&self, tenant: &str, record: &Record) -> Result<Put<Record>, StoreError>;

    /// Records with a number lower than `before`, newest first, at most `limit`; consistent.
    async fn records(&self, tenant: &str, before: u64, limit: usize) -> Result<Vec<Record>, StoreError>;
}

/// Adds a happening to the end of the log. Told again soon after it was recorded, it is not recorded again.
pub async fn append(log: &dyn AuditLog, tenant: &str, happening: &Happening) -> Result<(), StoreError> {
    let known = |record: &Record| record.happening.what == happening.what && record.happening.name == happening.name;
    for _ in 0..ROUNDS {
        let newest = log.records(tenant, u64::MAX, LOOKED_BACK).await?;
        if newest.iter().any(known) {
            return Ok(());
        }
        if log.record(tenant, &Record::after(newest.first(), happening.clone())).await? == Put::Stored {
            return Ok(());
        }
    }
    Err(StoreError::Unavailable("the audit log changes too fast; try again".to_owned()))
}

/// The whole log, oldest first.
pub async fn whole(log: &dyn AuditLog, tenant: &str) -> Result<Vec<Record>, StoreError> {
    let (mut all, mut before) = (Vec::new(), u64::MAX);
    loop {
        let page = log.records(tenant, before, PAGE).await?;
        let Some(last) = page.last() else { break };
        before = last.number;
        all.extend(page);
    }
    all.reverse();
    Ok(all)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn happening(name: &str) -> Happening {
        Happening {
            what: What::Ran,
            name: name.into(),
            agent: "main".into(),
            session: session_mark(&SessionKey::from_stored("agent:main:main")),
            tool: "exec".into(),
            programs: vec!["git".into()],
            digest: "d".into(),
            by: "telegram:42".into(),
            at: Millis(7),
        }
    }

    fn chain(length: u64) -> Vec<Record> {
        let mut records: Vec<Record> = Vec::new();
        for number in 0..length {
            records.push(Record::after(records.last(), happening(&number.to_string())));
        }
        records
    }

    #[test]
    fn a_whole_log_is_right() {
        assert_eq!(verify(&[], None), Ok(()));
        let records = chain(9);
        assert_eq!(verify(&records, Some(&records[8].digest_of_record)), Ok(()));
    }

    #[test]
    fn an_end_that_was_cut_off_is_seen_by_whoever_knows_it() {
        let records = chain(9);
        let newest = records[8].digest_of_record.clone();
        assert_eq!(verify(&records[..8], None), Ok(()));
        assert_eq!(verify(&records[..8], Some(&newest)), Err(Broken::Missing(9)));
    }

    #[test]
    fn a_forged_record_with_a_right_digest_does_not_fit_into_the_chain() {
        let mut records = chain(5);
        let mut forged = records[2].clone();
        forged.happening.by = "telegram:666".into();
        forged.digest_of_record = forged.digest();
        records[2] = forged;
        assert_eq!(verify(&records, None), Err(Broken::Unchained(4)));
    }

    #[test]
    fn each_field_is_part_of_the_digest() {
        let record = chain(2).remove(1);
        let json = serde_json::to_value(&record).unwrap();
        for (field, value) in json.as_object().unwrap() {
            let other = match value {
                serde_json::Value::Number(number) => serde_json::json!(number.as_u64().unwrap() + 1),
                serde_json::Value::Array(_) => serde_json::json!(["git", "rm"]),
                _ if field == "what" => serde_json::json!("denied"),
                _ => serde_json::json!("other"),
            };
            let mut changed = json.clone();
            changed[field] = other;
            let changed: Record = serde_json::from_value(changed).unwrap();
            assert_ne!(changed.digest_of_record, changed.digest(), "{field}");
        }
    }

    proptest! {
        #[test]
        fn a_removed_or_doubled_record_is_found(length in 2u64..20, at in any::<prop::sample::Index>(), doubled: bool) {
            let mut records = chain(length);
            let at = at.index(records.len());
            let newest = records.last().unwrap().digest_of_record.clone();
            if doubled { records.insert(at, records[at].clone()) } else { records.remove(at); }
            prop_assert!(verify(&records, Some(&newest)).is_err());
        }
    }
}
