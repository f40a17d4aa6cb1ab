//! Requests for consent, rules and the audit log in the database. The database's thread does one piece of work after the
//! other, so that what is compared and written in one piece is one step for everybody.

use async_trait::async_trait;
use chela_core::approval::{ApprovalStore, KEPT_MS, Request, Rule, State};
use chela_core::audit::{AuditLog, Record};
use chela_core::session::{Put, StoreError};
use rusqlite::{Connection, OptionalExtension, params};

use crate::database::integer;
use crate::session::{SqliteSessions, count, read, write};

const WAITING: &str = "SELECT body FROM requests WHERE waiting = 1 ORDER BY at DESC, id";

const RULES: &str = "SELECT body FROM rules ORDER BY id";

#[async_trait]
impl ApprovalStore for SqliteSessions {
    async fn ask(&self, request: &Request) -> Result<Put<Request>, StoreError> {
        let (name, row) = (|| format!("request {}", request.id), Row::of(request)?);
        let theirs = self
            .database
            .run(move |connection: &Connection| {
                let forgotten = integer(row.at).saturating_sub(integer(KEPT_MS));
                connection.prepare_cached("DELETE FROM requests WHERE ends < ?1")?.execute([forgotten])?;
                let stored = connection
                    .prepare_cached(
                        "INSERT OR IGNORE INTO requests (id, waiting, at, ends, body) VALUES (?1, ?2, ?3, ?4, ?5)",
                    )?
                    .execute(params![row.id, row.waiting, integer(row.at), integer(row.ends), row.body])?;
                if stored > 0 { Ok(None) } else { one(connection, &row.id) }
            })
            .await?;
        theirs.map_or(Ok(Put::Stored), |body| read(&body, name).map(Put::Exists))
    }

    async fn request(&self, id: &str) -> Result<Option<Request>, StoreError> {
        let wanted = id.to_owned();
        let body = self.database.run(move |connection: &Connection| one(connection, &wanted)).await?;
        body.map(|body| read(&body, || format!("request {id}"))).transpose()
    }

    async fn change(&self, seen: &Request, becomes: &Request) -> Result<bool, StoreError> {
        let (seen, row) = (Row::of(seen)?, Row::of(becomes)?);
        let changed = self
            .database
            .run(move |connection: &Connection| {
                connection
                    .prepare_cached("UPDATE requests SET waiting = ?1, body = ?2 WHERE id = ?3 AND body = ?4")?
                    .execute(params![row.waiting, row.body, seen.id, seen.body])
            })
            .await?;
        Ok(changed > 0)
    }

    async fn waiting(&self) -> Result<Vec<Request>, StoreError> {
        let bodies = self.database.run(|connection: &Connection| bodies(connection, WAITING)).await?;
        bodies.iter().map(|body| read(body, || "a request that waits".to_owned())).collect()
    }

    async fn remember(&self, rule: &Rule) -> Result<(), StoreError> {
        let (id, body) = (rule.id.clone(), write(rule, || format!("rule {}", rule.id))?);
        self.database
            .run(move |connection: &Connection| {
                connection
                    .prepare_cached("INSERT OR REPLACE INTO rules (id, body) VALUES (?1, ?2)")?
                    .execute(params![id, body])
            })
            .await?;
        Ok(())
    }

    async fn forget(&self, id: &str) -> Result<bool, StoreError> {
        let id = id.to_owned();
        let forgotten = self
            .database
            .run(move |connection: &Connection| {
                connection.prepare_cached("DELETE FROM rules WHERE id = ?1")?.execute([&id])
            })
            .await?;
        Ok(forgotten > 0)
    }

    async fn rules(&self) -> Result<Vec<Rule>, StoreError> {
        let bodies = self.database.run(|connection: &Connection| bodies(connection, RULES)).await?;
        bodies.iter().map(|body| read(body, || "a rule".to_owned())).collect()
    }
}

#[async_trait]
impl AuditLog for SqliteSessions {
    async fn record(&self, tenant: &str, record: &Record) -> Result<Put<Record>, StoreError> {
        let name = || format!("record {} of the audit log", record.number);
        let (tenant, number, body) = (tenant.to_owned(), integer(record.number), write(record, name)?);
        let theirs = self
            .database
            .run(move |connection: &Connection| {
                let stored = connection
                    .prepare_cached("INSERT OR IGNORE INTO audit (tenant, number, body) VALUES (?1, ?2, ?3)")?
                    .execute(params![tenant, number, body])?;
                if stored > 0 {
                    return Ok(None);
                }
                connection
                    .prepare_cached("SELECT body FROM audit WHERE tenant = ?1 AND number = ?2")?
                    .query_row(params![tenant, number], |row| row.get::<_, String>(0))
                    .optional()
            })
            .await?;
        theirs.map_or(Ok(Put::Stored), |body| read(&body, name).map(Put::Exists))
    }

    async fn records(&self, tenant: &str, before: u64, limit: usize) -> Result<Vec<Record>, StoreError> {
        let (tenant, before) = (tenant.to_owned(), integer(before));
        let bodies = self
            .database
            .run(move |connection: &Connection| {
                connection
                    .prepare_cached(
                        "SELECT body FROM audit WHERE tenant = ?1 AND number < ?2 ORDER BY number DESC LIMIT ?3",
                    )?
                    .query_map(params![tenant, before, count(limit)], |row| row.get(0))?
                    .collect::<rusqlite::Result<Vec<String>>>()
            })
            .await?;
        bodies.iter().map(|body| read(body, || "a record of the audit log".to_owned())).collect()
    }
}

/// A request as it is stored.
struct Row {
    id: String,
    waiting: bool,
    at: u64,
    ends: u64,
    body: String,
}

impl Row {
    fn of(request: &Request) -> Result<Self, StoreError> {
        Ok(Self {
            id: request.id.clone(),
            waiting: request.state == State::Waiting,
            at: request.asked_at.0,
            ends: request.expires_at.0,
            body: write(request, || format!("request {}", request.id))?,
        })
    }
}

fn one(connection: &Connection, id: &str) -> rusqlite::Result<Option<String>> {
    connection.prepare_cached("SELECT body FROM requests WHERE id = ?1")?.query_row([id], |row| row.get(0)).optional()
}

fn bodies(connection: &Connection, sql: &str) -> rusqlite::Result<Vec<String>> {
    connection.prepare_cached(sql)?.query_map([], |row| row.get(0))?.collect()
}
