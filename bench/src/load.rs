//! Senders that talk with the gateway and hold it to its word: each message gets exactly one reply, in order.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use serde_json::json;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::http::Wire;
use crate::platform::Platform;
use crate::process::cpu_ms_of;
use crate::signing::Signer;

/// Longest wait for one reply, on a machine that does much else.
const PATIENCE: Duration = Duration::from_secs(60);

/// After the last reply: whatever is sent twice is sent by then.
const SILENCE: Duration = Duration::from_millis(300);

/// The senders, each with a session and a connection of its own.
pub(crate) struct Load {
    sessions: Vec<Session>,
    /// The process id of the gateway.
    server: String,
}

/// How a round went.
pub(crate) struct Window {
    /// Replies per second between the first and the last tenth of the round, when all sessions are busy.
    pub(crate) per_s: f64,
    /// CPU of the gateway per turn, in the same window.
    pub(crate) cpu_ms: f64,
    /// CPU of this program per turn, in the same window.
    pub(crate) own_cpu_ms: f64,
    /// From sending a message to its reply, sorted; means something where one message at a time is unanswered.
    pub(crate) waits_ms: Vec<f64>,
}

struct Session {
    name: String,
    gateway: SocketAddr,
    wire: Wire,
    replies: UnboundedReceiver<String>,
    signer: Signer,
    sent: u64,
    heard: u64,
    sent_at: Instant,
}

/// Takes the readings when the first and when the last tenth of the replies is reached.
struct Progress {
    answered: AtomicU64,
    marks: [u64; 2],
    readings: Mutex<Vec<Reading>>,
    server: String,
}

struct Reading {
    at: Instant,
    server_cpu_ms: f64,
    own_cpu_ms: f64,
}

impl Load {
    /// `names` begins the names of the senders: no two runs have the same, so that nothing can pass for a repetition.
    pub(crate) async fn open(
        names: &str,
        sessions: usize,
        gateway: SocketAddr,
        server: String,
        platform: &Platform,
    ) -> anyhow::Result<Self> {
        let signer = Signer::new()?;
        let mut load = Self { sessions: Vec::with_capacity(sessions), server };
        for number in 0..sessions {
            let name = format!("{names}-{number}");
            let (wire, replies) = (Wire::connect(gateway).await?, platform.listen(&name));
            let (signer, sent_at) = (signer.clone(), Instant::now());
            load.sessions.push(Session { name, gateway, wire, replies, signer, sent: 0, heard: 0, sent_at });
        }
        Ok(load)
    }

    /// Lets every session send `messages`, with at most `ahead` of them unanswered.
    pub(crate) async fn round(&mut self, platform: &Platform, messages: u64, ahead: u64) -> anyhow::Result<Window> {
        let all = messages * self.sessions.len() as u64;
        let progress = Arc::new(Progress {
            answered: AtomicU64::new(0),
            marks: [all.div_ceil(10), all - all / 10],
            readings: Mutex::default(),
            server: self.server.clone(),
        });
        let mut talks = JoinSet::new();
        for session in self.sessions.drain(..) {
            talks.spawn(session.talk(messages, ahead, progress.clone()));
        }
        let mut waits_ms = Vec::new();
        while let Some(talk) = talks.join_next().await {
            let (session, waits) = match talk? {
                Ok(talk) => talk,
                // What the platform saw says more than that a session waited in vain.
                Err(error) => return platform.replies().and(Err(error)),
            };
            self.sessions.push(session);
            waits_ms.extend(waits);
        }
        waits_ms.sort_by(f64::total_cmp);
        let readings = progress.readings.lock().unwrap_or_else(PoisonError::into_inner);
        let [first, last] = readings.as_slice() else { anyhow::bail!("too few messages to measure anything") };
        let turns = (all - all / 10 - all.div_ceil(10)) as f64;
        Ok(Window {
            per_s: turns / (last.at - first.at).as_secs_f64(),
            cpu_ms: (last.server_cpu_ms - first.server_cpu_ms) / turns,
            own_cpu_ms: (last.own_cpu_ms - first.own_cpu_ms) / turns,
            waits_ms,
        })
    }

    /// Waits a little and makes sure that nothing more came than was asked for.
    pub(crate) async fn close(mut self, platform: &Platform, before: u64) -> anyhow::Result<()> {
        tokio::time::sleep(SILENCE).await;
        for session in &mut self.sessions {
            if let Ok(extra) = session.replies.try_recv() {
                anyhow::bail!("{}: message {extra} was answered again", session.name);
            }
        }
        let sent: u64 = self.sessions.iter().map(|session| session.sent).sum();
        let replies = platform.replies()? - before;
        ensure!(replies == sent, "{sent} messages were accepted and {replies} replies came");
        Ok(())
    }
}

impl Session {
    async fn talk(mut self, messages: u64, ahead: u64, progress: Arc<Progress>) -> anyhow::Result<(Self, Vec<f64>)> {
        let (end, mut waits_ms) = (self.sent + messages, Vec::new());
        while self.heard < end {
            while self.sent < end && self.sent - self.heard < ahead {
                self.send().await.with_context(|| format!("{}, message {}", self.name, self.sent))?;
            }
            let reply = timeout(PATIENCE, self.replies.recv()).await.ok().flatten();
            let (name, expected) = (&self.name, self.message_id(self.heard + 1));
            let answered = reply.with_context(|| format!("{name}: {expected} was accepted and never answered"))?;
            ensure!(answered == expected, "{name}: the reply to {answered} came where that to {expected} belongs");
            self.heard += 1;
            waits_ms.push(self.sent_at.elapsed().as_secs_f64() * 1000.0);
            progress.count()?;
        }
        Ok((self, waits_ms))
    }

    fn message_id(&self, number: u64) -> String {
        format!("{}-{number}", self.name)
    }

    async fn send(&mut self) -> anyhow::Result<()> {
        self.sent += 1;
        let id = self.message_id(self.sent);
        let text = format!("This is message {} of {}. What is on my list for tomorrow?", self.sent, self.name);
        let body = message(&id, &self.name, &text);
        let mut request = format!("POST /webhook/webhook HTTP/1.1\r\nhost: {}\r\n", self.gateway);
        for (name, value) in self.signer.headers(&id, body.as_bytes()) {
            request.push_str(&format!("{name}: {value}\r\n"));
        }
        request.push_str(&format!("content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}", body.len()));
        self.sent_at = Instant::now();
        let answer = self.wire.ask(request.as_bytes()).await?;
        let said = String::from_utf8_lossy(&answer.body);
        ensure!(answer.status() == 200, "the gateway answered {}: {said}", answer.status());
        Ok(())
    }
}

/// The body of a direct message on the generic webhook channel.
pub(crate) fn message(id: &str, sender: &str, text: &str) -> String {
    let data = json!({ "message_id": id, "sender": { "id": sender, "name": "Ada" }, "text": text });
    json!({ "type": "message", "data": data }).to_string()
}

impl Progress {
    fn count(&self) -> anyhow::Result<()> {
        let answered = self.answered.fetch_add(1, Ordering::Relaxed) + 1;
        if self.marks.contains(&answered) {
            let reading =
                Reading { at: Instant::now(), server_cpu_ms: cpu_ms_of(&self.server)?, own_cpu_ms: cpu_ms_of("self")? };
            self.readings.lock().unwrap_or_else(PoisonError::into_inner).push(reading);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;
    use tokio::net::TcpListener;

    use super::*;
    use crate::http::{Message, answer};

    /// How a gateway treats one message: the replies it sends for the messages of a chat so far.
    type Manners = fn(sent: &[String]) -> Vec<Reply>;

    struct Reply {
        webhook_id: String,
        answers: String,
        forged: bool,
    }

    fn reply(webhook_id: &str, answers: &str) -> Reply {
        Reply { webhook_id: webhook_id.to_owned(), answers: answers.to_owned(), forged: false }
    }

    fn well_behaved(sent: &[String]) -> Vec<Reply> {
        sent.last().map(|last| reply(&format!("reply-{last}"), last)).into_iter().collect()
    }

    /// A gateway on a port of its own, and the load of two senders on it.
    async fn run(manners: Manners, ahead: u64) -> anyhow::Result<()> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let gateway = listener.local_addr()?;
        let platform = Platform::start(Signer::new()?).await?;
        let callback = platform.callback_url();
        tokio::spawn(async move {
            while let Ok(wire) = Wire::accept(&listener).await {
                tokio::spawn(serve(wire, callback.clone(), manners));
            }
        });
        let mut load = Load::open("t", 2, gateway, "self".to_owned(), &platform).await?;
        load.round(&platform, 10, ahead).await?;
        load.close(&platform, 0).await
    }

    async fn serve(mut wire: Wire, callback: String, manners: Manners) -> anyhow::Result<()> {
        let signer = Signer::new()?;
        let place = callback.trim_start_matches("http://").trim_end_matches("/replies").to_owned();
        let mut platform = Wire::connect(place.parse()?).await?;
        let mut sent = Vec::new();
        while let Some(request) = wire.read_request().await? {
            let status = if signer.verified_id(&request).is_some() { 200 } else { 401 };
            wire.write(&answer(status, "", b"")).await?;
            let event: Value = serde_json::from_slice(&request.body)?;
            sent.push(event["data"]["message_id"].as_str().unwrap().to_owned());
            for reply in manners(&sent) {
                platform.ask(&post(&signer, &event["data"]["sender"]["id"], &reply)).await?;
            }
        }
        Ok(())
    }

    fn post(signer: &Signer, chat: &Value, reply: &Reply) -> Vec<u8> {
        let data = json!({ "chat": { "id": chat }, "reply_to": reply.answers, "text": "Yes." });
        let body = json!({ "type": "reply", "data": data }).to_string();
        let signed = if reply.forged { "" } else { &body };
        let headers = signer.headers(&reply.webhook_id, signed.as_bytes());
        let headers = headers.map(|(name, value)| format!("\r\n{name}: {value}")).concat();
        Message { head: format!("POST /replies HTTP/1.1{headers}"), body: body.into_bytes() }.with_length()
    }

    #[tokio::test]
    async fn a_gateway_that_keeps_its_word_passes() {
        run(well_behaved, 1).await.unwrap();
        run(well_behaved, 3).await.unwrap();
    }

    #[tokio::test]
    async fn replies_in_another_order_fail_the_run() {
        let swapped: Manners = |sent| match sent {
            [.., first, second] if sent.len() % 2 == 0 => vec![reply(second, second), reply(first, first)],
            _ => vec![],
        };
        let error = run(swapped, 2).await.unwrap_err().to_string();
        assert!(error.contains("belongs"), "{error}");
    }

    #[tokio::test]
    async fn a_reply_that_is_sent_again_fails_the_run() {
        let repeated: Manners = |sent| [well_behaved(sent), well_behaved(sent)].into_iter().flatten().collect();
        let error = run(repeated, 1).await.unwrap_err().to_string();
        assert!(error.contains("sent twice"), "{error}");
    }

    #[tokio::test]
    async fn a_message_that_is_answered_under_two_ids_fails_the_run() {
        let doubled: Manners = |sent| {
            let last = sent.last().unwrap();
            let again = if sent.len() == 10 { Some(reply(&format!("again-{last}"), last)) } else { None };
            well_behaved(sent).into_iter().chain(again).collect()
        };
        let error = run(doubled, 1).await.unwrap_err().to_string();
        assert!(error.contains("answered again"), "{error}");
    }

    #[tokio::test]
    async fn a_reply_with_a_wrong_signature_fails_the_run() {
        let forging: Manners = |sent| {
            let mut replies = well_behaved(sent);
            replies.extend(sent.last().map(|last| Reply { forged: true, ..reply(&format!("forged-{last}"), last) }));
            replies
        };
        let error = run(forging, 1).await.unwrap_err().to_string();
        assert!(error.contains("signature"), "{error}");
    }
}
