//! The DynamoDB table that keeps sessions and all small rows: one client, and the calls its ports share.

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;
use aws_sdk_dynamodb::types::ReturnValuesOnConditionCheckFailure;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use chela_core::session::StoreError;

use crate::client::{AwsClients, Lazy, reason};
use crate::environment::{AwsEnvironment, MissingVariable};
use crate::item::{Item, Key, text};

/// Sessions, access, money and lists in one DynamoDB table with the keys `pk` and `sk` (both strings) and the TTL attribute `ttl`.
/// It is never scanned, no row is deleted but by TTL and at a person's request, and no write is a transaction.
#[derive(Clone, Debug)]
pub struct Table {
    pub(crate) client: Lazy<Client>,
    pub(crate) name: String,
}

/// What a conditional put found.
pub(crate) enum Written {
    /// The condition held.
    Done,
    /// It did not; this is the row as it is.
    Refused(Option<Item>),
}

impl Table {
    /// Needs `CHELA_TABLE`. Does no I/O.
    pub fn new(clients: &AwsClients, environment: &AwsEnvironment) -> Result<Self, MissingVariable> {
        Ok(Self { client: clients.lazily(Client::new), name: environment.table()?.to_owned() })
    }

    /// Opens the connection, so that the first turn does not wait for it: reads a row that never is. An answer that
    /// refuses is an answer; an error means that nothing answered. Twice is harmless.
    pub async fn warm(&self) -> Result<(), StoreError> {
        let read = self.client.get_item().table_name(&self.name).key("pk", text("WARM")).key("sk", text("WARM"));
        match read.send().await {
            Ok(_) | Err(SdkError::ServiceError(_)) => Ok(()),
            Err(error) => Err(self.failed(&error)),
        }
    }

    /// A row, as it is after every write that was answered before.
    pub(crate) async fn get(&self, key: &Key) -> Result<Option<Item>, StoreError> {
        let read = self.client.get_item().table_name(&self.name).key("pk", text(&key.pk)).key("sk", text(&key.sk));
        let answer = read.consistent_read(true).send().await.map_err(|error| self.failed(&error))?;
        Ok(answer.item)
    }

    /// Writes a whole row, whatever was there.
    pub(crate) async fn put(&self, item: Item) -> Result<(), StoreError> {
        let write = self.client.put_item().table_name(&self.name).set_item(Some(item));
        write.send().await.map(drop).map_err(|error| self.failed(&error))
    }

    /// Writes a whole row if `condition` holds for what is there. One request, also when it does not hold.
    pub(crate) async fn put_if(&self, item: Item, condition: &str, values: Item) -> Result<Written, StoreError> {
        let values = if values.is_empty() { None } else { Some(values) };
        let write = self
            .client
            .put_item()
            .table_name(&self.name)
            .set_item(Some(item))
            .condition_expression(condition)
            .set_expression_attribute_values(values)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        let Err(error) = write.send().await else { return Ok(Written::Done) };
        match error.as_service_error() {
            Some(PutItemError::ConditionalCheckFailedException(refusal)) => {
                Ok(Written::Refused(refusal.item().cloned()))
            }
            _ => Err(self.failed(&error)),
        }
    }

    /// All rows of a query, page by page.
    pub(crate) async fn rows(&self, query: QueryFluentBuilder) -> Result<Vec<Item>, StoreError> {
        let mut rows = Vec::new();
        let mut from = None;
        loop {
            let page = query.clone().set_exclusive_start_key(from).send().await.map_err(|error| self.failed(&error))?;
            rows.extend(page.items.unwrap_or_default());
            from = page.last_evaluated_key;
            if from.is_none() {
                return Ok(rows);
            }
        }
    }

    /// What the caller can do: a row too large never fits, all else may work later.
    pub(crate) fn failed<E: ProvideErrorMetadata>(&self, error: &SdkError<E, HttpResponse>) -> StoreError {
        let reason = reason(error);
        match error.code() {
            Some("ValidationException") if reason.contains("size") => StoreError::Full(reason),
            Some("ItemCollectionSizeLimitExceededException") => StoreError::Full(reason),
            Some("ResourceNotFoundException") => StoreError::Unavailable(format!(
                "there is no table \"{}\" in this region; set CHELA_TABLE to the stack's table ({reason})",
                self.name
            )),
            _ => StoreError::Unavailable(reason),
        }
    }
}
