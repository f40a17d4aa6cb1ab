//! Answers that go to another conversation of the house instead of a platform.
//!
//! A sub-agent's turn ends like any other: its answer is a part that is marked, sent and settled. What sends it is a
//! channel that puts it into the line of the conversation that asked, under the part's own key, so that it arrives once
//! however often it is sent. That conversation's turn then reads it, and answers its person.

use std::sync::Arc;

use async_trait::async_trait;
use chela_core::channel::{
    Channel, Health, Limits, MenuEntry, OutboundPart, Parsed, RawRequest, Receipt, Registration, Rejected, SendError,
    Unconfirmed, Verified,
};
use chela_core::chunk::ChunkMode;
use chela_core::clock::Clock;
use chela_core::directory::{Directory, Listing, at_work};
use chela_core::message::ReplyAddress;
use chela_core::queue::{Lane, Purpose, Queue, QueueError, Task};
use chela_core::relay::{Answer, CHANNEL, NO_ANSWER, STOPPED, Ticket, answer};
use chela_core::reply::Said;
use chela_core::session::{Put, SessionStore};
use chela_core::session_key::PeerKind;
use chela_core::turn::Way;

use crate::answer::{Agent, Attempt};
use crate::settings::{Installation, Outlet};

/// Most UTF-16 code units of one report.
const REPORT_UNITS: usize = 100_000;

/// Longest name of a conversation.
pub(crate) const LABEL_CHARS: usize = 60;

/// Most sub-agents that are looked at.
const CHILDREN: usize = 50;

/// The way to other conversations.
struct Relay {
    sessions: Arc<dyn SessionStore>,
    queue: Arc<dyn Queue>,
    directory: Arc<dyn Directory>,
    clock: Arc<dyn Clock>,
}

/// Whether an address is a conversation of the house.
pub(crate) fn is_relay(to: &ReplyAddress) -> bool {
    to.channel == CHANNEL
}

/// What is reported for this answer: one part, whatever is in it, for each would be a turn of its own.
pub(crate) fn report(answer: Option<String>) -> Vec<String> {
    let text = answer.filter(|text| !text.trim().is_empty()).unwrap_or_else(|| NO_ANSWER.to_owned());
    vec![Said { text, ..Said::default() }.part()]
}

/// What a stopped turn reports: whoever gave the work would wait for it for ever.
pub(crate) fn last_words(attempt: &Attempt<'_>) -> Vec<String> {
    match attempt.machine.way() {
        Way::To { address, .. } if is_relay(address) => report(Some(STOPPED.to_owned())),
        Way::To { .. } | Way::Collected | Way::Gone { .. } => Vec::new(),
    }
}

/// What can send to `to`.
pub(crate) fn outlet<'a>(installation: &'a Installation, relay: &'a Outlet, to: &ReplyAddress) -> Option<&'a Outlet> {
    if is_relay(to) { Some(relay) } else { installation.outlet(to) }
}

impl Agent {
    /// The outlet of answers to other conversations.
    pub(crate) fn relay(&self) -> Outlet {
        let channel = Arc::new(Relay {
            sessions: self.sessions.clone(),
            queue: self.queue.clone(),
            directory: self.directory.clone(),
            clock: self.clock.clone(),
        });
        Outlet {
            channel,
            text_limit: None,
            chunk_mode: ChunkMode::Length,
            streaming: false,
            blocks: None,
            steered: false,
            media_bytes: 0,
            seen: None,
            wished: None,
        }
    }

    /// Notes a conversation when its first turn begins. A list that misses one is no reason to leave anybody without an
    /// answer. Sub-agents' conversations were noted by whoever began them.
    pub(crate) async fn note_beginning<T>(&self, attempt: &Attempt<'_>, task: Option<&Task>, put: &Put<T>) {
        let label = match task {
            Some(Task::Message { inbound, .. }) => {
                let direct = inbound.peer.kind == PeerKind::Direct;
                let who = if direct { inbound.sender.name.as_ref() } else { None };
                let who = who.unwrap_or(&inbound.peer.id);
                format!("{} {who}", inbound.channel)
            }
            Some(Task::Heartbeat { name, .. }) => format!("schedule {name}"),
            _ => return,
        };
        let head = attempt.machine.head();
        if head.last_turn > head.before_first() || !matches!(put, Put::Stored) {
            return;
        }
        let label = label.chars().filter(|c| !c.is_control()).take(LABEL_CHARS).collect();
        let listing = Listing {
            session: attempt.machine.session().clone(),
            agent: attempt.agent.clone(),
            label: Some(label),
            parent: None,
            began: self.clock.now(),
            ended: None,
        };
        let _ = self.directory.list(&listing).await;
    }
}

impl Relay {
    /// Whether there is still somebody whose result this conversation waits for: its silence is no answer then.
    async fn waits(&self, ticket: &Ticket) -> bool {
        let Ok(children) = self.directory.children(&ticket.of, CHILDREN).await else { return false };
        let working = at_work(self.sessions.as_ref(), children, self.clock.now()).await;
        working.is_ok_and(|working| !working.is_empty())
    }

    async fn deliver(&self, part: &OutboundPart<'_>) -> Result<(), SendError> {
        let now = self.clock.now();
        let Some(Answer { ticket, envelope }) = answer(part.to, part.markdown, part.idempotency_key, now) else {
            return Err(refused("the address is none of a conversation"));
        };
        if part.markdown == NO_ANSWER && self.waits(&ticket).await {
            return Ok(());
        }
        self.queue.push(Lane::Live, &envelope).await.map_err(|error| match error {
            QueueError::TooLarge { .. } => refused("the answer is too large for the queue"),
            QueueError::Expired | QueueError::Unavailable(_) => {
                SendError::NotSent { channel: CHANNEL, reason: error.to_string() }
            }
        })?;
        if let (Purpose::Assign, Task::Relay { from, label, .. }) = (ticket.purpose, envelope.task) {
            let (agent, began) = (ticket.agent, ticket.asked);
            let parent = Some(envelope.session);
            // Without this mark its head tells that it has ended.
            let _ =
                self.directory.list(&Listing { session: from, agent, label, parent, began, ended: Some(now) }).await;
        }
        Ok(())
    }
}

fn refused(reason: &str) -> SendError {
    SendError::Refused { channel: CHANNEL, reason: reason.to_owned() }
}

#[async_trait]
impl Channel for Relay {
    fn id(&self) -> &'static str {
        CHANNEL
    }

    fn account(&self) -> &'static str {
        ""
    }

    fn limits(&self, _to: &ReplyAddress) -> Limits {
        Limits { text: REPORT_UNITS, edit_every: None, typing_for: None, choices: 0 }
    }

    /// The queue knows keys for five minutes, and the conversation those of its events for eight days.
    fn unconfirmed(&self, _to: &ReplyAddress) -> Unconfirmed {
        Unconfirmed::ResendWithKey
    }

    fn verify(&self, _request: RawRequest) -> Result<Verified, Rejected> {
        Err(Rejected::Unproven("nobody outside speaks for a conversation"))
    }

    fn parse(&self, _verified: &Verified) -> Result<Parsed, Rejected> {
        Err(Rejected::Malformed("nobody outside speaks for a conversation"))
    }

    async fn send(&self, part: &OutboundPart<'_>) -> Result<Receipt, SendError> {
        self.deliver(part).await.map(|()| Receipt { message_id: part.idempotency_key.to_owned() })
    }

    async fn edit(&self, _message_id: &str, _part: &OutboundPart<'_>) -> Result<(), SendError> {
        Err(refused("a report is not changed any more"))
    }

    async fn typing(&self, _to: &ReplyAddress) -> Result<(), SendError> {
        Ok(())
    }

    async fn register(&self, _url: &str, _menu: &[MenuEntry]) -> Result<Registration, SendError> {
        Ok(Registration::Manual { steps: vec![] })
    }

    async fn health(&self) -> Result<Health, SendError> {
        Ok(Health { ok: true, summary: "conversations of this house".to_owned() })
    }
}
