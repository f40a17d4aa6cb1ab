//! What happened on each account, and late confirmations, in the database.

use async_trait::async_trait;
use chela_core::channel_log::{Activity, CONFIRMATION_KEPT_MS, ChannelLog, Failure, Happening};
use chela_core::clock::Millis;
use chela_core::session::StoreError;
use rusqlite::{Connection, params};

use crate::database::{integer, unsigned};
use crate::session::SqliteSessions;

#[async_trait]
impl ChannelLog for SqliteSessions {
    async fn note(&self, channel: &str, account: &str, what: &Happening, at: Millis) -> Result<(), StoreError> {
        let (channel, account, at) = (channel.to_owned(), account.to_owned(), integer(at.0));
        let (kind, reason) = match what {
            Happening::Received => ("received", String::new()),
            Happening::Sent => ("sent", String::new()),
            Happening::Failed(reason) => ("failed", reason.clone()),
        };
        let kind = kind.to_owned();
        self.database
            .run(move |connection: &Connection| {
                connection
                    .prepare_cached(
                        "INSERT OR REPLACE INTO activity (channel, account, kind, at, reason) \
                         VALUES (?1, ?2, ?3, ?4, ?5)",
                    )?
                    .execute(params![channel, account, kind, at, reason])
            })
            .await?;
        Ok(())
    }

    async fn activities(&self) -> Result<Vec<Activity>, StoreError> {
        Ok(self.database.run(|connection: &Connection| activities(connection)).await?)
    }

    async fn confirm(&self, idempotency_key: &str, at: Millis) -> Result<(), StoreError> {
        let key = idempotency_key.to_owned();
        let confirmed = self.database.run(move |connection: &Connection| {
            connection
                .prepare_cached("DELETE FROM confirmations WHERE at < ?1")?
                .execute([integer(at.0.saturating_sub(CONFIRMATION_KEPT_MS))])?;
            connection
                .prepare_cached("INSERT OR IGNORE INTO confirmations (idempotency_key, at) VALUES (?1, ?2)")?
                .execute(params![key, integer(at.0)])
        });
        confirmed.await?;
        Ok(())
    }

    async fn confirmed(&self, idempotency_key: &str) -> Result<bool, StoreError> {
        let key = idempotency_key.to_owned();
        let found = self.database.run(move |connection: &Connection| {
            connection.prepare_cached("SELECT 1 FROM confirmations WHERE idempotency_key = ?1")?.exists([&key])
        });
        Ok(found.await?)
    }
}

fn activities(connection: &Connection) -> rusqlite::Result<Vec<Activity>> {
    let mut statement = connection
        .prepare_cached("SELECT channel, account, kind, at, reason FROM activity ORDER BY channel, account")?;
    let mut rows = statement.query([])?;
    let mut activities: Vec<Activity> = Vec::new();
    while let Some(row) = rows.next()? {
        let (channel, account): (String, String) = (row.get(0)?, row.get(1)?);
        if activities.last().is_none_or(|last| last.channel != channel || last.account != account) {
            activities.push(Activity { channel, account, ..Activity::default() });
        }
        let Some(activity) = activities.last_mut() else { continue };
        let (kind, at): (String, Millis) = (row.get(2)?, Millis(unsigned(row.get(3)?)));
        match kind.as_str() {
            "received" => activity.received = Some(at),
            "sent" => activity.sent = Some(at),
            _ => activity.failed = Some(Failure { at, reason: row.get(4)? }),
        }
    }
    Ok(activities)
}
