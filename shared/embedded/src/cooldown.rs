//! Rests of credentials in the database.

use std::collections::BTreeMap;

use async_trait::async_trait;
use chela_core::cooldown::{Cooldown, CooldownStore};
use chela_core::session::StoreError;
use rusqlite::{Connection, params};

use crate::session::{SqliteSessions, read, write};

#[async_trait]
impl CooldownStore for SqliteSessions {
    async fn cooldowns(&self) -> Result<BTreeMap<String, Cooldown>, StoreError> {
        let rows = self.database.run(|connection: &Connection| {
            connection
                .prepare_cached("SELECT profile, body FROM cooldowns")?
                .query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?)))?
                .collect::<rusqlite::Result<Vec<_>>>()
        });
        let read = |(profile, body): (String, String)| {
            let cooldown = read(&body, || format!("the rest of {profile}"))?;
            Ok((profile, cooldown))
        };
        rows.await?.into_iter().map(read).collect()
    }

    async fn rest(&self, profile: &str, cooldown: &Cooldown) -> Result<(), StoreError> {
        let body = write(cooldown, || format!("the rest of {profile}"))?;
        let profile = profile.to_owned();
        self.database
            .run(move |connection: &Connection| {
                connection
                    .prepare_cached("INSERT OR REPLACE INTO cooldowns (profile, body) VALUES (?1, ?2)")?
                    .execute(params![profile, body])
            })
            .await?;
        Ok(())
    }

    async fn recover(&self, profile: &str) -> Result<(), StoreError> {
        let profile = profile.to_owned();
        self.database
            .run(move |connection: &Connection| {
                connection.prepare_cached("DELETE FROM cooldowns WHERE profile = ?1")?.execute([&profile])
            })
            .await?;
        Ok(())
    }
}
