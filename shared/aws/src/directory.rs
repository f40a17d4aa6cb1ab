//! Listings and wishes as rows of the table. A listing stands among its agent's and, if it has one, among its parent's;
//! rows of both partitions lie in the order they are asked for.

use std::collections::HashSet;

use async_trait::async_trait;
use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;
use chela_core::agent_id::AgentId;
use chela_core::clock::Millis;
use chela_core::directory::{Directory, Home, Listing, Wishes};
use chela_core::session::StoreError;
use chela_core::session_key::SessionKey;

use crate::item::{Key, Row, number, text};
use crate::session::encode;
use crate::table::Table;

/// Where nobody has written for so long, nobody is likely to answer what is written there.
const HOME_KEPT_S: u64 = 365 * 24 * 60 * 60;

#[async_trait]
impl Directory for Table {
    async fn list(&self, listing: &Listing) -> Result<(), StoreError> {
        // First the parent's: an attempt that stops between the two must not leave a child its parent does not know.
        if let Some(parent) = &listing.parent {
            self.put(encode(&Key::listing(Key::children(parent), listing), listing)?).await?;
        }
        self.put(encode(&Key::listing(Key::listed(&listing.agent), listing), listing)?).await
    }

    async fn listed(&self, agent: &AgentId, limit: usize) -> Result<Vec<Listing>, StoreError> {
        self.newest(&Key::listed(agent), limit).await
    }

    async fn children(&self, parent: &SessionKey, limit: usize) -> Result<Vec<Listing>, StoreError> {
        self.newest(&Key::children(parent), limit).await
    }

    async fn wishes(&self, session: &SessionKey) -> Result<Wishes, StoreError> {
        self.get(&Key::wishes(session)).await?.map_or_else(|| Ok(Wishes::default()), |item| Row(&item).body())
    }

    async fn wish(&self, session: &SessionKey, wishes: &Wishes) -> Result<(), StoreError> {
        self.put(encode(&Key::wishes(session), wishes)?).await
    }

    async fn note_home(&self, place: &str, home: &Home, now: Millis) -> Result<(), StoreError> {
        let mut item = encode(&Key::home(place), home)?;
        item.insert("ttl".to_owned(), number(now.seconds().saturating_add(HOME_KEPT_S)));
        self.put(item).await
    }

    async fn home(&self, place: &str) -> Result<Option<Home>, StoreError> {
        self.get(&Key::home(place)).await?.map(|item| Row(&item).body()).transpose()
    }
}

impl Table {
    /// The first listings of a partition, each conversation's newest alone: one that began anew has left a row.
    async fn newest(&self, partition: &str, limit: usize) -> Result<Vec<Listing>, StoreError> {
        let query: QueryFluentBuilder = self
            .client
            .query()
            .table_name(&self.name)
            .key_condition_expression("pk = :pk")
            .expression_attribute_values(":pk", text(partition))
            .limit(i32::try_from(limit.max(1)).unwrap_or(i32::MAX))
            .consistent_read(true);
        let (mut newest, mut seen, mut from) = (Vec::new(), HashSet::new(), None);
        loop {
            let page = query.clone().set_exclusive_start_key(from).send().await.map_err(|error| self.failed(&error))?;
            for item in page.items() {
                let listing: Listing = Row(item).body()?;
                if newest.len() < limit && seen.insert(listing.session.clone()) {
                    newest.push(listing);
                }
            }
            from = page.last_evaluated_key;
            if from.is_none() || newest.len() >= limit {
                return Ok(newest);
            }
        }
    }
}
