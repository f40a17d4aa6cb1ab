//! One agent, one channel, one model with a script, on the embedded store.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use chela_agent::{
    Agent, AgentSettings, ChannelNotes, Installation, Known, ModelChoice, Outcome, Outlet, Profile, SeenScope, Slice,
};
use chela_core::agent_id::AgentId;
use chela_core::channel::Unconfirmed;
use chela_core::chunk::ChunkMode;
use chela_core::clock::{Clock, Millis};
use chela_core::message::{EventKey, Inbound, InboundKind, ReplyAddress, Sender};
use chela_core::model::{Block, Delta, Model, ModelAnswer, ModelError, ModelRequest, Stop, Thinking, ToolSpec, Usage};
use chela_core::queue::{Authority, ENVELOPE_VERSION, Envelope, Lane, Queue, Standing, Task};
use chela_core::session::{Choices, Claim, Claimed, Fence, SessionStore};
use chela_core::session_key::{Peer, PeerKind, SessionKey};
use chela_core::shown::store;
use chela_core::spend::{Day, Price, Scope, SpendStore, Spending};
use chela_core::tool::{Effect, Tool, ToolAnswer, ToolCall};
use chela_embedded::Embedded;
use chela_testkit::channel::RecordingChannel;
use chela_testkit::clock::ManualClock;
use chela_testkit::model::{Line, ScriptedModel, assert_valid};
use serde_json::json;
use tempfile::TempDir;

use crate::faults::FaultyStore;

pub(crate) struct World {
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) channel: Arc<RecordingChannel>,
    pub(crate) model: Arc<ScriptedModel>,
    pub(crate) store: Arc<FaultyStore>,
    pub(crate) lamp: Arc<Lamp>,
    pub(crate) agent: Agent,
    pub(crate) installation: Installation,
    pub(crate) embedded: Embedded,
    _folder: TempDir,
}

impl World {
    pub(crate) fn new(lines: impl IntoIterator<Item = Line>) -> Self {
        Self::with(lines, RecordingChannel::default(), Effect::Unkeyed)
    }

    pub(crate) fn with(lines: impl IntoIterator<Item = Line>, channel: RecordingChannel, effect: Effect) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::at(Millis(1_800_000_000_000)));
        let embedded = Embedded::open(folder.path(), clock.clone()).unwrap();
        let store = Arc::new(FaultyStore::new(embedded.sessions.clone()));
        let channel = Arc::new(channel);
        let model = Arc::new(ScriptedModel::new(lines));
        let lamp = Arc::new(Lamp {
            effect,
            switched: Mutex::default(),
            looked: AtomicU32::new(0),
            shows: AtomicBool::new(false),
        });
        let agent = Agent {
            sessions: store.clone(),
            access: embedded.sessions.clone(),
            files: embedded.blobs.clone(),
            channels: Arc::new(ChannelNotes::new(embedded.sessions.clone())),
            events: embedded.events.clone(),
            queue: embedded.queue.clone(),
            directory: embedded.sessions.clone(),
            spend: embedded.sessions.clone(),
            approvals: store.clone(),
            audit: store.clone(),
            schedules: embedded.schedules.clone(),
            cooldowns: embedded.sessions.clone(),
            known: Known::default(),
            clock: clock.clone(),
        };
        let outlet = Outlet {
            channel: channel.clone(),
            text_limit: None,
            media_bytes: 1024,
            seen: Some(("👀".to_owned(), SeenScope::All)),
            chunk_mode: ChunkMode::Length,
            streaming: true,
            blocks: None,
            steered: true,
            wished: None,
        };
        let installation = Installation {
            outlets: HashMap::from([(("recording".to_owned(), "default".to_owned()), outlet)]),
            agents: HashMap::from([(AgentId::new("main"), settings(model.clone(), lamp.clone()))]),
            ..Installation::default()
        };
        Self { clock, channel, model, store, lamp, agent, installation, embedded, _folder: folder }
    }

    /// Answers an envelope as the queue would deliver it, once.
    pub(crate) async fn answer(&self, envelope: &Envelope) -> Outcome {
        let slice = Slice { deadline: self.clock.now().plus(150_000) };
        self.agent.answer(&self.installation, envelope, slice).await
    }

    /// Answers it again and again, each time after whatever held the session has run out.
    pub(crate) async fn answer_until_done(&self, envelope: &Envelope) -> u32 {
        for attempts in 1..50 {
            if let Outcome::Done(_) = self.answer(envelope).await {
                return attempts;
            }
            self.clock.advance(chela_agent::LEASE_MS + 1_000);
        }
        panic!("never done");
    }

    /// The next message of any lane, out of the queue.
    pub(crate) async fn next(&self) -> Option<Envelope> {
        for lane in Lane::ALL {
            if let Some(delivery) = self.embedded.queue.receive(lane, 1, 60).await.unwrap().pop() {
                self.embedded.queue.delete(lane, &delivery.receipt).await.unwrap();
                return Some(serde_json::from_str(&delivery.body).unwrap());
            }
        }
        None
    }

    /// Answers everything that is queued, one after the other, whatever dies meanwhile: a dead process rises after `rest`
    /// ms. How many attempts it took.
    pub(crate) async fn answer_all(&self, first: &Envelope, rest: u64) -> usize {
        let mut open = vec![first.clone()];
        for attempts in 0..200 {
            let Some(envelope) = open.pop() else { return attempts };
            if let Outcome::Again { .. } = self.answer(&envelope).await {
                self.store.revive();
                self.clock.advance(rest);
                open.push(envelope);
            } else if let Some(next) = self.next().await {
                open.push(next);
            }
        }
        panic!("never done");
    }

    /// Makes choices for the conversation, as a command would.
    pub(crate) async fn choose(&self, choices: Choices) {
        let (key, event) =
            (SessionKey::from_stored("agent:main:main"), EventKey::of("recording", "default", &self.clock.unique()));
        let now = self.clock.now();
        let claim = Claim { event: &event, owner: "test", now, until: now.plus(1_000) };
        let Ok(Claimed::Held(mut head)) = self.embedded.sessions.claim(&key, &claim).await else { panic!("held") };
        head.choices = choices;
        (head.current, head.attempts) = (None, 0);
        head.release();
        let fence = Fence { epoch: head.epoch, owner: "test", lease_reaches: Millis(0) };
        self.embedded.sessions.save(&key, &head, &fence).await.unwrap();
    }

    /// What was chosen for the conversation.
    pub(crate) async fn chosen(&self) -> Choices {
        let key = SessionKey::from_stored("agent:main:main");
        self.embedded.sessions.head(&key).await.unwrap().unwrap().choices
    }

    /// What was spent today, by scope.
    pub(crate) async fn spending(&self) -> BTreeMap<Scope, Spending> {
        let date = self.installation.spend.date(self.clock.now());
        self.embedded.sessions.spending(&Day { tenant: "default".into(), date }).await.unwrap()
    }

    /// The models the agent asks, in order.
    pub(crate) fn models(&mut self) -> &mut Vec<ModelChoice> {
        &mut self.installation.agents.values_mut().next().unwrap().models
    }

    pub(crate) fn says(&self, event: &str, text: &str) -> Envelope {
        message(event, text, PeerKind::Direct, Standing::Allowed, self.clock.now())
    }
}

pub(crate) fn settings(model: Arc<dyn Model>, tool: Arc<dyn Tool>) -> AgentSettings {
    AgentSettings {
        system: "You are a test.".into(),
        system_for_guests: "You are a test, among guests.".into(),
        models: vec![choice("test/scripted", [("test:default", model)])],
        further_models: vec![],
        thinking: Thinking::Off,
        tools: vec![tool],
        timezone: "UTC".into(),
        max_steps: 6,
        announce: true,
        ..AgentSettings::default()
    }
}

/// A model asked with these credentials; a dollar buys ten thousand tokens of it.
pub(crate) fn choice<const N: usize>(name: &str, profiles: [(&str, Arc<dyn Model>); N]) -> ModelChoice {
    let price = Price { input: 100_000_000, output: 100_000_000, cache_read: 100_000_000, cache_write: 100_000_000 };
    let profile = |(id, model): (&str, Arc<dyn Model>)| Profile { id: id.into(), model };
    ModelChoice {
        name: name.into(),
        id: name.rsplit('/').next().unwrap().into(),
        max_tokens: 1000,
        context_window: 100_000,
        sees: Default::default(),
        price: Some(price),
        profiles: profiles.into_iter().map(profile).collect(),
    }
}

pub(crate) fn message(event: &str, text: &str, kind: PeerKind, standing: Standing, now: Millis) -> Envelope {
    let inbound = Inbound {
        message_id: None,
        channel: "recording".into(),
        account: "default".into(),
        event_id: event.into(),
        peer: Peer::new(kind, "7"),
        parent_peer: None,
        thread: None,
        sender: Sender { id: "7".into(), name: Some("Ada".into()) },
        text: text.into(),
        kind: InboundKind::Message,
        addressed: true,
        media: vec![],
        guild: None,
        team: None,
        roles: vec![],
        sent_at: now,
        reply_to: ReplyAddress {
            channel: "recording".into(),
            account: "default".into(),
            to: "7".into(),
            thread: None,
            message: None,
        },
    };
    Envelope {
        version: ENVELOPE_VERSION,
        event: inbound.event_key(),
        session: SessionKey::from_stored("agent:main:main"),
        agent: AgentId::new("main"),
        accepted_at: now,
        task: Task::Message { inbound: Box::new(inbound), standing, authority: Authority::Owner },
    }
}

/// A model that says the same to the same words however often it is asked.
pub(crate) struct Steadfast<F>(pub(crate) F);

#[async_trait]
impl<F: Fn(&ModelRequest) -> Block + Send + Sync> Model for Steadfast<F> {
    async fn call(
        &self,
        request: &ModelRequest,
        _: &mut (dyn for<'d> FnMut(&'d Delta) + Send),
    ) -> Result<ModelAnswer, ModelError> {
        assert_valid(request);
        let block = (self.0)(request);
        let stop = if matches!(block, Block::ToolUse { .. }) { Stop::ToolUse } else { Stop::End };
        Ok(ModelAnswer { blocks: vec![block], stop, usage: Usage::default() })
    }
}

/// A platform that knows idempotency keys.
pub(crate) fn keyed_channel() -> RecordingChannel {
    RecordingChannel::with(|channel| channel.unconfirmed = Unconfirmed::ResendWithKey)
}

/// A tool whose effect can be counted, by idempotency key.
pub(crate) struct Lamp {
    effect: Effect,
    switched: Mutex<Vec<String>>,
    looked: AtomicU32,
    /// Whether it shows a picture of itself, another one every time.
    pub(crate) shows: AtomicBool,
}

impl Lamp {
    /// How often it was really switched: a keyed lamp knows a repetition.
    pub(crate) fn switched(&self) -> usize {
        let mut keys = self.switched.lock().unwrap().clone();
        if self.effect == Effect::Keyed {
            keys.sort();
            keys.dedup();
        }
        keys.len()
    }
}

/// A small picture with a number in it.
pub(crate) fn png(number: u32) -> Bytes {
    let head = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x10\0\0\0\x10\x08\x06\0\0\0".to_vec();
    [head, number.to_be_bytes().to_vec()].concat().into()
}

#[async_trait]
impl Tool for Lamp {
    fn spec(&self) -> ToolSpec {
        ToolSpec {
            name: "lamp".into(),
            description: "Switches the lamp.".into(),
            input_schema: json!({"type": "object"}),
        }
    }

    fn effect(&self) -> Effect {
        self.effect
    }

    async fn run(&self, call: ToolCall<'_>) -> ToolAnswer {
        self.switched.lock().unwrap().push(call.idempotency_key.to_owned());
        let times = self.looked.fetch_add(1, Ordering::SeqCst);
        if !self.shows.load(Ordering::SeqCst) {
            return ToolAnswer::ok("the lamp is on");
        }
        match store(&call, png(times)).await {
            Ok(file) => ToolAnswer::showing("the lamp is on", file),
            Err(reason) => ToolAnswer::error(reason),
        }
    }
}

pub(crate) fn says(text: &str) -> Line {
    Line::Says(text.into())
}

pub(crate) fn calls(ids: &[&str]) -> Line {
    Line::Calls(ids.iter().map(|id| ((*id).to_owned(), "lamp".to_owned(), json!({}))).collect())
}
