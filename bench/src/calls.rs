//! What a turn asks of AWS: the real functions, driven by the Runtime API against the emulator, counted in between.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::timeout;

use crate::cost;
use crate::deployment::{configuration, queue_arn, queue_url, variables};
use crate::emulator::{Emulator, call};
use crate::load::message;
use crate::place::Place;
use crate::platform::Platform;
use crate::proxy::{Counts, Proxy};
use crate::report::{Goal, Report};
use crate::runtime_api::Function;
use crate::signing::{Signer, now_s};

/// The budget of DESIGN.md: claim, accept, answer, mark, finish.
const WRITES: f64 = 5.0;

/// Conversations the counted turns are spread over.
const SENDERS: usize = 5;

/// Configuration and prompt are looked at again after 30 s.
const PAUSE: Duration = Duration::from_secs(31);

/// The whole path on AWS, but for the event source mapping, which is played here.
struct Path {
    platform: Platform,
    signer: Signer,
    webhook: (Function, Proxy),
    agent: (Function, Proxy),
    /// What the event source mapping asks.
    mapping: Proxy,
    senders: Vec<Sender>,
}

struct Sender {
    name: String,
    replies: UnboundedReceiver<String>,
    sent: usize,
}

/// Calls of everybody, and bytes logged.
struct Reading {
    calls: Counts,
    log_bytes: u64,
}

pub(crate) async fn measure(place: &Place, turns: usize, with_pause: bool, report: &mut Report) -> anyhow::Result<()> {
    let emulator = Emulator::start(&place.root)?;
    let mut path = Path::open(place, &emulator, report).await?;
    // The first message of a conversation reads no history, and the first of all reads the workspace.
    for sender in 0..SENDERS {
        path = path.turn(sender).await.context("the first turn of a conversation")?;
    }
    let before = path.reading();
    for turn in 0..turns {
        path = path.turn(turn % SENDERS).await.with_context(|| format!("turn {turn}"))?;
    }
    let after = path.reading();
    let per_turn = after.calls.since(&before.calls, turns as f64);
    let log_bytes = (after.log_bytes - before.log_bytes) as f64 / turns as f64;
    describe(&per_turn, log_bytes, turns, report);
    if with_pause {
        tokio::time::sleep(PAUSE).await;
        let path = path.turn(0).await.context("the turn after a pause")?;
        let paused = path.reading();
        let calls = paused.calls.since(&after.calls, 1.0);
        for (name, count) in &calls.calls {
            report.value(&format!("calls_per_turn_after_pause.{name}"), *count);
        }
        let dollars = cost::total(&cost::bill(&calls, (paused.log_bytes - after.log_bytes) as f64));
        let label = "a million turns, 30 s and more between them";
        report.row("usd_per_million_after_pause", label, dollars, "$", Goal::None);
    }
    Ok(())
}

fn describe(per_turn: &Counts, log_bytes: f64, turns: usize, report: &mut Report) {
    report.heading(format!("calls to AWS per plain turn, counted over {turns} turns of warm functions"));
    for (name, count) in &per_turn.calls {
        report.row(&format!("calls_per_turn.{name}"), name, *count, "", Goal::None);
    }
    let writes = per_turn.of("dynamodb.Put") + per_turn.of("dynamodb.Update") + per_turn.of("dynamodb.Delete");
    let writes = writes + per_turn.of("dynamodb.Batch") + per_turn.of("dynamodb.Transact") + per_turn.of("s3.Put");
    report.row("writes_per_turn", "writes, all together", writes, "", Goal::NeverMore(WRITES));
    report.row("write_units_per_turn", "  as DynamoDB bills them", per_turn.write_units, "WRU", Goal::None);
    report.row("read_units_per_turn", "reads, as DynamoDB bills them", per_turn.read_units, "RRU", Goal::None);
    report.row("log_bytes_per_turn", "logged by both functions", log_bytes, "bytes", Goal::None);
    let bill = cost::bill(per_turn, log_bytes);
    report.heading("dollars for a million turns, without tokens and free tier".to_owned());
    for item in bill.iter().filter(|item| item.dollars > 0.0) {
        report.row(&format!("usd_per_million.{}", item.key), item.what, item.dollars, "$", Goal::None);
    }
    report.row("usd_per_million", "a million turns", cost::total(&bill), "$", Goal::None);
}

impl Path {
    async fn open(place: &Place, emulator: &Emulator, report: &mut Report) -> anyhow::Result<Self> {
        let signer = Signer::new()?;
        let platform = Platform::start(signer.clone()).await?;
        emulator.provision(&configuration(&platform.callback_url())).await.context("the emulator cannot be set up")?;
        let mut opened = Vec::new();
        for name in ["webhook", "agent"] {
            let proxy = Proxy::start(emulator.address).await?;
            let log = place.file(&format!("calls-{name}.log"));
            let (function, _) = Function::start(&place.binary(name), &variables(name, &proxy.url()), log).await?;
            for (call, count) in &proxy.counts().calls {
                report.value(&format!("calls_at_init.{name}.{call}"), *count);
            }
            opened.push((function, proxy));
        }
        let (Some(agent), Some(webhook)) = (opened.pop(), opened.pop()) else { anyhow::bail!("nothing was started") };
        let mapping = Proxy::start(emulator.address).await?;
        let senders = (0..SENDERS).map(|number| {
            let name = format!("peer-{number}");
            let replies = platform.listen(&name);
            Sender { name, replies, sent: 0 }
        });
        let senders = senders.collect();
        Ok(Self { platform, signer, webhook, agent, mapping, senders })
    }

    fn reading(&self) -> Reading {
        let mut calls = self.webhook.1.counts();
        calls.add(&self.agent.1.counts());
        calls.add(&self.mapping.counts());
        Reading { calls, log_bytes: self.webhook.0.log_bytes() + self.agent.0.log_bytes() }
    }

    /// One message, from the platform's request to the reply at the platform.
    async fn turn(mut self, sender: usize) -> anyhow::Result<Self> {
        let sender = self.senders.get_mut(sender).context("no such sender")?;
        sender.sent += 1;
        let id = format!("{}-{}", sender.name, sender.sent);
        let text = format!("This is message {} of {}. What is on my list for tomorrow?", sender.sent, sender.name);
        let body = message(&id, &sender.name, &text);
        let event = url_event(&self.signer, &id, &body);
        let (webhook, answer) = self.webhook.0.invoke(&event).await?;
        self.webhook.0 = webhook;
        ensure!(answer.get("statusCode") == Some(&json!(200)), "the webhook answered {answer}");
        let received = receive(&self.mapping).await?;
        let (agent, answer) = self.agent.0.invoke(&queue_event(&received)?).await?;
        self.agent.0 = agent;
        let failures = answer.get("batchItemFailures").and_then(Value::as_array).map(Vec::len);
        ensure!(failures == Some(0), "the agent wants the message again: {answer}");
        let receipt = received.get("ReceiptHandle").context("no receipt")?;
        let delete = json!({ "QueueUrl": queue_url(&self.mapping.url(), "live"), "ReceiptHandle": receipt });
        call(self.mapping.address(), "sqs", "AmazonSQS.DeleteMessage", &delete).await?;
        let answered = timeout(Duration::from_secs(10), sender.replies.recv()).await.ok().flatten();
        let replies = self.platform.replies()?;
        ensure!(answered.as_ref() == Some(&id), "{id} got the reply to {answered:?}");
        let total: usize = self.senders.iter().map(|sender| sender.sent).sum();
        ensure!(replies == total as u64, "a message was answered more than once");
        Ok(self)
    }
}

/// What the event source mapping does first.
async fn receive(mapping: &Proxy) -> anyhow::Result<Value> {
    let ask = json!({
        "QueueUrl": queue_url(&mapping.url(), "live"), "MaxNumberOfMessages": 10, "WaitTimeSeconds": 10,
        "MessageSystemAttributeNames": ["All"],
    });
    let mut answer = call(mapping.address(), "sqs", "AmazonSQS.ReceiveMessage", &ask).await?;
    let messages = answer.get_mut("Messages").and_then(Value::as_array_mut);
    let messages = messages.context("the webhook accepted a message that is not in the queue")?;
    ensure!(messages.len() == 1, "one message was sent, {} are in the queue", messages.len());
    messages.pop().context("no message")
}

/// <https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html>
pub(crate) fn queue_event(message: &Value) -> anyhow::Result<Value> {
    let of = |name: &str| message.get(name).cloned().with_context(|| format!("a message without {name}"));
    let record = json!({
        "messageId": of("MessageId")?, "receiptHandle": of("ReceiptHandle")?, "body": of("Body")?,
        "attributes": of("Attributes")?, "messageAttributes": {}, "md5OfBody": of("MD5OfBody")?,
        "eventSource": "aws:sqs", "eventSourceARN": queue_arn("live"), "awsRegion": "us-east-1",
    });
    Ok(json!({ "Records": [record] }))
}

/// <https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html#urls-payloads>
pub(crate) fn url_event(signer: &Signer, id: &str, body: &str) -> Value {
    let host = "bench.lambda-url.us-east-1.on.aws";
    let mut headers = json!({ "content-type": "application/json", "host": host, "user-agent": "chela-bench" });
    for (name, value) in signer.headers(id, body.as_bytes()) {
        headers.as_object_mut().map(|headers| headers.insert(name.to_owned(), value.into()));
    }
    json!({
        "version": "2.0", "routeKey": "$default", "rawPath": "/", "rawQueryString": "", "headers": headers,
        "requestContext": {
            "accountId": "anonymous", "apiId": "bench", "domainName": host, "domainPrefix": "bench",
            "http": { "method": "POST", "path": "/", "protocol": "HTTP/1.1", "sourceIp": "127.0.0.1", "userAgent": "chela-bench" },
            "requestId": id, "routeKey": "$default", "stage": "$default",
            "time": "01/Jan/2026:00:00:00 +0000", "timeEpoch": now_s() * 1000,
        },
        "body": body, "isBase64Encoded": false,
    })
}
