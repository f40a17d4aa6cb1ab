//! Rests of credentials as rows of the table, all in one partition: they are few, and read together.

use std::collections::BTreeMap;

use async_trait::async_trait;
use chela_core::cooldown::{Cooldown, CooldownStore};
use chela_core::session::StoreError;
use serde::{Deserialize, Serialize};

use crate::change::Change;
use crate::item::{Key, number, text};
use crate::session::encode;
use crate::table::Table;

/// Longer than the longest rest by far: who asks again after that begins anew.
const KEPT_S: u64 = 30 * 24 * 60 * 60;

/// The body of a row.
#[derive(Serialize, Deserialize)]
struct Resting {
    profile: String,
    #[serde(flatten)]
    rest: Cooldown,
}

#[async_trait]
impl CooldownStore for Table {
    async fn cooldowns(&self) -> Result<BTreeMap<String, Cooldown>, StoreError> {
        let query = self
            .client
            .query()
            .table_name(&self.name)
            .key_condition_expression("pk = :pk")
            .filter_expression("attribute_exists(j)")
            .expression_attribute_values(":pk", text(Key::COOLDOWNS));
        let rests: Vec<Resting> = self.bodies(query.consistent_read(true)).await?;
        Ok(rests.into_iter().map(|it| (it.profile, it.rest)).collect())
    }

    async fn rest(&self, profile: &str, cooldown: &Cooldown) -> Result<(), StoreError> {
        let resting = Resting { profile: profile.to_owned(), rest: *cooldown };
        let mut item = encode(&Key::cooldown(profile), &resting)?;
        item.insert("ttl".to_owned(), number(cooldown.until.seconds().saturating_add(KEPT_S)));
        self.put(item).await
    }

    async fn recover(&self, profile: &str) -> Result<(), StoreError> {
        // The row stays, empty, until its time: no role needs to delete rows.
        let mut change = Change::default();
        change.remove("j");
        change.if_there("j");
        self.change(&Key::cooldown(profile), change).await.map(drop)
    }
}
