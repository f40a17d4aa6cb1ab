//! One seed, from the first webhook to the verdict.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chela_core::agent_id::AgentId;
use chela_core::message::{Inbound, InboundKind, ReplyAddress, Sender};
use chela_core::queue::{Authority, ENVELOPE_VERSION, Envelope, Lane, Queue, Standing, Task};
use chela_core::session::SessionStore;
use chela_core::session_key::{Peer, PeerKind, SessionKey};
use tokio::runtime::Builder;
use tokio::time::{Instant, sleep, sleep_until, timeout_at};

use crate::checker::{Violation, judge};
use crate::fault::Fault;
use crate::history::{Happening, History};
use crate::queue::FifoQueue;
use crate::rows::Rows;
use crate::sim::{Config, Mutant, Sim};
use crate::transcript::wrong_at_rest;
use crate::worker::{PLATFORMS, Site, work};

/// After the last fault everything is settled within this: longest wait in the queue (15 minutes), longest pause, and
/// the turns that queued up meanwhile.
const SETTLES_WITHIN: Duration = Duration::from_secs(45 * 60);

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// What became of one seed.
#[derive(Debug)]
pub struct Run {
    /// The seed.
    pub seed: u64,
    /// What happened.
    pub history: History,
    /// Promises that were broken.
    pub violations: Vec<Violation>,
}

/// Runs one seed to its end.
pub fn run(seed: u64, config: Config) -> Run {
    let runtime = Builder::new_current_thread().enable_time().start_paused(true).build().expect("a runtime");
    let history = runtime.block_on(live(seed, config));
    let violations = judge(&history);
    Run { seed, history, violations }
}

/// A webhook call.
struct Webhook {
    at: Duration,
    message: u32,
    fault: Option<Fault>,
    /// It dies before it has queued the message.
    dies_before: bool,
}

struct Session {
    key: SessionKey,
    channel: &'static str,
}

async fn live(seed: u64, config: Config) -> History {
    let sim = Arc::new(Sim::new(seed, config));
    let site = Arc::new(Site {
        sim: sim.clone(),
        queue: Arc::new(FifoQueue::that_ignores_order(config.mutant == Some(Mutant::QueueIgnoresOrder))),
        rows: Arc::new(Rows::broken(config.mutant)),
        platforms: PLATFORMS.map(|id| (id, Arc::default())).into(),
        keys: Arc::default(),
        events: Mutex::default(),
    });
    sim.happens(Happening::Note(format!("{:?}", sim.weather)));
    for index in 0..sim.weather.workers {
        tokio::spawn(work(site.clone(), index));
    }
    let mut conversation = Conversation::begin(site.clone());
    let webhooks = conversation.plan();
    conversation.play(webhooks).await;
    let patience = sim.span(60_000, 3_600_000);
    conversation.settled(patience).await;
    sim.calm();
    conversation.ask_once_more().await;
    if !conversation.settled(SETTLES_WITHIN).await {
        sim.happens(Happening::Stuck { messages: site.queue.len() });
    }
    // Whatever is still on its way arrives.
    sleep(Duration::from_secs(300)).await;
    conversation.look_at_rest().await;
    sim.take_history()
}

/// The people who write.
struct Conversation {
    site: Arc<Site>,
    sessions: Vec<Session>,
    /// Session and text of each message.
    messages: Vec<(usize, String)>,
    accepted: BTreeMap<u32, ()>,
}

impl Conversation {
    fn begin(site: Arc<Site>) -> Self {
        // A long conversation reaches beyond what a session head remembers.
        let (sessions, each) = if site.sim.chance(1.0 / 16.0) { (1, 36) } else { (3, 4) };
        let sim = site.sim.clone();
        let session = |index: usize| Session {
            key: SessionKey::from_stored(format!("agent:main:direct:{index}")),
            channel: sim.config.platforms[sim.rng().usize(..sim.config.platforms.len())],
        };
        let sessions: Vec<Session> = (0..sessions).map(session).collect();
        let mut conversation = Self { site, messages: Vec::new(), accepted: BTreeMap::new(), sessions };
        for session in 0..conversation.sessions.len() {
            for _ in 0..each {
                let text = if sim.chance(0.03) {
                    ["/new", "/status"][sim.rng().usize(..2)].to_owned()
                } else {
                    format!("m{} please", conversation.messages.len())
                };
                conversation.messages.push((session, text));
            }
        }
        conversation
    }

    /// When which webhook is called, and what goes wrong with it.
    fn plan(&self) -> Vec<Webhook> {
        let sim = &self.site.sim;
        let long = self.sessions.len() == 1;
        let mut webhooks = Vec::new();
        let mut at = Duration::ZERO;
        let mut of = usize::MAX;
        let mut burst = false;
        for (message, (session, _)) in (0u32..).zip(&self.messages) {
            if of != *session {
                (of, at, burst) = (*session, sim.span(1, 20_000), sim.chance(0.5));
            }
            at += if burst { sim.span(1, 300) } else { sim.span(100, 60_000) };
            sim.destine(message);
            let dies = sim.chance(sim.weather.rate);
            let dies_before = dies && sim.chance(0.5);
            let call = |at, fault, dies_before| Webhook { at, message, fault, dies_before };
            webhooks.push(call(at, dies.then_some(Fault::WebhookDied), dies_before));
            if dies {
                webhooks.push(call(at + sim.span(5_000, 60_000), None, false));
            }
            let days = if long { 0.3 } else { 0.05 };
            let again = [
                (Fault::Repeated, 0.05, 1_000, 290_000),
                (Fault::RepeatedLate, 0.05, 301_000, 3_600_000),
                (Fault::RepeatedDaysLater, days, ms(DAY), 7 * ms(DAY)),
            ];
            for (fault, probability, least, most) in again {
                if sim.chance(probability) {
                    webhooks.push(call(at + sim.span(least, most), Some(fault), false));
                }
            }
        }
        webhooks.sort_by_key(|webhook| webhook.at);
        webhooks
    }

    async fn play(&mut self, webhooks: Vec<Webhook>) {
        let began = Instant::now();
        for Webhook { at, message, fault, dies_before } in webhooks {
            sleep_until(began + at).await;
            if let Some(fault) = fault {
                self.site.sim.strikes(fault, "webhook", Some(message));
            }
            if !dies_before {
                self.push(message).await;
            }
        }
    }

    async fn push(&mut self, message: u32) {
        let envelope = self.envelope(message);
        self.site.queue.push(Lane::Live, &envelope).await.expect("the message is small");
        if self.accepted.insert(message, ()).is_none() {
            // An event that is put aside is taken up under another name, and that may be put aside, too.
            let mut name = envelope.event.clone();
            for _ in 0..20 {
                self.site.events.lock().unwrap().insert(name.as_str().to_owned(), message);
                name = name.again();
            }
            let session = u32::try_from(self.messages[message as usize].0).unwrap();
            self.site.sim.happens(Happening::Accepted { message, session });
        }
    }

    fn envelope(&self, message: u32) -> Envelope {
        let (session, text) = &self.messages[message as usize];
        let Session { key, channel } = &self.sessions[*session];
        let now = self.site.sim.now(0);
        let peer = Peer::new(PeerKind::Direct, session.to_string());
        let reply_to = ReplyAddress {
            channel: (*channel).into(),
            account: "default".into(),
            to: session.to_string(),
            thread: None,
            message: Some(format!("m{message}")),
        };
        let inbound = Inbound {
            message_id: None,
            channel: (*channel).into(),
            account: "default".into(),
            event_id: format!("m{message}"),
            peer,
            parent_peer: None,
            thread: None,
            sender: Sender { id: session.to_string(), name: None },
            text: text.clone(),
            kind: InboundKind::Message,
            addressed: true,
            media: vec![],
            guild: None,
            team: None,
            roles: vec![],
            sent_at: now,
            reply_to,
        };
        Envelope {
            version: ENVELOPE_VERSION,
            event: inbound.event_key(),
            session: key.clone(),
            agent: AgentId::new("main"),
            accepted_at: now,
            task: Task::Message {
                inbound: Box::new(inbound),
                standing: Standing::Allowed,
                authority: Authority::Owner,
            },
        }
    }

    /// One more message in every session: none may be blocked for ever.
    async fn ask_once_more(&mut self) {
        for session in 0..self.sessions.len() {
            let message = u32::try_from(self.messages.len()).unwrap();
            self.messages.push((session, format!("m{message} are you there?")));
            self.push(message).await;
        }
    }

    /// Waits until the queue is empty; `false` if that takes too long.
    async fn settled(&self, within: Duration) -> bool {
        let until = Instant::now() + within;
        while !self.site.queue.is_empty() {
            if timeout_at(until, self.site.queue.wait()).await.is_err() {
                return false;
            }
        }
        true
    }

    async fn look_at_rest(&self) {
        let (sim, rows) = (&self.site.sim, &self.site.rows);
        for (session, of) in (0u32..).zip(&self.sessions) {
            let entries = rows.history(&of.key, 0, usize::MAX).await.expect("memory answers");
            sim.happens(Happening::AtRest { session, wrong: wrong_at_rest(&entries) });
        }
        for flagged in rows.flagged(usize::MAX).await.expect("memory answers") {
            let session = self.sessions.iter().position(|session| session.key == flagged.session).unwrap();
            let session = u32::try_from(session).unwrap();
            sim.happens(Happening::Listed { session, turn: flagged.turn, part: flagged.part });
        }
    }
}

fn ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap()
}
