//! One envelope, from claim to acknowledgement.

use std::sync::Arc;

use chela_core::access::AccessStore;
use chela_core::agent_id::AgentId;
use chela_core::blob::BlobStore;
use chela_core::clock::{Clock, Millis};
use chela_core::event::{EventBus, EventName, LifecycleEvent};
use chela_core::message::ReplyAddress;
use chela_core::model::{Block, ModelMessage, Usage};
use chela_core::queue::{Envelope, Task};
use chela_core::session::{
    Accepted, AssistantEntry, Claim, Claimed, Control, Entry, EntryBody, Fence, Flagged, Head, Put, SessionStore,
    StoreError, UserFragment,
};
use chela_core::session_key::SessionKey;
use chela_core::turn::{COMMAND, Next, Transcript, Turn, transcript};
use serde_json::{Value, json};

use crate::redeliver::Decided;
use crate::settings::{AgentSettings, Installation};

/// How long a claim lasts. Longer than the longest single wait (a model call), so that a living attempt never loses
/// its session; after a crash the session waits this long at most.
pub const LEASE_MS: u64 = 90_000;

/// Claims of one turn after which it is given up with an apology: whatever breaks it would break it again.
const MAX_ATTEMPTS: u32 = 8;

/// Stored entries a turn looks back on.
const WINDOW: usize = 80;

/// The time an attempt has.
#[derive(Clone, Copy, Debug)]
pub struct Slice {
    /// When the attempt must have ended.
    pub deadline: Millis,
}

/// What became of an envelope.
#[derive(Debug, PartialEq)]
pub enum Outcome {
    /// Acknowledge it.
    Done(Report),
    /// Leave it in the queue and show it again after so many seconds.
    Again {
        /// Seconds; 0 is at once.
        after_s: u32,
        /// Why, for the log.
        reason: String,
    },
}

/// What a turn did, for the one log line.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Report {
    /// Model calls.
    pub steps: u16,
    /// Parts settled.
    pub parts: u16,
    /// Tokens.
    pub usage: Usage,
    /// The event had been answered before.
    pub duplicate: bool,
}

/// The ports a turn works through.
pub struct Agent {
    /// Sessions.
    pub sessions: Arc<dyn SessionStore>,
    /// Approved senders.
    pub access: Arc<dyn AccessStore>,
    /// Workspaces.
    pub files: Arc<dyn BlobStore>,
    /// Lifecycle events.
    pub events: Arc<dyn EventBus>,
    /// Time and names.
    pub clock: Arc<dyn Clock>,
}

/// Why an attempt stops before its turn is done.
#[derive(Debug)]
pub(crate) enum Stop {
    /// Somebody else has the session, or the store fails: nothing more can be written.
    Store(StoreError),
    /// The turn goes on later; what is done is stored.
    Later {
        /// Seconds.
        after_s: u32,
        /// For the log.
        reason: String,
        /// Whether the attempt got somewhere: then it does not count towards giving up.
        progress: bool,
    },
}

impl From<StoreError> for Stop {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// One attempt at one turn.
pub(crate) struct Attempt<'a> {
    pub(crate) session: &'a SessionKey,
    pub(crate) agent: &'a AgentId,
    pub(crate) settings: &'a AgentSettings,
    pub(crate) installation: &'a Installation,
    pub(crate) owner: &'a str,
    pub(crate) slice: Slice,
    pub(crate) accepted: Accepted,
    pub(crate) deliver_to: Option<ReplyAddress>,
    pub(crate) past: Vec<ModelMessage>,
    pub(crate) head: Head,
    pub(crate) turn: Turn,
    pub(crate) report: Report,
}

impl<'a> Attempt<'a> {
    /// The fence for a write, or, with `needs_ms`, for an intent to do something that takes that long.
    pub(crate) fn fence(&self, now: Millis, needs_ms: u64) -> Fence<'a> {
        let lease_reaches = if needs_ms == 0 { Millis(0) } else { now.plus(needs_ms) };
        Fence { epoch: self.head.epoch, owner: self.owner, lease_reaches }
    }

    /// What the user said, fragment by fragment.
    pub(crate) fn user(&self) -> Vec<UserFragment> {
        vec![user_fragment(&self.accepted.task)]
    }

    /// Facts for `/status` and the `session_status` tool.
    pub(crate) fn status(&self) -> Value {
        let models: Vec<&str> = self.settings.models.iter().map(|choice| choice.name.as_str()).collect();
        json!({
            "session": self.session.as_str(),
            "agent": self.agent.as_str(),
            "turn": self.head.turn(),
            "turnsInContext": self.head.last_turn.saturating_sub(self.head.forgotten),
            "models": models,
            "timezone": self.settings.timezone,
        })
    }
}

impl Agent {
    /// Takes one envelope to its end. Answering the same envelope again finds what is done and does only the rest.
    pub async fn answer(&self, installation: &Installation, envelope: &Envelope, slice: Slice) -> Outcome {
        if let Task::Redeliver { turn, part, flagged_at } = envelope.task {
            return self.redeliver(installation, envelope, Decided { turn, part, flagged_at }, slice).await;
        }
        let Some(settings) = installation.agents.get(&envelope.agent) else {
            let reason = format!("agent \"{}\" is not configured: add it to agents.list", envelope.agent.as_str());
            return Outcome::Again { after_s: 30, reason };
        };
        let owner = self.clock.unique();
        loop {
            let now = self.clock.now();
            let claim = Claim { event: &envelope.event, owner: &owner, now, until: now.plus(LEASE_MS) };
            let head = match self.sessions.claim(&envelope.session, &claim).await {
                Ok(Claimed::Held(head)) => head,
                Ok(Claimed::Finished) => return Outcome::Done(Report { duplicate: true, ..Report::default() }),
                Ok(Claimed::Busy { until }) => {
                    let after_s = u32::try_from(until.since(now).div_ceil(1000)).unwrap_or(60).clamp(1, 90);
                    return Outcome::Again { after_s, reason: "another attempt holds the session".into() };
                }
                Err(error) => return again(&error),
            };
            let ours = head.current.as_ref() == Some(&envelope.event);
            let opened = match self.open(installation, settings, envelope, &owner, slice, head).await {
                Ok(opened) => opened,
                Err(error) => return again(&error),
            };
            let outcome = match opened {
                Opened::Turn(attempt) => self.run(*attempt).await,
                Opened::Duplicate => Outcome::Done(Report { duplicate: true, ..Report::default() }),
                Opened::Dropped => Outcome::Done(Report::default()),
            };
            // A turn that another event had left unfinished went first; now it is our turn.
            if ours || !matches!(outcome, Outcome::Done(_)) {
                return outcome;
            }
        }
    }

    /// Stores the event, or finds it stored, and loads what the turn needs.
    async fn open<'a>(
        &self,
        installation: &'a Installation,
        settings: &'a AgentSettings,
        envelope: &'a Envelope,
        owner: &'a str,
        slice: Slice,
        mut head: Head,
    ) -> Result<Opened<'a>, StoreError> {
        let session = &envelope.session;
        let fence = Fence { epoch: head.epoch, owner, lease_reaches: Millis(0) };
        let event = head.current.clone().unwrap_or_else(|| envelope.event.clone());
        let mut resumed = head.attempts > 1;
        let accepted = if event == envelope.event {
            let accepted = Accepted { event, turn: head.turn(), at: envelope.accepted_at, task: envelope.task.clone() };
            match self.sessions.accept(session, &accepted).await? {
                Put::Stored => accepted,
                Put::Exists(stored) => {
                    resumed = true;
                    stored
                }
            }
        } else if let Some(stored) = self.sessions.accepted(session, &event).await? {
            stored
        } else {
            // It was claimed and never stored, so nothing of it was begun; its message is still in the queue.
            head.current = None;
            head.attempts = 0;
            self.sessions.save(session, &head, &fence).await?;
            return Ok(Opened::Dropped);
        };
        if accepted.turn <= head.last_turn {
            // Answered so long ago that the head has forgotten it.
            head.current = None;
            head.attempts = 0;
            head.release();
            self.sessions.save(session, &head, &fence).await?;
            return Ok(Opened::Duplicate);
        }
        let entries = if resumed || head.last_turn > head.forgotten {
            self.sessions.history(session, head.forgotten, WINDOW).await?
        } else {
            Vec::new()
        };
        let Transcript { messages, repairs } = transcript(&entries, head.turn());
        for repair in &repairs {
            self.sessions.append(session, repair).await?;
        }
        let turn = Turn::resume(&head, &entries);
        let deliver_to = deliver_to(&accepted.task);
        let report = Report::default();
        let agent = &envelope.agent;
        Ok(Opened::Turn(Box::new(Attempt {
            session,
            agent,
            settings,
            installation,
            owner,
            slice,
            accepted,
            deliver_to,
            past: messages,
            head,
            turn,
            report,
        })))
    }

    async fn run(&self, mut attempt: Attempt<'_>) -> Outcome {
        match self.work(&mut attempt).await {
            Ok(()) => Outcome::Done(attempt.report),
            Err(Stop::Store(error)) => again(&error),
            Err(Stop::Later { after_s, reason, progress }) => {
                if progress {
                    attempt.head.attempts = 1;
                }
                attempt.head.release();
                let fence = Fence { epoch: attempt.head.epoch, owner: attempt.owner, lease_reaches: Millis(0) };
                // If this fails the lease simply runs out.
                let _ = self.sessions.save(attempt.session, &attempt.head, &fence).await;
                Outcome::Again { after_s, reason }
            }
        }
    }

    async fn work(&self, attempt: &mut Attempt<'_>) -> Result<(), Stop> {
        loop {
            match attempt.turn.next() {
                Next::AskModel { step } => self.answer_step(attempt, step).await?,
                Next::RunTools { step, calls } => self.act(attempt, step, calls).await?,
                Next::Deliver(part) => self.deliver(attempt, part).await?,
                Next::Finish => return self.finish(attempt).await,
            }
        }
    }

    async fn answer_step(&self, attempt: &mut Attempt<'_>, step: u16) -> Result<(), Stop> {
        if step == 0
            && let Some(reply) = self.answer_without_model(attempt).await?
        {
            return self.conclude(attempt, step, reply.parts).await;
        }
        if attempt.head.attempts > MAX_ATTEMPTS {
            self.publish(EventName::TurnFailed, attempt).await;
            let apology = "Something broke each time I tried to answer this, so I have given up on it. Please ask again, \
                           perhaps in other words; the owner finds the reason in the logs.";
            return self.conclude(attempt, step, vec![apology.to_owned()]).await;
        }
        if step > 0 && self.stopped(attempt).await? {
            return self.conclude(attempt, step, vec![]).await;
        }
        self.think(attempt, step).await
    }

    /// Ends the turn with words no model gave.
    pub(crate) async fn conclude(&self, attempt: &mut Attempt<'_>, step: u16, parts: Vec<String>) -> Result<(), Stop> {
        let blocks = parts.iter().map(|text| Block::Text { text: text.clone() }).collect();
        let model = COMMAND.to_owned();
        self.store_answer(
            attempt,
            step,
            AssistantEntry { user: vec![], blocks, model, usage: Usage::default(), outbox: Some(parts) },
        )
        .await
    }

    /// Appends an answer. If another attempt was first, its answer is ours.
    pub(crate) async fn store_answer(
        &self,
        attempt: &mut Attempt<'_>,
        step: u16,
        mut answer: AssistantEntry,
    ) -> Result<(), Stop> {
        if step == 0 {
            answer.user = attempt.user();
        }
        let turn = attempt.turn.number;
        self.store_entry(attempt, Entry { turn, step, at: self.clock.now(), body: EntryBody::Assistant(answer) }).await
    }

    pub(crate) async fn store_entry(&self, attempt: &mut Attempt<'_>, entry: Entry) -> Result<(), Stop> {
        let stored = match self.sessions.append(attempt.session, &entry).await? {
            Put::Stored => entry,
            Put::Exists(theirs) => theirs,
        };
        attempt.turn.push(stored);
        Ok(())
    }

    pub(crate) async fn flag(&self, attempt: &Attempt<'_>, part: u16, reason: String) -> Result<(), Stop> {
        let (session, event) = (attempt.session.clone(), attempt.accepted.event.clone());
        let (turn, at) = (attempt.turn.number, self.clock.now());
        let flagged = Flagged { session, turn, part, event, at, reason, sending: false };
        self.sessions.flag(&flagged).await?;
        self.publish(EventName::DeliveryFlagged, attempt).await;
        Ok(())
    }

    async fn stopped(&self, attempt: &Attempt<'_>) -> Result<bool, Stop> {
        let control = self.sessions.control(attempt.session).await?;
        Ok(control.is_some_and(|Control { stop_before }| attempt.accepted.at < stop_before))
    }

    async fn finish(&self, attempt: &mut Attempt<'_>) -> Result<(), Stop> {
        attempt.report.parts = u16::try_from(attempt.turn.settled.len()).unwrap_or(u16::MAX);
        attempt.head.finish();
        let fence = Fence { epoch: attempt.head.epoch, owner: attempt.owner, lease_reaches: Millis(0) };
        self.sessions.save(attempt.session, &attempt.head, &fence).await?;
        if attempt.settings.announce {
            self.publish(EventName::TurnFinished, attempt).await;
        }
        Ok(())
    }

    pub(crate) async fn publish(&self, name: EventName, attempt: &Attempt<'_>) {
        let mut detail = serde_json::Map::new();
        detail.insert("event".into(), attempt.accepted.event.as_str().into());
        detail.insert("agent".into(), attempt.agent.as_str().into());
        detail.insert("turn".into(), attempt.turn.number.into());
        // Losing a lifecycle event must never fail a turn.
        let _ = self.events.publish(&LifecycleEvent { name, at: self.clock.now(), detail }).await;
    }
}

enum Opened<'a> {
    Turn(Box<Attempt<'a>>),
    Duplicate,
    Dropped,
}

fn again(error: &StoreError) -> Outcome {
    let after_s = match error {
        StoreError::Fenced => 1,
        StoreError::Unavailable(_) => 5,
        StoreError::Full(_) | StoreError::Damaged(_) => 30,
    };
    Outcome::Again { after_s, reason: error.to_string() }
}

/// Where the answer of a task goes. Answers on the `api` channel are collected by whoever asked.
fn deliver_to(task: &Task) -> Option<ReplyAddress> {
    match task {
        Task::Message { inbound, .. } if inbound.channel == COLLECTED => None,
        task => task.reply_to().cloned(),
    }
}

/// The channel of `POST /message`: its answers are read from the session, not sent.
pub(crate) const COLLECTED: &str = "api";

fn user_fragment(task: &Task) -> UserFragment {
    match task {
        Task::Message { inbound, .. } => {
            let direct = inbound.peer.kind == chela_core::session_key::PeerKind::Direct;
            let name =
                if direct { None } else { inbound.sender.name.clone().or_else(|| Some(inbound.sender.id.clone())) };
            UserFragment { sender: inbound.sender.id.clone(), name, text: inbound.text.clone() }
        }
        Task::Heartbeat { prompt, .. } => UserFragment { sender: String::new(), name: None, text: prompt.clone() },
        // Of this no turn is made.
        Task::Redeliver { .. } => UserFragment { sender: String::new(), name: None, text: String::new() },
    }
}
