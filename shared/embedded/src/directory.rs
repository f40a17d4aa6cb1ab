//! Listings and wishes in the database.

use async_trait::async_trait;
use chela_core::agent_id::AgentId;
use chela_core::clock::Millis;
use chela_core::directory::{Directory, Home, Listing, Wishes};
use chela_core::session::StoreError;
use chela_core::session_key::SessionKey;
use rusqlite::{Connection, OptionalExtension, params};

use crate::database::integer;
use crate::session::{SqliteSessions, count, read, write};

#[async_trait]
impl Directory for SqliteSessions {
    async fn list(&self, listing: &Listing) -> Result<(), StoreError> {
        let body = write(listing, || name(&listing.session))?;
        let (session, agent) = (listing.session.as_str().to_owned(), listing.agent.as_str().to_owned());
        let parent = listing.parent.as_ref().map_or_else(String::new, |parent| parent.as_str().to_owned());
        let began = integer(listing.began.0);
        self.database
            .run(move |connection: &Connection| {
                connection
                    .prepare_cached(
                        "INSERT OR REPLACE INTO listings (session, agent, parent, began, body)
                         VALUES (?1, ?2, ?3, ?4, ?5)",
                    )?
                    .execute(params![session, agent, parent, began, body])
            })
            .await?;
        Ok(())
    }

    async fn listed(&self, agent: &AgentId, limit: usize) -> Result<Vec<Listing>, StoreError> {
        let agent = agent.as_str().to_owned();
        let bodies = self.database.run(move |connection: &Connection| {
            let of_agent = "SELECT body FROM listings WHERE agent = ?1 ORDER BY began DESC, session LIMIT ?2";
            bodies(connection, of_agent, &agent, limit)
        });
        bodies.await?.iter().map(|body| read(body, || "a listing".to_owned())).collect()
    }

    async fn children(&self, parent: &SessionKey, limit: usize) -> Result<Vec<Listing>, StoreError> {
        let parent = parent.as_str().to_owned();
        let bodies = self.database.run(move |connection: &Connection| {
            let of_parent = "SELECT body FROM listings WHERE parent = ?1 ORDER BY began DESC, session LIMIT ?2";
            bodies(connection, of_parent, &parent, limit)
        });
        bodies.await?.iter().map(|body| read(body, || "a listing".to_owned())).collect()
    }

    async fn wishes(&self, session: &SessionKey) -> Result<Wishes, StoreError> {
        let key = session.as_str().to_owned();
        let body = self.database.run(move |connection: &Connection| {
            connection
                .prepare_cached("SELECT body FROM wishes WHERE session = ?1")?
                .query_row([&key], |row| row.get::<_, String>(0))
                .optional()
        });
        body.await?.map_or_else(|| Ok(Wishes::default()), |body| read(&body, || name(session)))
    }

    async fn wish(&self, session: &SessionKey, wishes: &Wishes) -> Result<(), StoreError> {
        let body = write(wishes, || name(session))?;
        let key = session.as_str().to_owned();
        self.database
            .run(move |connection: &Connection| {
                connection
                    .prepare_cached("INSERT OR REPLACE INTO wishes (session, body) VALUES (?1, ?2)")?
                    .execute(params![key, body])
            })
            .await?;
        Ok(())
    }

    async fn note_home(&self, place: &str, home: &Home, _now: Millis) -> Result<(), StoreError> {
        let body = write(home, || "the home of a place".to_owned())?;
        let (place, session) = (place.to_owned(), home.session.as_str().to_owned());
        self.database
            .run(move |connection: &Connection| {
                connection
                    .prepare_cached("INSERT OR REPLACE INTO homes (place, session, body) VALUES (?1, ?2, ?3)")?
                    .execute(params![place, session, body])
            })
            .await?;
        Ok(())
    }

    async fn home(&self, place: &str) -> Result<Option<Home>, StoreError> {
        let place = place.to_owned();
        let body = self.database.run(move |connection: &Connection| {
            connection
                .prepare_cached("SELECT body FROM homes WHERE place = ?1")?
                .query_row([&place], |row| row.get::<_, String>(0))
                .optional()
        });
        body.await?.map(|body| read(&body, || "the home of a place".to_owned())).transpose()
    }
}

fn bodies(connection: &Connection, query: &str, of: &str, limit: usize) -> rusqlite::Result<Vec<String>> {
    connection.prepare_cached(query)?.query_map(params![of, count(limit)], |row| row.get(0))?.collect()
}

fn name(session: &SessionKey) -> String {
    format!("the listing or the wishes of {}", session.as_str())
}
