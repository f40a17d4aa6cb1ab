//! SQS batches in and out.

use anyhow::Context as _;
use aws_lambda_events::event::sqs::{BatchItemFailure, SqsBatchResponse, SqsEvent, SqsMessage};
use chela_aws::AwsEnvironment;
use chela_core::queue::Delivery;

/// The messages of a batch, in order.
pub(crate) fn read(event: SqsEvent, environment: &AwsEnvironment) -> anyhow::Result<Vec<Delivery>> {
    event.records.into_iter().map(|record| delivery(record, environment)).collect()
}

fn delivery(record: SqsMessage, environment: &AwsEnvironment) -> anyhow::Result<Delivery> {
    let source = record.event_source_arn.unwrap_or_default();
    let lane = environment.lane_of(&source).with_context(|| format!("{source} is none of this function's queues"))?;
    Ok(Delivery {
        message_id: record.message_id.context("a record has no messageId")?,
        receipt: record.receipt_handle.context("a record has no receiptHandle")?,
        lane,
        group: record.attributes.get("MessageGroupId").cloned().unwrap_or_default(),
        receives: record.attributes.get("ApproximateReceiveCount").and_then(|count| count.parse().ok()).unwrap_or(1),
        body: record.body.unwrap_or_default(),
    })
}

/// The partial batch response. It is a type, because AWS takes any other shape for "everything succeeded".
/// <https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html>
pub(crate) fn answer(failed: Vec<String>) -> SqsBatchResponse {
    let failures = failed.into_iter().map(|item_identifier| {
        let mut failure = BatchItemFailure::default();
        failure.item_identifier = item_identifier;
        failure
    });
    let mut response = SqsBatchResponse::default();
    response.batch_item_failures = failures.collect();
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn l07_the_response_has_the_keys_aws_reads() {
        let response = serde_json::to_value(answer(vec!["m1".into()])).unwrap();
        assert_eq!(response, serde_json::json!({"batchItemFailures": [{"itemIdentifier": "m1"}]}));
    }

    #[test]
    fn a_batch_keeps_its_order_and_knows_its_lane() {
        let lookup = |name: &str| (name == "CHELA_QUEUE_LIVE").then(|| "https://sqs/1/chela-dev-live.fifo".to_owned());
        let environment = AwsEnvironment::from_env(lookup);
        let record = |id: &str, queue: &str| {
            serde_json::json!({
                "messageId": id, "receiptHandle": "r", "body": "{}", "eventSource": "aws:sqs",
                "eventSourceARN": format!("arn:aws:sqs:us-east-1:1:{queue}"), "awsRegion": "us-east-1",
                "attributes": {"MessageGroupId": "agent:main:main", "ApproximateReceiveCount": "3"}, "messageAttributes": {}
            })
        };
        let event = |queue| {
            let records = serde_json::json!({"Records": [record("1", queue), record("2", queue)]});
            serde_json::from_value::<SqsEvent>(records).unwrap()
        };
        let batch = read(event("chela-dev-live.fifo"), &environment).unwrap();
        let ids: Vec<&str> = batch.iter().map(|delivery| delivery.message_id.as_str()).collect();
        assert_eq!((ids, batch[0].receives, batch[0].group.as_str()), (vec!["1", "2"], 3, "agent:main:main"));
        assert!(read(event("another.fifo"), &environment).unwrap_err().to_string().contains("another.fifo"));
    }
}
