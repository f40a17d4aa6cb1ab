//! Requests for consent, rules and the audit log as rows of the table. A request is changed only if it still is as it was
//! read; a record of the log takes a number that nobody has. There are few requests and rules, so that each kind is read
//! together.

use async_trait::async_trait;
use chela_core::approval::{ApprovalStore, KEPT_MS, Request, Rule, State};
use chela_core::audit::{AuditLog, Record};
use chela_core::session::{Put, StoreError};

use crate::item::{Item, Key, Row, number, text};
use crate::session::{encode, json};
use crate::table::{Table, Written};

/// There while a request waits.
const WAITING: &str = "w";

#[async_trait]
impl ApprovalStore for Table {
    async fn ask(&self, request: &Request) -> Result<Put<Request>, StoreError> {
        self.put_first(row(request)?).await
    }

    async fn request(&self, id: &str) -> Result<Option<Request>, StoreError> {
        self.get(&Key::request(id)).await?.map(|item| Row(&item).body()).transpose()
    }

    async fn change(&self, seen: &Request, becomes: &Request) -> Result<bool, StoreError> {
        let values = Item::from([(":seen".to_owned(), text(json(seen)?))]);
        Ok(matches!(self.put_if(row(becomes)?, "j = :seen", values).await?, Written::Done))
    }

    async fn waiting(&self) -> Result<Vec<Request>, StoreError> {
        let mut requests: Vec<Request> = self.kept(Key::REQUESTS, WAITING).await?;
        requests.sort_by(|one, other| (other.asked_at, &one.id).cmp(&(one.asked_at, &other.id)));
        Ok(requests)
    }

    async fn remember(&self, rule: &Rule) -> Result<(), StoreError> {
        self.put(encode(&Key::rule(&rule.id), rule)?).await
    }

    async fn forget(&self, id: &str) -> Result<bool, StoreError> {
        // The row stays, empty: no role needs to delete rows.
        let written = self.put_if(Key::rule(id).item(), "attribute_exists(j)", Item::new()).await?;
        Ok(matches!(written, Written::Done))
    }

    async fn rules(&self) -> Result<Vec<Rule>, StoreError> {
        self.kept(Key::RULES, "j").await
    }
}

#[async_trait]
impl AuditLog for Table {
    async fn record(&self, tenant: &str, record: &Record) -> Result<Put<Record>, StoreError> {
        self.put_first(encode(&Key::record(tenant, record.number), record)?).await
    }

    async fn records(&self, tenant: &str, before: u64, limit: usize) -> Result<Vec<Record>, StoreError> {
        let end = Key::record(tenant, before);
        let query = self
            .client
            .query()
            .table_name(&self.name)
            .key_condition_expression("pk = :pk AND sk < :end")
            .expression_attribute_values(":pk", text(end.pk))
            .expression_attribute_values(":end", text(end.sk))
            .scan_index_forward(false)
            .consistent_read(true);
        let mut records = Vec::new();
        let mut from = None;
        loop {
            let left = i32::try_from(limit.saturating_sub(records.len())).unwrap_or(i32::MAX);
            if left == 0 {
                return Ok(records);
            }
            let page = query.clone().limit(left).set_exclusive_start_key(from).send().await;
            let page = page.map_err(|error| self.failed(&error))?;
            for item in page.items() {
                records.push(Row(item).body()?);
            }
            from = page.last_evaluated_key;
            if from.is_none() {
                return Ok(records);
            }
        }
    }
}

impl Table {
    /// The values of a partition whose rows have this attribute.
    async fn kept<T: serde::de::DeserializeOwned>(
        &self,
        partition: &str,
        attribute: &str,
    ) -> Result<Vec<T>, StoreError> {
        let query = self
            .client
            .query()
            .table_name(&self.name)
            .key_condition_expression("pk = :pk")
            .filter_expression("attribute_exists(#a)")
            .expression_attribute_names("#a", attribute)
            .expression_attribute_values(":pk", text(partition));
        self.bodies(query.consistent_read(true)).await
    }
}

fn row(request: &Request) -> Result<Item, StoreError> {
    let mut item = encode(&Key::request(&request.id), request)?;
    item.insert("ttl".to_owned(), number(request.expires_at.plus(KEPT_MS).seconds()));
    if request.state == State::Waiting {
        item.insert(WAITING.to_owned(), number(1));
    }
    Ok(item)
}
