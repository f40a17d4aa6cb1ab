//! Stands between a function and the emulator and counts what goes through, as AWS would bill it.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Map, Value};
use tokio::net::TcpListener;

use crate::http::{Message, Wire, answer};

/// Calls, and what DynamoDB bills them as.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Counts {
    /// By `<service>.<operation>`.
    pub(crate) calls: BTreeMap<String, f64>,
    /// Write request units.
    pub(crate) write_units: f64,
    /// Read request units.
    pub(crate) read_units: f64,
}

impl Counts {
    /// What came after `before`, per turn.
    pub(crate) fn since(&self, before: &Self, turns: f64) -> Self {
        let calls = self.calls.iter().map(|(name, count)| {
            let had = before.calls.get(name).copied().unwrap_or(0.0);
            (name.clone(), (count - had) / turns)
        });
        Self {
            calls: calls.filter(|(_, count)| *count > 0.0).collect(),
            write_units: (self.write_units - before.write_units) / turns,
            read_units: (self.read_units - before.read_units) / turns,
        }
    }

    pub(crate) fn add(&mut self, other: &Self) {
        for (name, count) in &other.calls {
            *self.calls.entry(name.clone()).or_default() += count;
        }
        self.write_units += other.write_units;
        self.read_units += other.read_units;
    }

    /// Everything that writes, DynamoDB and S3.
    pub(crate) fn writes(&self) -> f64 {
        let writing =
            ["dynamodb.Put", "dynamodb.Update", "dynamodb.Delete", "dynamodb.Batch", "dynamodb.Transact", "s3.Put"];
        writing.into_iter().map(|beginning| self.of(beginning)).sum()
    }

    /// Everything that reads, DynamoDB and S3.
    pub(crate) fn reads(&self) -> f64 {
        ["dynamodb.Get", "dynamodb.Query", "s3.Get", "s3.Head", "s3.List"].into_iter().map(|it| self.of(it)).sum()
    }

    /// Calls whose names begin so.
    pub(crate) fn of(&self, beginning: &str) -> f64 {
        self.calls.iter().filter(|(name, _)| name.starts_with(beginning)).map(|(_, count)| count).sum()
    }
}

/// A running proxy; it runs until the program ends.
pub(crate) struct Proxy {
    address: SocketAddr,
    counts: Arc<Mutex<Counts>>,
}

impl Proxy {
    pub(crate) async fn start(to: SocketAddr) -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let counts = Arc::new(Mutex::new(Counts::default()));
        let shared = counts.clone();
        tokio::spawn(async move {
            while let Ok(wire) = Wire::accept(&listener).await {
                tokio::spawn(serve(wire, to, shared.clone()));
            }
        });
        Ok(Self { address, counts })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn counts(&self) -> Counts {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

async fn serve(mut wire: Wire, to: SocketAddr, counts: Arc<Mutex<Counts>>) {
    while let Ok(Some(request)) = wire.read_request().await {
        let passed = match forward(&request, to).await {
            Ok(reply) => {
                count(&request, &reply, &mut counts.lock().unwrap_or_else(PoisonError::into_inner));
                if request.method() == "HEAD" || reply.status() == 304 {
                    format!("{}\r\n\r\n", reply.head).into_bytes()
                } else {
                    reply.with_length()
                }
            }
            Err(error) => answer(502, "", format!("the emulator does not answer: {error}").as_bytes()),
        };
        if wire.write(&passed).await.is_err() {
            return;
        }
    }
}

/// A connection for each request: the emulator may close an idle one at any moment, and nothing is timed here.
async fn forward(request: &Message, to: SocketAddr) -> std::io::Result<Message> {
    let mut emulator = Wire::connect(to).await?;
    emulator.write(&request.with_length()).await?;
    emulator.read_answer(request.method() == "HEAD").await
}

fn count(request: &Message, reply: &Message, counts: &mut Counts) {
    let name = operation(request);
    if let Some(operation) = name.strip_prefix("dynamodb.") {
        let asked = object(&request.body);
        let said = object(&reply.body);
        let (written, read) = units(operation, &asked, &said);
        counts.write_units += written;
        counts.read_units += read;
    }
    *counts.calls.entry(name).or_default() += 1.0;
}

/// `<service>.<operation>`, as AWS calls them.
fn operation(request: &Message) -> String {
    if let Some((service, operation)) = request.header("x-amz-target").and_then(|target| target.split_once('.')) {
        let service = match service {
            "DynamoDB_20120810" => "dynamodb",
            "AmazonSQS" => "sqs",
            "AmazonSSM" => "ssm",
            "AWSEvents" => "events",
            other => other,
        };
        return format!("{service}.{operation}");
    }
    // Signature Version 4 names the service: Credential=<key>/<day>/<region>/<service>/aws4_request
    let scope = request.header("authorization").and_then(|signed| signed.split("Credential=").nth(1));
    let service = scope.and_then(|scope| scope.split('/').nth(3)).unwrap_or("unsigned");
    let operation = match (service, request.method()) {
        ("s3", "GET") if request.target().contains("list-type=2") => "ListObjectsV2",
        ("s3", "GET") => "GetObject",
        ("s3", "HEAD") => "HeadObject",
        ("s3", "PUT") => "PutObject",
        ("s3", "DELETE") => "DeleteObject",
        ("lambda", "POST") => "Invoke",
        (_, method) => return format!("{service}.{method} {}", request.target()),
    };
    format!("{service}.{operation}")
}

/// Write and read units of a call, from the sizes of what was written and found.
/// <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/capacity-unit-calculations.html>
fn units(operation: &str, asked: &Map<String, Value>, said: &Map<String, Value>) -> (f64, f64) {
    let consistent = asked.get("ConsistentRead").and_then(Value::as_bool).unwrap_or(false);
    let read = |bytes: f64| (bytes / 4096.0).ceil().max(1.0) * if consistent { 1.0 } else { 0.5 };
    let bytes = |item: Option<&Value>| item.map_or(0.0, item_bytes);
    match operation {
        "PutItem" => ((bytes(asked.get("Item")) / 1024.0).ceil(), 0.0),
        // Every update here asks for the new row back, and the whole row is billed.
        "UpdateItem" => ((bytes(said.get("Attributes").or(said.get("Item"))) / 1024.0).ceil().max(1.0), 0.0),
        "GetItem" => (0.0, read(bytes(said.get("Item")))),
        "Query" => {
            let items = said.get("Items").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
            (0.0, read(items.iter().map(item_bytes).sum()))
        }
        _ => (1.0, 1.0),
    }
}

/// Names and values of a row.
fn item_bytes(item: &Value) -> f64 {
    let attributes = item.as_object().into_iter().flatten();
    attributes.map(|(name, value)| name.len() as f64 + value_bytes(value)).sum()
}

fn value_bytes(value: &Value) -> f64 {
    let Some((kind, value)) = value.as_object().and_then(|typed| typed.iter().next()) else { return 1.0 };
    match (kind.as_str(), value) {
        ("N", Value::String(digits)) => (digits.len() as f64 / 2.0).ceil() + 1.0,
        ("B", Value::String(base64)) => base64.len() as f64 * 0.75,
        (_, Value::String(text)) => text.len() as f64,
        ("M", map) => 3.0 + item_bytes(map),
        (_, Value::Array(list)) => 3.0 + list.iter().map(|value| 1.0 + value_bytes(value)).sum::<f64>(),
        _ => 1.0,
    }
}

fn object(body: &[u8]) -> Map<String, Value> {
    serde_json::from_slice(body).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn request(head: &str) -> Message {
        Message { head: head.replace('\n', "\r\n"), body: Vec::new() }
    }

    #[test]
    fn calls_have_the_names_aws_gives_them() {
        let named = |head: &str| operation(&request(head));
        assert_eq!(named("POST / HTTP/1.1\nX-Amz-Target: DynamoDB_20120810.UpdateItem"), "dynamodb.UpdateItem");
        assert_eq!(named("POST / HTTP/1.1\nx-amz-target: AmazonSQS.SendMessage"), "sqs.SendMessage");
        let s3 =
            "authorization: AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/s3/aws4_request, SignedHeaders=host";
        assert_eq!(named(&format!("GET /b/agents/main/SOUL.md HTTP/1.1\n{s3}")), "s3.GetObject");
        assert_eq!(named(&format!("GET /b/?list-type=2&prefix=x HTTP/1.1\n{s3}")), "s3.ListObjectsV2");
        assert_eq!(named("GET /x HTTP/1.1"), "unsigned.GET /x");
    }

    #[test]
    fn a_row_of_more_than_a_kilobyte_is_two_writes_and_a_strong_read_costs_twice_a_weak_one() {
        let row = |bytes: usize| json!({ "Item": { "j": { "S": "x".repeat(bytes) } } }).as_object().unwrap().clone();
        let nothing = Map::new();
        assert_eq!(units("PutItem", &row(1023), &nothing), (1.0, 0.0));
        assert_eq!(units("PutItem", &row(1024), &nothing), (2.0, 0.0));
        assert_eq!(units("GetItem", &nothing, &row(5000)), (0.0, 1.0));
        let strong = json!({ "ConsistentRead": true }).as_object().unwrap().clone();
        assert_eq!(units("GetItem", &strong, &row(5000)), (0.0, 2.0));
    }

    #[test]
    fn what_was_there_before_is_not_counted() {
        let counts = |send: f64, put: f64| Counts {
            calls: [("sqs.SendMessage".to_owned(), send), ("dynamodb.PutItem".to_owned(), put)].into(),
            write_units: put,
            read_units: 0.0,
        };
        let per_turn = counts(21.0, 40.0).since(&counts(1.0, 40.0), 20.0);
        assert_eq!(per_turn, Counts { calls: [("sqs.SendMessage".to_owned(), 1.0)].into(), ..Counts::default() });
    }
}
