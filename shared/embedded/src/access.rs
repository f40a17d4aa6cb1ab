//! Approvals and pairing requests in the database.

use async_trait::async_trait;
use chela_core::access::{AccessStore, PAIRING_PENDING_MAX, PAIRING_VALID_MS, Pairing, PairingRequest, SenderRef};
use chela_core::clock::Millis;
use chela_core::session::StoreError;
use rusqlite::{Connection, OptionalExtension, params};

use crate::database::{integer, unsigned};
use crate::session::SqliteSessions;

#[async_trait]
impl AccessStore for SqliteSessions {
    async fn approved(&self, who: &SenderRef) -> Result<bool, StoreError> {
        let who = who.clone();
        let approved = self
            .database
            .run(move |connection: &Connection| {
                connection
                    .prepare_cached("SELECT 1 FROM approvals WHERE channel = ?1 AND account = ?2 AND sender = ?3")?
                    .exists(params![who.channel, who.account, who.sender])
            })
            .await?;
        Ok(approved)
    }

    async fn request_pairing(&self, who: &SenderRef, code: &str, now: Millis) -> Result<Pairing, StoreError> {
        let request = PairingRequest { code: code.to_owned(), who: who.clone(), at: now };
        let pairing = self.database.run(move |connection: &Connection| file(connection, &request)).await?;
        Ok(pairing)
    }

    async fn pending(&self, channel: &str, account: &str, now: Millis) -> Result<Vec<PairingRequest>, StoreError> {
        let (channel, account) = (channel.to_owned(), account.to_owned());
        let pending =
            self.database.run(move |connection: &Connection| valid(connection, &channel, &account, now)).await?;
        Ok(pending)
    }

    async fn approve(
        &self,
        channel: &str,
        account: &str,
        code: &str,
        now: Millis,
    ) -> Result<Option<SenderRef>, StoreError> {
        let (channel, account, code) = (channel.to_owned(), account.to_owned(), code.to_owned());
        let approved = self
            .database
            .run(move |connection: &Connection| {
                let request = take(connection, &channel, &account, &code, now)?;
                if let Some(who) = &request {
                    connection
                        .prepare_cached(
                            "INSERT OR IGNORE INTO approvals (channel, account, sender) VALUES (?1, ?2, ?3)",
                        )?
                        .execute(params![who.channel, who.account, who.sender])?;
                }
                Ok(request)
            })
            .await?;
        Ok(approved)
    }
}

/// A code that is waiting for another sender is refused like a full account: the owner who types it must not let in
/// somebody else.
fn file(connection: &Connection, request: &PairingRequest) -> rusqlite::Result<Pairing> {
    let PairingRequest { code, who, at } = request;
    connection
        .prepare_cached("DELETE FROM pairings WHERE channel = ?1 AND account = ?2 AND at <= ?3")?
        .execute(params![who.channel, who.account, expired(*at)])?;
    let waiting = valid(connection, &who.channel, &who.account, *at)?;
    if waiting.iter().any(|other| other.who == *who) {
        return Ok(Pairing::Waiting);
    }
    if waiting.len() >= PAIRING_PENDING_MAX || waiting.iter().any(|other| other.code == *code) {
        return Ok(Pairing::Full);
    }
    connection
        .prepare_cached("INSERT INTO pairings (channel, account, sender, code, at) VALUES (?1, ?2, ?3, ?4, ?5)")?
        .execute(params![who.channel, who.account, who.sender, code, integer(at.0)])?;
    Ok(Pairing::New(request.clone()))
}

fn valid(connection: &Connection, channel: &str, account: &str, now: Millis) -> rusqlite::Result<Vec<PairingRequest>> {
    connection
        .prepare_cached(
            "SELECT code, sender, at FROM pairings WHERE channel = ?1 AND account = ?2 AND at > ?3 ORDER BY at, sender",
        )?
        .query_map(params![channel, account, expired(now)], |row| {
            let who = SenderRef { channel: channel.to_owned(), account: account.to_owned(), sender: row.get(1)? };
            Ok(PairingRequest { code: row.get(0)?, who, at: Millis(unsigned(row.get(2)?)) })
        })?
        .collect()
}

fn take(
    connection: &Connection,
    channel: &str,
    account: &str,
    code: &str,
    now: Millis,
) -> rusqlite::Result<Option<SenderRef>> {
    connection
        .prepare_cached(
            "DELETE FROM pairings WHERE channel = ?1 AND account = ?2 AND code = ?3 AND at > ?4 RETURNING sender",
        )?
        .query_row(params![channel, account, code, expired(now)], |row| {
            Ok(SenderRef { channel: channel.to_owned(), account: account.to_owned(), sender: row.get(0)? })
        })
        .optional()
}

/// Requests of this time and before have had their hour. Before 1970 there were none, so at the epoch's first hour
/// nothing has expired.
fn expired(now: Millis) -> i64 {
    integer(now.0).saturating_sub(integer(PAIRING_VALID_MS))
}
