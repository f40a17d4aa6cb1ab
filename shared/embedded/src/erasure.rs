//! Rows of the database that go at a person's request.

use async_trait::async_trait;
use chela_core::access::SenderRef;
use chela_core::approval::Request;
use chela_core::directory::Listing;
use chela_core::erasure::{Erasure, Row, RowBody};
use chela_core::session::StoreError;
use chela_core::session_key::SessionKey;
use rusqlite::{Connection, params};

use crate::session::{SqliteSessions, count, read, write};

/// Begins the names of accepted events, and of nothing else.
const EVENT: &str = "E#";

const ROWS: &str = "SELECT name, body FROM (
        SELECT 'E#' || event AS name, body FROM accepted WHERE session = ?1
        UNION ALL SELECT place AS name, body FROM entries WHERE session = ?1
    ) WHERE name > ?2 ORDER BY name LIMIT ?3";

/// What stands beside the rows of a session.
const MARKS: [&str; 5] = [
    "DELETE FROM left_messages WHERE session = ?1",
    "DELETE FROM controls WHERE session = ?1",
    "DELETE FROM wishes WHERE session = ?1",
    "DELETE FROM flagged WHERE session = ?1",
    "DELETE FROM homes WHERE session = ?1",
];

#[async_trait]
impl Erasure for SqliteSessions {
    async fn stored(&self, session: &SessionKey, after: &str, limit: usize) -> Result<Vec<Row>, StoreError> {
        let (key, after) = (session.as_str().to_owned(), after.to_owned());
        let rows = self.database.run(move |connection: &Connection| {
            connection
                .prepare_cached(ROWS)?
                .query_map(params![key, after, count(limit)], |row| Ok((row.get(0)?, row.get(1)?)))?
                .collect::<rusqlite::Result<Vec<(String, String)>>>()
        });
        let row = |(name, body): (String, String)| {
            let named = || format!("row {name} of \"{}\"", session.as_str());
            let body = if name.starts_with(EVENT) {
                RowBody::Event(read(&body, named)?)
            } else {
                RowBody::Entry(read(&body, named)?)
            };
            Ok(Row { name, body })
        };
        rows.await?.into_iter().map(row).collect()
    }

    async fn replace(&self, session: &SessionKey, row: &Row) -> Result<(), StoreError> {
        let named = || format!("row {} of \"{}\"", row.name, session.as_str());
        let (key, name) = (session.as_str().to_owned(), row.name.clone());
        let body = match &row.body {
            RowBody::Event(accepted) => write(accepted, named)?,
            RowBody::Entry(entry) => write(entry, named)?,
        };
        let replaced = self.database.run(move |connection: &Connection| match name.strip_prefix(EVENT) {
            Some(event) => connection
                .prepare_cached("UPDATE accepted SET body = ?3 WHERE session = ?1 AND event = ?2")?
                .execute(params![key, event, body]),
            None => connection
                .prepare_cached("UPDATE entries SET body = ?3 WHERE session = ?1 AND place = ?2")?
                .execute(params![key, name, body]),
        });
        replaced.await?;
        Ok(())
    }

    async fn remove(&self, session: &SessionKey, name: &str) -> Result<(), StoreError> {
        let (key, name) = (session.as_str().to_owned(), name.to_owned());
        let removed = self.database.run(move |connection: &Connection| match name.strip_prefix(EVENT) {
            Some(event) => connection
                .prepare_cached("DELETE FROM accepted WHERE session = ?1 AND event = ?2")?
                .execute(params![key, event]),
            None => connection
                .prepare_cached("DELETE FROM entries WHERE session = ?1 AND place = ?2")?
                .execute(params![key, name]),
        });
        removed.await?;
        Ok(())
    }

    async fn remove_left(&self, session: &SessionKey) -> Result<(), StoreError> {
        let key = session.as_str().to_owned();
        let removed = self.database.run(move |connection: &Connection| {
            connection.prepare_cached("DELETE FROM left_messages WHERE session = ?1")?.execute([&key])
        });
        removed.await?;
        Ok(())
    }

    async fn remove_marks(&self, session: &SessionKey) -> Result<(), StoreError> {
        let key = session.as_str().to_owned();
        let removed = self.database.run(move |connection: &Connection| {
            MARKS.iter().try_for_each(|sql| connection.prepare_cached(sql)?.execute([&key]).map(drop))
        });
        Ok(removed.await?)
    }

    async fn unlist(&self, listing: &Listing) -> Result<(), StoreError> {
        let key = listing.session.as_str().to_owned();
        let removed = self.database.run(move |connection: &Connection| {
            connection.prepare_cached("DELETE FROM listings WHERE session = ?1")?.execute([&key])
        });
        removed.await?;
        Ok(())
    }

    async fn requests(&self) -> Result<Vec<Request>, StoreError> {
        let bodies = self.database.run(|connection: &Connection| {
            connection
                .prepare_cached("SELECT body FROM requests ORDER BY id")?
                .query_map([], |row| row.get(0))?
                .collect::<rusqlite::Result<Vec<String>>>()
        });
        bodies.await?.iter().map(|body| read(body, || "a request".to_owned())).collect()
    }

    async fn remove_request(&self, id: &str) -> Result<(), StoreError> {
        let id = id.to_owned();
        self.database
            .run(move |connection: &Connection| {
                connection.prepare_cached("DELETE FROM requests WHERE id = ?1")?.execute([&id])
            })
            .await?;
        Ok(())
    }

    async fn disapprove(&self, who: &SenderRef) -> Result<bool, StoreError> {
        let who = who.clone();
        let removed = self.database.run(move |connection: &Connection| {
            let tables = [
                "DELETE FROM approvals WHERE channel = ?1 AND account = ?2 AND sender = ?3",
                "DELETE FROM pairings WHERE channel = ?1 AND account = ?2 AND sender = ?3",
            ];
            let mut removed = false;
            for sql in tables {
                let of_table = params![who.channel, who.account, who.sender];
                removed |= connection.prepare_cached(sql)?.execute(of_table)? > 0;
            }
            Ok(removed)
        });
        Ok(removed.await?)
    }

    async fn wipe(&self) -> Result<(), StoreError> {
        Ok(self.database.wipe().await?)
    }
}
