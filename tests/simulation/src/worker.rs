//! Worker processes: each takes batches, answers them as the agent function does, and is replaced when it dies.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use chela_agent::{
    Agent, AgentSettings, ChannelNotes, Installation, Known, ModelChoice, Outcome, Outlet, Profile, Slice,
};
use chela_core::access::{AccessStore, Pairing, PairingRequest, SenderRef};
use chela_core::agent_id::AgentId;
use chela_core::blob::{Blob, BlobError, BlobStore, Listed, Precondition};
use chela_core::channel_log::{self, Activity, ChannelLog};
use chela_core::chunk::ChunkMode;
use chela_core::clock::{Clock, Millis};
use chela_core::event::{EventBus, EventBusError, EventName, LifecycleEvent};
use chela_core::model::{Model, Thinking};
use chela_core::queue::{Delivery, Envelope, Lane, Queue, Task};
use chela_core::schedule::{Schedule, ScheduleError, Schedules};
use chela_core::session::StoreError;
use chela_core::tool::Tool;
use chela_testkit::memory::{MemoryApprovals, MemoryCooldowns, MemoryDirectory, MemorySpend};
use futures_util::future::join_all;
use tokio::time::{Instant, sleep};

use crate::fault::Fault;
use crate::history::Happening;
use crate::model::{SimulatedModel, message_of};
use crate::platform::{Platform, SimulatedChannel};
use crate::process::{End, Mortal, Process};
use crate::queue::FifoQueue;
use crate::rows::Rows;
use crate::sim::Sim;
use crate::store::Remote;
use crate::tools::{Keys, NAMES, SimulatedTool};

/// Most messages of one batch: <https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html>
const BATCH: usize = 10;

/// What an invocation may use of its time, as the agent function computes it.
const SLICE_MS: u64 = 165_000;

/// Most model calls of one turn.
pub(crate) const STEPS: u16 = 5;

/// The platforms there are.
pub(crate) const PLATFORMS: [&str; 3] = ["edited", "keyed", "plain"];

/// What outlives every process.
pub(crate) struct Site {
    pub(crate) sim: Arc<Sim>,
    pub(crate) queue: Arc<FifoQueue>,
    pub(crate) rows: Arc<Rows>,
    pub(crate) platforms: BTreeMap<&'static str, Arc<Platform>>,
    pub(crate) keys: Keys,
    /// Messages by the name of their event.
    pub(crate) events: Mutex<BTreeMap<String, u32>>,
}

/// The message an envelope carries.
pub(crate) fn message_in(envelope: &Envelope) -> u32 {
    let Task::Message { inbound, .. } = &envelope.task else { panic!("only messages are pushed") };
    inbound.reply_to.message.as_deref().and_then(message_of).expect("every message says which it is")
}

/// Works for ever; dies and is replaced as often as it takes.
pub(crate) async fn work(site: Arc<Site>, index: usize) {
    let sim = site.sim.clone();
    for generation in 0u32.. {
        let process = Arc::new(Process::new(sim.clone(), format!("p{index}g{generation}")));
        let worker = Arc::new(Worker::new(&site, process.clone()));
        loop {
            let deliveries = site.take().await;
            let limit = sim.weather.limit.map(|limit| (Instant::now() + limit, Fault::TimedOut));
            let strikes = [Fault::Killed, Fault::Stopped].into_iter().filter(|_| sim.chance(sim.weather.rate));
            let strikes: Vec<(Instant, Fault)> =
                strikes.map(|fault| (Instant::now() + sim.span(1, 60_000), fault)).chain(limit).collect();
            let batch = worker.clone().answer(deliveries.clone());
            match tokio::spawn(Mortal::new(process.clone(), batch, strikes)).await {
                Ok(End::Done(failed)) => site.acknowledge(&deliveries, &failed, &process).await,
                Ok(End::Dead) => break,
                Err(error) => {
                    sim.happens(Happening::Panic { said: error.to_string() });
                    break;
                }
            }
        }
        sleep(sim.span(100, 3_000)).await;
    }
}

impl Site {
    async fn take(&self) -> Vec<Delivery> {
        loop {
            let taken = self.queue.receive(Lane::Live, BATCH, self.sim.weather.visibility_s).await;
            for envelope in self.queue.take_dead() {
                self.sim.happens(Happening::Dead { message: message_in(&envelope) });
            }
            match taken {
                Ok(taken) if !taken.is_empty() => return taken,
                _ => self.queue.wait().await,
            }
        }
    }

    /// What the service does after an invocation that succeeded: all but the failed messages are deleted.
    async fn acknowledge(&self, deliveries: &[Delivery], failed: &[String], process: &Process) {
        for delivery in deliveries.iter().filter(|delivery| !failed.contains(&delivery.message_id)) {
            if !self.sim.is_calm() && self.sim.chance(self.sim.weather.rate) {
                let envelope: Envelope = serde_json::from_str(&delivery.body).unwrap();
                self.sim.strikes(Fault::DeleteLost, &process.name, Some(message_in(&envelope)));
                continue;
            }
            // A receipt that has expired deletes nothing: the message comes again.
            let _ = self.queue.delete(delivery.lane, &delivery.receipt).await;
        }
    }
}

/// What one process answers with.
struct Worker {
    site: Arc<Site>,
    process: Arc<Process>,
    agent: Agent,
    installation: Installation,
}

impl Worker {
    fn new(site: &Arc<Site>, process: Arc<Process>) -> Self {
        let agent = Agent {
            sessions: Arc::new(Remote { process: process.clone(), rows: site.rows.clone() }),
            access: Arc::new(Unused),
            files: Arc::new(Unused),
            channels: Arc::new(ChannelNotes::new(Arc::new(Unused))),
            events: Arc::new(Bus(site.clone())),
            queue: site.queue.clone(),
            directory: Arc::new(MemoryDirectory::default()),
            spend: Arc::new(MemorySpend::default()),
            approvals: Arc::new(MemoryApprovals::default()),
            audit: Arc::new(MemoryApprovals::default()),
            schedules: Arc::new(Unused),
            cooldowns: Arc::new(MemoryCooldowns::default()),
            known: Known::default(),
            clock: process.clone(),
        };
        let outlet = |id: &'static str| {
            let platform = site.platforms[id].clone();
            let channel = SimulatedChannel { process: process.clone(), platform, id };
            let (channel, chunk_mode) = (Arc::new(channel), ChunkMode::Length);
            (
                (id.to_owned(), "default".to_owned()),
                Outlet {
                    media_bytes: 16 * 1024 * 1024,
                    seen: None,
                    channel,
                    text_limit: None,
                    chunk_mode,
                    streaming: false,
                    blocks: None,
                    steered: false,
                    wished: None,
                },
            )
        };
        let model = |provider: &'static str| ModelChoice {
            name: format!("{provider}/simulated"),
            id: "simulated".into(),
            max_tokens: 1_000,
            context_window: 100_000,
            sees: Default::default(),
            price: None,
            profiles: vec![Profile {
                id: format!("{provider}:default"),
                model: Arc::new(SimulatedModel { process: process.clone(), provider }) as Arc<dyn Model>,
            }],
        };
        let tool = |name: &'static str| -> Arc<dyn Tool> {
            Arc::new(SimulatedTool { process: process.clone(), name, keys: site.keys.clone() })
        };
        let settings = AgentSettings {
            system: "You are simulated.".into(),
            system_for_guests: "You are simulated, among guests.".into(),
            models: vec![model("first"), model("second")],
            further_models: vec![],
            thinking: Thinking::Off,
            timezone: "UTC".into(),
            max_steps: STEPS,
            tools: NAMES.map(tool).into(),
            announce: false,
            ..AgentSettings::default()
        };
        let installation = Installation {
            outlets: PLATFORMS.map(outlet).into(),
            agents: HashMap::from([(AgentId::new("main"), settings)]),
            ..Installation::default()
        };
        Self { site: site.clone(), process, agent, installation }
    }

    /// Sessions side by side, each in order; the ids of what is to come again.
    async fn answer(self: Arc<Self>, deliveries: Vec<Delivery>) -> Vec<String> {
        let slice = Slice { deadline: self.process.now().plus(SLICE_MS) };
        let mut groups: Vec<Vec<Delivery>> = Vec::new();
        for delivery in deliveries {
            match groups.iter_mut().find(|group| group[0].group == delivery.group) {
                Some(group) => group.push(delivery),
                None => groups.push(vec![delivery]),
            }
        }
        join_all(groups.into_iter().map(|group| self.answer_group(group, slice))).await.concat()
    }

    /// The first that has to come again holds back the rest of its group.
    async fn answer_group(&self, group: Vec<Delivery>, slice: Slice) -> Vec<String> {
        let mut failed = Vec::new();
        let mut waiting = group.into_iter();
        for delivery in waiting.by_ref() {
            let envelope: Envelope = serde_json::from_str(&delivery.body).unwrap();
            self.process.handles(&envelope.session, message_in(&envelope));
            let outcome = self.agent.answer(&self.installation, &envelope, slice).await;
            self.process.ended(&envelope.session);
            if let Outcome::Again { after_s, reason } = outcome {
                let message = message_in(&envelope);
                self.site.sim.happens(Happening::Note(format!("m{message} again after {after_s} s: {reason}")));
                self.hide(&delivery, after_s, Some(message)).await;
                failed.push(delivery.message_id);
                break;
            }
        }
        for held_back in waiting {
            self.hide(&held_back, 0, None).await;
            failed.push(held_back.message_id);
        }
        failed
    }

    async fn hide(&self, delivery: &Delivery, seconds: u32, message: Option<u32>) {
        let sim = &self.site.sim;
        if !sim.is_calm() && sim.chance(sim.weather.rate) {
            sim.strikes(Fault::HideLost, &self.process.name, message);
            return;
        }
        sleep(Duration::from_millis(5)).await;
        let _ = self.site.queue.hide(delivery.lane, &delivery.receipt, seconds).await;
    }
}

/// What the owner is told.
struct Bus(Arc<Site>);

#[async_trait]
impl EventBus for Bus {
    async fn publish(&self, event: &LifecycleEvent) -> Result<(), EventBusError> {
        if event.name == EventName::DeliveryFlagged {
            let name = event.detail["event"].as_str().unwrap();
            let message = self.0.events.lock().unwrap()[name];
            let turn = event.detail["turn"].as_u64().unwrap();
            self.0.sim.happens(Happening::Flagged { message, turn });
        }
        Ok(())
    }
}

/// Ports no simulated turn asks: everybody is allowed, and no tool keeps files.
struct Unused;

const UNUSED: &str = "no simulated turn asks for this";

#[async_trait]
impl ChannelLog for Unused {
    async fn note(&self, _: &str, _: &str, _: &channel_log::Happening, _: Millis) -> Result<(), StoreError> {
        Ok(())
    }

    async fn activities(&self) -> Result<Vec<Activity>, StoreError> {
        unreachable!("{UNUSED}")
    }

    async fn confirm(&self, _: &str, _: Millis) -> Result<(), StoreError> {
        unreachable!("{UNUSED}")
    }

    /// No platform here tells later.
    async fn confirmed(&self, _: &str) -> Result<bool, StoreError> {
        Ok(false)
    }
}

#[async_trait]
impl AccessStore for Unused {
    async fn approved(&self, _: &SenderRef) -> Result<bool, StoreError> {
        unreachable!("{UNUSED}")
    }

    async fn request_pairing(&self, _: &SenderRef, _: &str, _: Millis) -> Result<Pairing, StoreError> {
        unreachable!("{UNUSED}")
    }

    async fn pending(&self, _: &str, _: &str, _: Millis) -> Result<Vec<PairingRequest>, StoreError> {
        unreachable!("{UNUSED}")
    }

    async fn approve(&self, _: &str, _: &str, _: &str, _: Millis) -> Result<Option<SenderRef>, StoreError> {
        unreachable!("{UNUSED}")
    }
}

#[async_trait]
impl BlobStore for Unused {
    async fn get(&self, _: &str) -> Result<Option<Blob>, BlobError> {
        unreachable!("{UNUSED}")
    }

    async fn get_if_changed(&self, _: &str, _: &str) -> Result<Option<Blob>, BlobError> {
        unreachable!("{UNUSED}")
    }

    async fn put(&self, _: &str, _: Bytes, _: Precondition) -> Result<String, BlobError> {
        unreachable!("{UNUSED}")
    }

    async fn delete(&self, _: &str, _: Option<&str>) -> Result<(), BlobError> {
        unreachable!("{UNUSED}")
    }

    async fn list(&self, _: &str, _: usize) -> Result<Vec<Listed>, BlobError> {
        unreachable!("{UNUSED}")
    }
}

#[async_trait]
impl Schedules for Unused {
    async fn put(&self, _: &Schedule) -> Result<(), ScheduleError> {
        unreachable!("{UNUSED}")
    }

    async fn delete(&self, _: &str) -> Result<(), ScheduleError> {
        unreachable!("{UNUSED}")
    }

    async fn list(&self) -> Result<Vec<Schedule>, ScheduleError> {
        unreachable!("{UNUSED}")
    }
}
