//! The agent function on the local AWS, killed with SIGKILL at named points of a turn: the queue hides its message for a
//! minute, another process takes it up, and the answer is there once.

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::deployment::{configuration, queue_url, variables};
use crate::emulator::{Emulator, call};
use crate::load::message;
use crate::path::{queue_event, url_event};
use crate::place::Place;
use crate::platform::Platform;
use crate::runtime_api::Function;
use crate::signing::Signer;

/// Where the process dies. What was sent before is sent again under the same id, which the receiver drops.
const POINTS: [&str; 10] = [
    "claiming.after",
    "accepting.after",
    "asking.before",
    "asking.after",
    "storing.after",
    "marking-part.after",
    "sending.before",
    "sending.after",
    "finishing.before",
    "finishing.after",
];

/// From the end of a process to the reply: promise I6, and what a busy machine takes to start another process.
const RECOVERED_WITHIN: Duration = Duration::from_secs(100);

#[tokio::test]
async fn the_agent_function_survives_sigkill() -> anyhow::Result<()> {
    let place = Place::of_tests("killed")?;
    let emulator = Emulator::start(&place.root)?;
    let url = format!("http://{}", emulator.address);
    let signer = Signer::new()?;
    let platform = Platform::start(signer.clone()).await?;
    platform.expect_repetitions();
    emulator.provision().await?;
    emulator.configure(&configuration(&platform.callback_url())).await?;
    let log = place.file("webhook.log");
    let (mut webhook, _) = Function::start(&place.binary("webhook"), &variables("webhook", &url), log).await?;
    let mut lines = Vec::new();
    let mut attempts = JoinSet::new();
    for (number, point) in POINTS.into_iter().enumerate() {
        let sender = format!("peer-{number}");
        let replies = platform.listen(&sender);
        let body = message(&sender, &sender, "What is on my list for tomorrow?");
        let (idle, answer) = webhook.invoke(&url_event(&signer, &sender, &body)).await?;
        ensure!(answer.get("statusCode") == Some(&json!(200)), "the webhook answered {answer}");
        webhook = idle;
        let (line, messages) = unbounded_channel();
        lines.push((format!("direct:{sender}\""), line));
        let binary = place.binary("agent");
        let log = place.file(&format!("agent-{number}.log"));
        let (url, address) = (url.clone(), emulator.address);
        attempts.spawn(async move {
            let killed = Killed { point, binary, log, url, address, messages, replies };
            killed.recover().await.with_context(|| format!("killed at {point}"))
        });
    }
    let mapping = tokio::spawn(map(emulator.address, url, lines));
    let mut slowest = Duration::ZERO;
    while let Some(took) = attempts.join_next().await {
        slowest = slowest.max(took??);
    }
    mapping.abort();
    ensure!(platform.replies()? == POINTS.len() as u64, "every message is answered once, not {}", platform.replies()?);
    println!("from the end of a process to the reply at most {} s, over {} points", slowest.as_secs(), POINTS.len());
    ensure!(slowest <= RECOVERED_WITHIN, "a session was blocked for {} s", slowest.as_secs());
    Ok(())
}

/// The event source mapping: each session has a function of its own here.
async fn map(
    address: std::net::SocketAddr,
    url: String,
    lines: Vec<(String, UnboundedSender<Value>)>,
) -> anyhow::Result<()> {
    let ask = json!({
        "QueueUrl": queue_url(&url, "live"), "MaxNumberOfMessages": 1, "WaitTimeSeconds": 1,
        "MessageSystemAttributeNames": ["All"],
    });
    loop {
        let answer = call(address, "sqs", "AmazonSQS.ReceiveMessage", &ask).await?;
        for message in answer.get("Messages").and_then(Value::as_array).into_iter().flatten() {
            let body = message.get("Body").and_then(Value::as_str).unwrap_or_default();
            let line = lines.iter().find(|(session, _)| body.contains(session)).context("whose is this?")?;
            let _ = line.1.send(message.clone());
        }
    }
}

struct Killed {
    point: &'static str,
    binary: std::path::PathBuf,
    log: std::path::PathBuf,
    url: String,
    address: std::net::SocketAddr,
    messages: UnboundedReceiver<Value>,
    replies: UnboundedReceiver<String>,
}

impl Killed {
    /// How long the sender waited after the process had died.
    async fn recover(mut self) -> anyhow::Result<Duration> {
        let mut environment = variables("agent", &self.url);
        environment.push(("CHELA_KILL_AT".to_owned(), self.point.to_owned()));
        let (function, _) = Function::start(&self.binary, &environment, self.log.clone()).await?;
        let first = self.messages.recv().await.context("no message")?;
        let died = match function.invoke(&queue_event(&first)?).await {
            Err(died) => died,
            Ok((_, answer)) => anyhow::bail!("the point was never reached: {answer}"),
        };
        ensure!(format!("{died:?}").contains("signal: 9"), "it did not die of SIGKILL: {died:?}");
        let died_at = Instant::now();
        let environment = variables("agent", &self.url);
        let (mut function, _) = Function::start(&self.binary, &environment, self.log.with_extension("2.log")).await?;
        loop {
            let again =
                timeout(RECOVERED_WITHIN, self.messages.recv()).await.context("the message never came again")?;
            let again = again.context("the mapping has ended")?;
            let (idle, answer) = function.invoke(&queue_event(&again)?).await?;
            function = idle;
            if answer.get("batchItemFailures").and_then(Value::as_array).is_some_and(|failed| failed.is_empty()) {
                let receipt = again.get("ReceiptHandle").context("no receipt")?;
                let delete = json!({ "QueueUrl": queue_url(&self.url, "live"), "ReceiptHandle": receipt });
                call(self.address, "sqs", "AmazonSQS.DeleteMessage", &delete).await?;
                break;
            }
        }
        let took = died_at.elapsed();
        timeout(Duration::from_secs(10), self.replies.recv()).await.ok().flatten().context("there is no reply")?;
        Ok(took)
    }
}
