//! Dollars for a million plain turns, from counted calls. List prices of us-east-1 without the free tier; tokens of
//! models are not in it.

use crate::proxy::Counts;

/// <https://aws.amazon.com/lambda/pricing/>: arm64, per GB-second and per invocation.
const LAMBDA_GB_S: f64 = 0.000_013_333_4;
const LAMBDA_REQUEST: f64 = 0.20e-6;

/// <https://aws.amazon.com/sqs/pricing/>: FIFO, per request of up to 64 KB.
const SQS_REQUEST: f64 = 0.50e-6;

/// <https://aws.amazon.com/dynamodb/pricing/on-demand/>: per request unit.
const WRITE_UNIT: f64 = 0.625e-6;
const READ_UNIT: f64 = 0.125e-6;

/// <https://aws.amazon.com/s3/pricing/>: per request; the dear ones write or list.
const S3_GET: f64 = 0.4e-6;
const S3_PUT: f64 = 5.0e-6;

/// <https://aws.amazon.com/eventbridge/pricing/>: per custom event.
const EVENT: f64 = 1.0e-6;

/// <https://aws.amazon.com/cloudwatch/pricing/>: per byte of log taken in.
const LOG_BYTE: f64 = 0.50e-9;

/// Assumed, not measured: both functions have 128 MB, a webhook takes 15 ms, a turn waits 6.3 s for its model, and a
/// batch is one message.
const FUNCTION_GB: f64 = 0.125;
const WEBHOOK_S: f64 = 0.015;
const AGENT_S: f64 = 6.3;

/// One line of the bill.
pub(crate) struct Item {
    /// Its key in `bench.json`.
    pub(crate) key: &'static str,
    /// What it is for.
    pub(crate) what: &'static str,
    /// For a million turns.
    pub(crate) dollars: f64,
}

/// The bill of a million turns.
pub(crate) fn bill(per_turn: &Counts, log_bytes: f64) -> Vec<Item> {
    let writes = per_turn.of("s3.Put") + per_turn.of("s3.List") + per_turn.of("s3.Copy");
    let lines = [
        ("lambda_requests", "Lambda requests", 2.0 * LAMBDA_REQUEST),
        ("lambda_webhook", "Lambda webhook, 15 ms of 128 MB (assumed)", FUNCTION_GB * WEBHOOK_S * LAMBDA_GB_S),
        ("lambda_agent", "Lambda agent, 6.3 s of 128 MB (assumed)", FUNCTION_GB * AGENT_S * LAMBDA_GB_S),
        ("sqs", "SQS requests", per_turn.of("sqs.") * SQS_REQUEST),
        ("dynamodb_writes", "DynamoDB writes", per_turn.write_units * WRITE_UNIT),
        ("dynamodb_reads", "DynamoDB reads", per_turn.read_units * READ_UNIT),
        ("s3", "S3 requests", (per_turn.of("s3.") - writes) * S3_GET + writes * S3_PUT),
        ("eventbridge", "EventBridge events", per_turn.of("events.") * EVENT),
        ("logs", "logs", log_bytes * LOG_BYTE),
    ];
    lines.map(|(key, what, each)| Item { key, what, dollars: each * 1e6 }).into()
}

/// The sum of a bill.
pub(crate) fn total(bill: &[Item]) -> f64 {
    bill.iter().map(|item| item.dollars).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_design_costs_what_it_was_planned_to_cost() {
        let calls = ["sqs.SendMessage", "sqs.ReceiveMessage", "sqs.DeleteMessage"].map(|name| (name.to_owned(), 1.0));
        let planned = Counts { calls: calls.into(), write_units: 5.0, read_units: 2.0 };
        assert_eq!((total(&bill(&planned, 512.0)) * 100.0).round(), 1606.0);
    }

    #[test]
    fn writing_to_s3_is_dearer_than_reading_from_it() {
        let of = |name: &str| Counts { calls: [(name.to_owned(), 1.0)].into(), ..Counts::default() };
        let s3 = |name| total(&bill(&of(name), 0.0)) - total(&bill(&Counts::default(), 0.0));
        assert!((s3("s3.GetObject") - 0.4).abs() < 1e-9 && (s3("s3.PutObject") - 5.0).abs() < 1e-9);
    }
}
