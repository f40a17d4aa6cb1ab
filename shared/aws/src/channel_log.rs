//! What happened on each account, and late confirmations, as rows of the table. Each is one unconditional write, so that
//! a webhook's role needs no more than `PutItem` on these partitions.

use async_trait::async_trait;
use chela_core::channel_log::{Activity, CONFIRMATION_KEPT_MS, ChannelLog, Failure, Happening};
use chela_core::clock::Millis;
use chela_core::session::StoreError;
use serde::{Deserialize, Serialize};

use crate::item::{Item, Key, number, text};
use crate::session::encode;
use crate::table::Table;

/// Longer than anybody looks back.
const ACTIVITY_KEPT_S: u64 = 90 * 24 * 60 * 60;

/// The body of a row of activity.
#[derive(Serialize, Deserialize)]
struct Noted {
    channel: String,
    account: String,
    kind: Kind,
    at: Millis,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    reason: String,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Received,
    Sent,
    Failed,
}

#[async_trait]
impl ChannelLog for Table {
    async fn note(&self, channel: &str, account: &str, what: &Happening, at: Millis) -> Result<(), StoreError> {
        let (kind, reason) = match what {
            Happening::Received => (Kind::Received, String::new()),
            Happening::Sent => (Kind::Sent, String::new()),
            Happening::Failed(reason) => (Kind::Failed, reason.clone()),
        };
        let noted = Noted { channel: channel.to_owned(), account: account.to_owned(), kind, at, reason };
        let name = match kind {
            Kind::Received => "R",
            Kind::Sent => "S",
            Kind::Failed => "F",
        };
        let mut item = encode(&Key::activity(channel, account, name), &noted)?;
        item.insert("ttl".to_owned(), number(at.seconds().saturating_add(ACTIVITY_KEPT_S)));
        self.put(item).await
    }

    async fn activities(&self) -> Result<Vec<Activity>, StoreError> {
        let query = self
            .client
            .query()
            .table_name(&self.name)
            .key_condition_expression("pk = :pk")
            .expression_attribute_values(":pk", text(Key::ACTIVITY));
        let mut noted: Vec<Noted> = self.bodies(query.consistent_read(true)).await?;
        noted.sort_by(|a, b| (&a.channel, &a.account).cmp(&(&b.channel, &b.account)));
        let mut activities: Vec<Activity> = Vec::new();
        for Noted { channel, account, kind, at, reason } in noted {
            if activities.last().is_none_or(|last| last.channel != channel || last.account != account) {
                activities.push(Activity { channel, account, ..Activity::default() });
            }
            let Some(activity) = activities.last_mut() else { continue };
            match kind {
                Kind::Received => activity.received = Some(at),
                Kind::Sent => activity.sent = Some(at),
                Kind::Failed => activity.failed = Some(Failure { at, reason }),
            }
        }
        Ok(activities)
    }

    async fn confirm(&self, idempotency_key: &str, at: Millis) -> Result<(), StoreError> {
        let mut item: Item = Key::confirmation(idempotency_key).item();
        item.insert("ttl".to_owned(), number(at.plus(CONFIRMATION_KEPT_MS).seconds()));
        self.put(item).await
    }

    async fn confirmed(&self, idempotency_key: &str) -> Result<bool, StoreError> {
        Ok(self.get(&Key::confirmation(idempotency_key)).await?.is_some())
    }
}
