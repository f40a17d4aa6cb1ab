//! Rows of the table that go at a person's request. Each is deleted by itself, so that whoever is stopped in between can
//! begin anew; backups of the table keep what was in it for as long as they are kept.

use async_trait::async_trait;
use chela_core::access::{AccessStore, SenderRef};
use chela_core::approval::Request;
use chela_core::directory::Listing;
use chela_core::erasure::{Erasure, Row as StoredRow, RowBody};
use chela_core::session::StoreError;
use chela_core::session_key::SessionKey;

use crate::item::{FLAGGED, Item, Key, LEFT, Row, session_name, text};
use crate::session::json;
use crate::table::Table;

/// Begins the names of accepted events, and of nothing else.
const EVENT: [&str; 2] = ["E#", "E~"];

/// What follows the session in the name of a flag: `#`, twelve digits, `#` and five.
const FLAG_TAIL: usize = 19;

#[async_trait]
impl Erasure for Table {
    async fn stored(&self, session: &SessionKey, after: &str, limit: usize) -> Result<Vec<StoredRow>, StoreError> {
        let mut found = Vec::new();
        let mut from = after.to_owned();
        while found.len() < limit {
            // One more for the head, which is not among them.
            let missing = limit.saturating_sub(found.len()).saturating_add(1);
            let query = self.all_of(&session_name(session)).limit(i32::try_from(missing).unwrap_or(i32::MAX));
            let query = match from.as_str() {
                "" => query,
                from => query
                    .key_condition_expression("pk = :pk AND sk > :after")
                    .expression_attribute_values(":after", text(from)),
            };
            let page = query.send().await.map_err(|error| self.failed(&error))?;
            for item in page.items() {
                from = Row(item).text("sk").unwrap_or_default().to_owned();
                if found.len() < limit && from != Key::head(session).sk {
                    found.push(read(item)?);
                }
            }
            if page.last_evaluated_key.is_none() {
                break;
            }
        }
        Ok(found)
    }

    async fn replace(&self, session: &SessionKey, row: &StoredRow) -> Result<(), StoreError> {
        let body = match &row.body {
            RowBody::Event(accepted) => json(accepted)?,
            RowBody::Entry(entry) => json(entry)?,
        };
        // The rest of the row stays as it is, its end above all.
        let update = self
            .client
            .update_item()
            .table_name(&self.name)
            .key("pk", text(session_name(session)))
            .key("sk", text(&row.name))
            .update_expression("SET j = :body")
            .condition_expression("attribute_exists(pk)")
            .expression_attribute_values(":body", text(body));
        match update.send().await {
            Ok(_) => Ok(()),
            Err(error) if error.as_service_error().is_some_and(|it| it.is_conditional_check_failed_exception()) => {
                Ok(())
            }
            Err(error) => Err(self.failed(&error)),
        }
    }

    async fn remove(&self, session: &SessionKey, name: &str) -> Result<(), StoreError> {
        self.delete(&Key { pk: session_name(session), sk: name.to_owned() }).await
    }

    async fn remove_left(&self, session: &SessionKey) -> Result<(), StoreError> {
        self.delete_all(&Key::control(session).pk, |sk, _| sk.starts_with(LEFT)).await
    }

    async fn remove_marks(&self, session: &SessionKey) -> Result<(), StoreError> {
        self.delete_all(&Key::control(session).pk, |_, _| true).await?;
        self.delete(&Key::wishes(session)).await?;
        let name = session_name(session);
        let of_session = |sk: &str, _: &Item| {
            sk.strip_prefix(&name).is_some_and(|rest| {
                rest.len() == FLAG_TAIL && rest.starts_with('#') && rest.chars().all(|c| c == '#' || c.is_ascii_digit())
            })
        };
        self.delete_all(FLAGGED, of_session).await
    }

    async fn unlist(&self, listing: &Listing) -> Result<(), StoreError> {
        let end = format!("#{}", session_name(&listing.session));
        let of_session = |sk: &str, item: &Item| {
            sk.ends_with(&end) && Row(item).body::<Listing>().is_ok_and(|found| found.session == listing.session)
        };
        self.delete_all(&Key::listed(&listing.agent), of_session).await?;
        // Last from its parent's: whoever stops between the two finds it there again.
        match &listing.parent {
            Some(parent) => self.delete_all(&Key::children(parent), of_session).await,
            None => Ok(()),
        }
    }

    async fn requests(&self) -> Result<Vec<Request>, StoreError> {
        self.bodies(self.all_of(Key::REQUESTS)).await
    }

    async fn remove_request(&self, id: &str) -> Result<(), StoreError> {
        self.delete(&Key::request(id)).await
    }

    async fn disapprove(&self, who: &SenderRef) -> Result<bool, StoreError> {
        let approved = self.approved(who).await?;
        self.delete(&Key::approval(who)).await?;
        Ok(self.withdraw(who).await? || approved)
    }

    /// The service keeps what was deleted in no place that is ours.
    async fn wipe(&self) -> Result<(), StoreError> {
        Ok(())
    }
}

fn read(item: &Item) -> Result<StoredRow, StoreError> {
    let row = Row(item);
    let name = row.text("sk").unwrap_or_default().to_owned();
    let body = if EVENT.iter().any(|begin| name.starts_with(begin)) {
        RowBody::Event(row.body()?)
    } else {
        RowBody::Entry(row.body()?)
    };
    Ok(StoredRow { name, body })
}

impl Table {
    fn all_of(&self, partition: &str) -> aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder {
        self.client
            .query()
            .table_name(&self.name)
            .key_condition_expression("pk = :pk")
            .expression_attribute_values(":pk", text(partition))
            .consistent_read(true)
    }

    async fn delete(&self, key: &Key) -> Result<(), StoreError> {
        let delete = self.client.delete_item().table_name(&self.name).key("pk", text(&key.pk)).key("sk", text(&key.sk));
        delete.send().await.map(drop).map_err(|error| self.failed(&error))
    }

    /// Deletes the rows of a partition of which this is true.
    async fn delete_all(&self, partition: &str, which: impl Fn(&str, &Item) -> bool) -> Result<(), StoreError> {
        for item in self.rows(self.all_of(partition)).await? {
            if let Some(sk) = Row(&item).text("sk").filter(|sk| which(sk, &item)) {
                self.delete(&Key { pk: partition.to_owned(), sk: sk.to_owned() }).await?;
            }
        }
        Ok(())
    }
}
