//! The whole path of a message on AWS: the real functions, driven by the Runtime API against the emulator, and everything
//! they ask of it counted.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::timeout;

use crate::deployment::{queue_arn, queue_url, variables};
use crate::emulator::{Emulator, call};
use crate::load::message;
use crate::place::Place;
use crate::platform::Platform;
use crate::proxy::{Counts, Proxy};
use crate::runtime_api::Function;
use crate::signing::{Signer, now_s};

/// Webhook and agent; the event source mapping is played here.
pub(crate) struct Path {
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
pub(crate) struct Reading {
    pub(crate) calls: Counts,
    pub(crate) log_bytes: u64,
}

impl Path {
    /// Starts both functions under a configuration, which is made from where replies go. `name` begins the names of the
    /// `senders` conversations and of the logs: no two paths have the same.
    pub(crate) async fn open(
        place: &Place,
        emulator: &Emulator,
        name: &str,
        senders: usize,
        configuration: impl FnOnce(&str) -> String,
    ) -> anyhow::Result<Self> {
        let signer = Signer::new()?;
        let platform = Platform::start(signer.clone()).await?;
        emulator.configure(&configuration(&platform.callback_url())).await.context("the emulator takes no file")?;
        let mut opened = Vec::new();
        for function in ["webhook", "agent"] {
            let proxy = Proxy::start(emulator.address).await?;
            let log = place.file(&format!("{name}-{function}.log"));
            let variables = variables(function, &proxy.url());
            let (started, _) = Function::start(&place.binary(function), &variables, log).await?;
            opened.push((started, proxy));
        }
        let (Some(agent), Some(webhook)) = (opened.pop(), opened.pop()) else { anyhow::bail!("nothing was started") };
        let mapping = Proxy::start(emulator.address).await?;
        let senders = (0..senders).map(|number| {
            let name = format!("{name}-{number}");
            let replies = platform.listen(&name);
            Sender { name, replies, sent: 0 }
        });
        let senders = senders.collect();
        Ok(Self { platform, signer, webhook, agent, mapping, senders })
    }

    /// What each function has asked so far, by its name.
    pub(crate) fn counts(&self) -> [(&'static str, Counts); 2] {
        [("webhook", self.webhook.1.counts()), ("agent", self.agent.1.counts())]
    }

    /// The agent function.
    pub(crate) fn agent(&self) -> &Function {
        &self.agent.0
    }

    pub(crate) fn reading(&self) -> Reading {
        let mut calls = self.webhook.1.counts();
        calls.add(&self.agent.1.counts());
        calls.add(&self.mapping.counts());
        Reading { calls, log_bytes: self.webhook.0.log_bytes() + self.agent.0.log_bytes() }
    }

    /// One plain message of about 60 characters.
    pub(crate) async fn turn(self, sender: usize) -> anyhow::Result<Self> {
        let number = self.senders.get(sender).map_or(0, |sender| sender.sent + 1);
        let text = format!("This is message {number} of peer-{sender}. What is on my list for tomorrow?");
        self.says(sender, &text).await
    }

    /// One message, from the platform's request to the reply at the platform.
    pub(crate) async fn says(mut self, sender: usize, text: &str) -> anyhow::Result<Self> {
        let sender = self.senders.get_mut(sender).context("no such sender")?;
        sender.sent += 1;
        let id = format!("{}-{}", sender.name, sender.sent);
        let body = message(&id, &sender.name, text);
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
