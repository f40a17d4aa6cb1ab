//! A model, or a store, that takes minutes: the session and its messages stay with the attempt that works on them.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use chela_agent::{
    Agent, AgentSettings, ChannelNotes, Installation, Known, ModelChoice, Outcome, Outlet, Profile, Slice,
};
use chela_app::answer::Answerer;
use chela_app::install::Scope;
use chela_app::live::{Ground, Live};
use chela_app::wished::Wished;
use chela_core::access::{AccessStore, Pairing, PairingRequest, SenderRef};
use chela_core::agent_id::AgentId;
use chela_core::blob::{Blob, BlobError, BlobStore, Listed, Precondition};
use chela_core::channel_log::{Activity, ChannelLog, Happening};
use chela_core::chunk::ChunkMode;
use chela_core::clock::{Clock, Millis};
use chela_core::event::{EventBus, EventBusError, LifecycleEvent};
use chela_core::message::{Inbound, InboundKind, ReplyAddress, Sender};
use chela_core::model::{Block, Delta, Model, ModelAnswer, ModelError, ModelRequest, Stop, Thinking, Usage};
use chela_core::queue::{Authority, ENVELOPE_VERSION, Envelope, Lane, Queue, Standing, Task};
use chela_core::schedule::{Schedule, ScheduleError, Schedules};
use chela_core::secret::{Secret, SecretError, SecretRef, SecretStore};
use chela_core::session::StoreError;
use chela_core::session_key::{Peer, PeerKind, SessionKey};
use chela_simulation::{FifoQueue, Rows};
use chela_testkit::channel::RecordingChannel;
use chela_testkit::memory::{MemoryApprovals, MemoryCooldowns, MemoryDirectory, MemorySpend};
use tokio::time::{Instant, sleep, timeout};

/// Time as the paused runtime tells it.
struct RuntimeClock {
    began: Instant,
    dealt: AtomicU32,
}

impl Clock for RuntimeClock {
    fn now(&self) -> Millis {
        Millis(1_800_000_000_000).plus(u64::try_from(self.began.elapsed().as_millis()).unwrap())
    }

    fn unique(&self) -> String {
        format!("name{}", self.dealt.fetch_add(1, Ordering::SeqCst))
    }
}

const CONFIG: &str =
    "{ channels: { telegram: { botToken: '110201543:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw', webhookSecret: 'hush' } } }";

/// A model that answers after two minutes.
#[derive(Default)]
struct Slow(AtomicU32);

#[async_trait]
impl Model for Slow {
    async fn call(
        &self,
        _: &ModelRequest,
        _: &mut (dyn for<'d> FnMut(&'d Delta) + Send),
    ) -> Result<ModelAnswer, ModelError> {
        self.0.fetch_add(1, Ordering::SeqCst);
        sleep(Duration::from_secs(74)).await;
        let blocks = vec![Block::Text { text: "at last".into() }];
        Ok(ModelAnswer { blocks, stop: Stop::End, usage: Usage::default() })
    }
}

/// Everything else a turn may ask for, all of it in memory.
struct Quiet {
    config: &'static str,
    /// How long it takes to find out whether a sender is approved.
    thinks: Duration,
}

#[async_trait]
impl AccessStore for Quiet {
    async fn approved(&self, _: &SenderRef) -> Result<bool, StoreError> {
        sleep(self.thinks).await;
        Ok(false)
    }

    async fn request_pairing(&self, _: &SenderRef, _: &str, _: Millis) -> Result<Pairing, StoreError> {
        Ok(Pairing::Full)
    }

    async fn pending(&self, _: &str, _: &str, _: Millis) -> Result<Vec<PairingRequest>, StoreError> {
        Ok(vec![])
    }

    async fn approve(&self, _: &str, _: &str, _: &str, _: Millis) -> Result<Option<SenderRef>, StoreError> {
        Ok(None)
    }
}

#[async_trait]
impl BlobStore for Quiet {
    async fn get(&self, key: &str) -> Result<Option<Blob>, BlobError> {
        let config = Blob { bytes: Bytes::from_static(self.config.as_bytes()), etag: "1".into() };
        Ok((key == "config").then_some(config))
    }

    async fn get_if_changed(&self, _: &str, _: &str) -> Result<Option<Blob>, BlobError> {
        Ok(None)
    }

    async fn put(&self, _: &str, _: Bytes, _: Precondition) -> Result<String, BlobError> {
        Ok("1".into())
    }

    async fn delete(&self, _: &str, _: Option<&str>) -> Result<(), BlobError> {
        Ok(())
    }

    async fn list(&self, _: &str, _: usize) -> Result<Vec<Listed>, BlobError> {
        Ok(vec![])
    }
}

#[async_trait]
impl ChannelLog for Quiet {
    async fn note(&self, _: &str, _: &str, _: &Happening, _: Millis) -> Result<(), StoreError> {
        Ok(())
    }

    async fn activities(&self) -> Result<Vec<Activity>, StoreError> {
        Ok(vec![])
    }

    async fn confirm(&self, _: &str, _: Millis) -> Result<(), StoreError> {
        Ok(())
    }

    async fn confirmed(&self, _: &str) -> Result<bool, StoreError> {
        Ok(false)
    }
}

#[async_trait]
impl EventBus for Quiet {
    async fn publish(&self, _: &LifecycleEvent) -> Result<(), EventBusError> {
        Ok(())
    }
}

#[async_trait]
impl Schedules for Quiet {
    async fn put(&self, _: &Schedule) -> Result<(), ScheduleError> {
        unreachable!("no turn here asks")
    }

    async fn delete(&self, _: &str) -> Result<(), ScheduleError> {
        unreachable!("no turn here asks")
    }

    async fn list(&self) -> Result<Vec<Schedule>, ScheduleError> {
        unreachable!("no turn here asks")
    }
}

#[async_trait]
impl SecretStore for Quiet {
    async fn get(&self, reference: &SecretRef) -> Result<Secret, SecretError> {
        let (source_kind, id) = (reference.source, reference.id.clone());
        Err(SecretError::Missing { source_kind, id, fix: String::new() })
    }
}

fn agent(rows: &Arc<Rows>, clock: &Arc<RuntimeClock>, thinks: Duration) -> Agent {
    let quiet = Arc::new(Quiet { config: "{}", thinks });
    Agent {
        sessions: rows.clone(),
        access: quiet.clone(),
        files: quiet.clone(),
        channels: Arc::new(ChannelNotes::new(quiet.clone())),
        events: quiet.clone(),
        queue: Arc::new(FifoQueue::that_ignores_order(false)),
        directory: Arc::new(MemoryDirectory::default()),
        spend: Arc::new(MemorySpend::default()),
        approvals: Arc::new(MemoryApprovals::default()),
        audit: Arc::new(MemoryApprovals::default()),
        schedules: quiet,
        cooldowns: Arc::new(MemoryCooldowns::default()),
        known: Known::default(),
        clock: clock.clone(),
    }
}

fn message(standing: Standing, now: Millis) -> Envelope {
    let place = ReplyAddress {
        channel: "telegram".into(),
        account: "default".into(),
        to: "7".into(),
        thread: None,
        message: None,
    };
    let inbound = Inbound {
        channel: place.channel.clone(),
        account: place.account.clone(),
        event_id: "1".into(),
        peer: Peer::new(PeerKind::Direct, "7"),
        parent_peer: None,
        thread: None,
        sender: Sender { id: "7".into(), name: None },
        message_id: None,
        text: "hi".into(),
        kind: InboundKind::Message,
        addressed: true,
        media: vec![],
        guild: None,
        team: None,
        roles: vec![],
        sent_at: now,
        reply_to: place,
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

/// The lease of 45 s is renewed as long as the model is waited for. Red without the driver's ticks.
#[tokio::test(start_paused = true)]
async fn a_slow_model_keeps_its_session() {
    let clock = Arc::new(RuntimeClock { began: Instant::now(), dealt: AtomicU32::new(0) });
    let (rows, model) = (Arc::new(Rows::broken(None)), Arc::new(Slow::default()));
    let channel = Arc::new(RecordingChannel::default());
    let outlet = Outlet {
        channel: channel.clone(),
        text_limit: None,
        chunk_mode: ChunkMode::Length,
        streaming: false,
        blocks: None,
        steered: false,
        media_bytes: 0,
        seen: None,
        wished: None,
    };
    let choice = ModelChoice {
        name: "test/slow".into(),
        id: "slow".into(),
        max_tokens: 100,
        context_window: 10_000,
        sees: Default::default(),
        price: None,
        profiles: vec![Profile { id: "test:default".into(), model: model.clone() }],
    };
    let settings = AgentSettings {
        system: "You are slow.".into(),
        system_for_guests: "You are slow, among guests.".into(),
        models: vec![choice],
        further_models: vec![],
        thinking: Thinking::Off,
        timezone: "UTC".into(),
        max_steps: 3,
        tools: vec![],
        announce: false,
        ..AgentSettings::default()
    };
    let installation = Installation {
        outlets: HashMap::from([(("telegram".to_owned(), "default".to_owned()), outlet)]),
        agents: HashMap::from([(AgentId::new("main"), settings)]),
        ..Installation::default()
    };
    let envelope = message(Standing::Allowed, clock.now());
    let slice = Slice { deadline: clock.now().plus(170_000) };
    let (first, second) = (agent(&rows, &clock, Duration::ZERO), agent(&rows, &clock, Duration::ZERO));
    let impatient = async {
        sleep(Duration::from_secs(60)).await;
        second.answer(&installation, &envelope, slice).await
    };
    let (patient, impatient) = tokio::join!(first.answer(&installation, &envelope, slice), impatient);
    assert!(matches!(impatient, Outcome::Again { .. }), "{impatient:?}");
    assert!(matches!(patient, Outcome::Done(_)), "{patient:?}");
    assert_eq!(model.0.load(Ordering::SeqCst), 1, "nobody else asked");
    assert_eq!(channel.shown(), ["at last"]);
}

/// The messages of a running turn stay hidden, however long it takes. Red without the renewal.
#[tokio::test(start_paused = true)]
async fn the_messages_of_a_slow_turn_stay_hidden() {
    let clock = Arc::new(RuntimeClock { began: Instant::now(), dealt: AtomicU32::new(0) });
    let quiet = Arc::new(Quiet { config: CONFIG, thinks: Duration::ZERO });
    let ground = Ground {
        config_files: quiet.clone(),
        config_key: "config".into(),
        files: quiet.clone(),
        secrets: quiet.clone(),
        variables: Arc::new(|_| None),
        clock: clock.clone(),
        commands: Default::default(),
        scope: Scope::Everything,
        mcp: chela_app::mcp::McpHome::default(),
        inside: Default::default(),
    };
    let queue = Arc::new(FifoQueue::that_ignores_order(false));
    let rows = Arc::new(Rows::broken(None));
    let answerer = Answerer {
        agent: agent(&rows, &clock, Duration::from_secs(150)),
        queue: queue.clone(),
        live: Arc::new(Live::open(ground).await.unwrap()),
        metrics: Arc::default(),
        wished: Wished::default(),
    };
    queue.push(Lane::Live, &message(Standing::IfPaired, clock.now())).await.unwrap();
    let taken = queue.receive(Lane::Live, 10, 60).await.unwrap();
    assert_eq!(taken.len(), 1);
    let slice = Slice { deadline: clock.now().plus(170_000) };
    let somebody_else = async {
        for _ in 0..14 {
            sleep(Duration::from_secs(10)).await;
            let again = timeout(Duration::from_secs(1), queue.receive(Lane::Live, 10, 60)).await;
            let shown = again.map_or(0, |again| again.unwrap().len());
            assert_eq!(shown, 0, "shown again after {:?}", clock.began.elapsed());
        }
    };
    let (batch, ()) = tokio::join!(answerer.answer(taken, slice), somebody_else);
    assert_eq!(batch.failed, Vec::<String>::new(), "{:?}", batch.notes);
}
