//! Drives one attempt: performs what the machine asks for, through the ports.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use chela_core::access::AccessStore;
use chela_core::agent_id::AgentId;
use chela_core::approval::ApprovalStore;
use chela_core::audit::AuditLog;
use chela_core::blob::BlobStore;
use chela_core::clock::{Clock, Millis};
use chela_core::cooldown::CooldownStore;
use chela_core::directory::{Directory, Wishes};
use chela_core::event::{EventBus, EventName, LifecycleEvent};
use chela_core::message::ReplyAddress;
use chela_core::queue::{Envelope, Queue, Task};
use chela_core::schedule::Schedules;
use chela_core::session::{Accepted, Claim, Entry, EntryBody, Fence, Flagged, Head, SessionStore, StoreError};
use chela_core::session_key::SessionKey;
use chela_core::spend::SpendStore;
use chela_core::tool::{Caller, Tool};
use chela_core::tool_policy::{Limit, Who, decide};
use chela_core::turn::{
    COLLECTED, Command, Input, Machine, Outcome, Rules, Spent, Unanswered, Way, bytes_of_blocks, deliver_to,
    idempotency_key,
};
use futures_util::future::{join, join_all};
use serde_json::{Value, json};
use tokio::sync::OnceCell;

use crate::known::Known;
use crate::notes::ChannelNotes;
use crate::purse::Notices;
use crate::redeliver::Decided;
use crate::relay;
use crate::settings::{AgentSettings, Installation, Outlet};

/// Stored entries a turn looks back on at first: enough for most, and cheap.
const FIRST_WINDOW: usize = 80;

/// Most of them. The past is summed up long before so many are stored, see [`crate::compact`].
const WINDOW: usize = 480;

/// Bytes of entries beyond which no more are read: those that are left out are summed up one by one.
const WINDOW_BYTES: usize = 2 * 1024 * 1024;

/// Most messages a running turn is steered by at one step; more wait for their own turn.
const STEERED_AT_ONCE: usize = 20;

/// The name of the queue's mode in which a turn heeds messages that come while it runs.
const STEER: &str = "steer";

/// The time an attempt has.
#[derive(Clone, Copy, Debug)]
pub struct Slice {
    /// When the attempt must have ended.
    pub deadline: Millis,
}

/// The ports a turn works through.
pub struct Agent {
    /// Sessions.
    pub sessions: Arc<dyn SessionStore>,
    /// Approved senders.
    pub access: Arc<dyn AccessStore>,
    /// Workspaces.
    pub files: Arc<dyn BlobStore>,
    /// What happens on accounts.
    pub channels: Arc<ChannelNotes>,
    /// Lifecycle events.
    pub events: Arc<dyn EventBus>,
    /// Where work for other conversations is left.
    pub queue: Arc<dyn Queue>,
    /// Which conversations there are.
    pub directory: Arc<dyn Directory>,
    /// Money.
    pub spend: Arc<dyn SpendStore>,
    /// Calls that wait for consent, and what is allowed for ever.
    pub approvals: Arc<dyn ApprovalStore>,
    /// Who agreed to what.
    pub audit: Arc<dyn AuditLog>,
    /// What wakes the house when nobody answered a request in time.
    pub schedules: Arc<dyn Schedules>,
    /// Credentials that are left in peace.
    pub cooldowns: Arc<dyn CooldownStore>,
    /// What this process knows of the two.
    pub known: Known,
    /// Time and names.
    pub clock: Arc<dyn Clock>,
}

/// One attempt: the machine, and what configuration lends it.
pub(crate) struct Attempt<'a> {
    pub(crate) machine: Machine,
    pub(crate) agent: &'a AgentId,
    pub(crate) settings: &'a AgentSettings,
    pub(crate) installation: &'a Installation,
    /// When it was begun.
    pub(crate) began: Millis,
    /// What was wished for the conversation, once somebody asked.
    pub(crate) wishes: OnceCell<Wishes>,
    /// What the owner is to be told under the next answer.
    pub(crate) notices: Notices,
    /// Whether all that is stored of the conversation was read.
    pub(crate) whole: AtomicBool,
    pub(crate) relay: &'a Outlet,
}

impl<'a> Attempt<'a> {
    /// What can send to `to`: an account, or the way to another conversation.
    pub(crate) fn outlet(&self, to: &ReplyAddress) -> Option<&'a Outlet> {
        relay::outlet(self.installation, self.relay, to)
    }

    /// Facts for `/status` and the `session_status` tool.
    pub(crate) fn status(&self) -> Value {
        let models: Vec<&str> = self.settings.models.iter().map(|choice| choice.name.as_str()).collect();
        let head = self.machine.head();
        json!({
            "session": self.machine.session().as_str(),
            "agent": self.agent.as_str(),
            "turn": head.turn(),
            "turnsInContext": head.last_turn.saturating_sub(head.forgotten),
            "models": models,
            "timezone": self.settings.timezone,
        })
    }

    /// For whom the turn is made, by the model that spoke last.
    pub(crate) fn caller(&self) -> Caller {
        self.caller_of(self.machine.turn().answers().last().map(|answer| answer.model.as_str()))
    }

    /// The same, by this model.
    pub(crate) fn caller_of(&self, model: Option<&str>) -> Caller {
        let machine = &self.machine;
        let said = || machine.user().iter().chain(machine.turn().fragments());
        let mut senders: Vec<String> = Vec::new();
        for sender in said().map(|fragment| &fragment.sender).filter(|sender| !sender.is_empty()) {
            if !senders.contains(sender) {
                senders.push(sender.clone());
            }
        }
        let (depth, hops) = match self.task() {
            Some(Task::Relay { depth, hops, .. } | Task::Decision { depth, hops, .. }) => (*depth, *hops),
            _ => (0, 0),
        };
        let reply_to = match machine.way() {
            Way::To { address, .. } => Some(address.clone()),
            Way::Collected | Way::Gone { .. } => None,
        };
        let authority = said().map(|fragment| fragment.authority).min().unwrap_or_default();
        let limit = limit(self.task(), &senders, reply_to.as_ref(), self.agent, model);
        Caller { authority, senders, reply_to, depth, hops, limit }
    }

    /// The tools this caller may use.
    pub(crate) fn tools(&self, caller: &Caller) -> Vec<&'a Arc<dyn Tool>> {
        self.installation.tools.usable(&self.settings.tools, caller)
    }

    /// Why a tool may not be used, for the model.
    pub(crate) fn refusal(&self, tool: &str, caller: &Caller) -> String {
        let layers = self.installation.tools.layers(&caller.limit, caller.depth);
        match decide(tool, &layers) {
            Err(refused) => format!("\"{tool}\" may not be used in this conversation: {refused}."),
            Ok(()) => format!("\"{tool}\" may not be used in this conversation."),
        }
    }

    /// Why the turn may not go on, in words for its sender, if it has taken too long. Time before its first step does not
    /// count: a message may wait while the house is down.
    pub(crate) fn overdue(&self, now: Millis) -> Option<Unanswered> {
        let longest = self.settings.longest_turn?;
        let began = self.machine.turn().entries.first()?.at;
        (u128::from(now.since(began)) > longest.as_millis()).then(|| Unanswered {
            again_after_s: None,
            reason: format!("the turn took longer than {} s (agents.defaults.timeoutSeconds)", longest.as_secs()),
            apology: format!(
                "This takes longer than the {} s I may spend on one message, so I have stopped. What I did so far is \
                 kept: tell me to go on, or ask for less at once.",
                longest.as_secs()
            ),
            spent: Spent::default(),
            parked: false,
        })
    }

    /// What the turn answers.
    pub(crate) fn task(&self) -> Option<&Task> {
        self.machine.accepted().and_then(|accepted| accepted.task.as_ref())
    }
}

impl Agent {
    /// Takes one envelope to its end. Answering the same envelope again finds what is done and does only the rest.
    pub async fn answer(&self, installation: &Installation, envelope: &Envelope, slice: Slice) -> Outcome {
        self.answer_together(installation, envelope, &[], slice).await
    }

    /// The same, with further messages of the session that become part of its turn if they can;
    /// [`chela_core::turn::Report::also`] names those that did, the others are still to be answered.
    pub async fn answer_together(
        &self,
        installation: &Installation,
        envelope: &Envelope,
        others: &[Envelope],
        slice: Slice,
    ) -> Outcome {
        if let Task::Redeliver { turn, part, flagged_at } = envelope.task {
            return self.redeliver(installation, envelope, Decided { turn, part, flagged_at }, slice).await;
        }
        if let Task::Lapsed { id } = &envelope.task {
            return self.lapsed(installation, id).await;
        }
        if matches!(envelope.task, Task::Heartbeat { .. }) {
            // What nobody answered in time is told; what cannot be seen now is at the next occasion.
            let _ = self.desk(installation).sweep(self.clock.now()).await;
        }
        let Some(settings) = installation.agents.get(&envelope.agent) else {
            let reason = format!("agent \"{}\" is not configured: add it to agents.list", envelope.agent.as_str());
            return Outcome::Again { after_s: 30, reason };
        };
        let tools = settings.tools.iter().map(|tool| (tool.spec().name, tool.effect())).collect();
        let rules = Rules { tools, announce: settings.announce };
        let owner = self.clock.unique();
        let notices = Notices::default();
        let taken_in = |envelope| self.taken_in(installation, settings, envelope, &notices);
        let (whole, others) = join(taken_in(envelope), join_all(others.iter().map(taken_in))).await;
        let machine = Machine::new(whole, others, owner, slice.deadline, rules);
        let (wishes, relay) = (OnceCell::new(), self.relay());
        let agent = &envelope.agent;
        let began = self.clock.now();
        let (whole, relay) = (AtomicBool::new(false), &relay);
        let mut attempt = Attempt { machine, agent, settings, installation, wishes, notices, began, whole, relay };
        let mut command = attempt.machine.begin(began);
        loop {
            let input = match command {
                Command::End(outcome) => return outcome,
                Command::Ask { step } => {
                    command = self.ask(&mut attempt, step).await;
                    continue;
                }
                command => self.perform(&attempt, command).await,
            };
            command = attempt.machine.handle(self.clock.now(), input);
        }
    }

    /// The message as its turn takes it: its sender looked up, its files stored.
    async fn taken_in(
        &self,
        installation: &Installation,
        settings: &AgentSettings,
        envelope: &Envelope,
        notices: &Notices,
    ) -> Envelope {
        let admitted = self.admitted(installation, envelope).await;
        let whole = self.with_files(installation, &admitted, notices).await;
        settings.knowledge.expanded(whole).into_owned()
    }

    /// Does one thing.
    pub(crate) async fn perform(&self, attempt: &Attempt<'_>, command: Command) -> Input {
        let phase = attempt.machine.phase().name();
        failpoint(phase, "before");
        let input = match self.store(attempt, command).await {
            Ok(Done::Input(input)) => input,
            Ok(Done::NotOfTheStore(command)) => self.act(attempt, command).await,
            Err(error) => Input::Failed(error),
        };
        failpoint(phase, "after");
        input
    }

    async fn store(&self, attempt: &Attempt<'_>, command: Command) -> Result<Done, StoreError> {
        let (session, owner) = (attempt.machine.session(), attempt.machine.owner());
        Ok(Done::Input(match command {
            Command::Claim { event, now, until } => {
                Input::Claimed(self.sessions.claim(session, &Claim { event: &event, owner, now, until }).await?)
            }
            Command::Find(event) => {
                let found = self.sessions.accepted(session, &event).await?;
                Input::Found(found.map(|accepted| {
                    let way = way(attempt, accepted.task.as_ref());
                    (accepted, way)
                }))
            }
            Command::Accept(accepted) => {
                let put = self.sessions.accept(session, &accepted).await?;
                self.note_beginning(attempt, accepted.task.as_ref(), &put).await;
                self.note_home(attempt, accepted.task.as_ref(), &put).await;
                let way = way(attempt, accepted.task.as_ref());
                Input::Accepted(put, way)
            }
            Command::Load { after_turn } => {
                let (mut entries, whole) = self.window(session, after_turn, attempt.machine.head().turn()).await?;
                attempt.whole.store(whole, Ordering::Relaxed);
                if after_turn > 0 {
                    // What was said before, if it was summed up and not forgotten.
                    let summary = self.sessions.summary(session, after_turn).await?;
                    entries.splice(0..0, summary);
                }
                Input::Loaded(entries)
            }
            Command::Save { head, lease_reaches } => {
                self.save(session, &head, owner, lease_reaches).await?;
                Input::Saved
            }
            Command::Append(entry) => Input::Appended(self.sessions.append(session, &entry).await?),
            Command::Flag { part, reason } => {
                let (turn, at) = (attempt.machine.turn().number, self.clock.now());
                if let Some(Accepted { event, .. }) = attempt.machine.accepted() {
                    let (session, event) = (session.clone(), event.clone());
                    let flagged = Flagged { session, turn, part, event, at, reason, sending: false };
                    let key = idempotency_key(&flagged.session, &flagged.event, &format!("part:{part}"));
                    self.sessions.flag(&flagged).await?;
                    // The platform may have told already; what it tells later is seen by whoever looks at the flags.
                    if self.channels.log().confirmed(&key).await? {
                        self.sessions.change_flag(&flagged, None).await?;
                    }
                }
                Input::Flagged
            }
            Command::Consult => Input::Consulted(self.consult(attempt).await?),
            Command::Admit { calls } => Input::Admitted(self.admit(attempt, &calls).await?),
            Command::Look => {
                let control = self.sessions.control(session).await?;
                Input::Looked {
                    control,
                    last_words: relay::last_words(attempt),
                    steering: self.steering(attempt).await?,
                }
            }
            other => return Ok(Done::NotOfTheStore(other)),
        }))
    }

    /// The newest entries of turns after `after_turn`, those of the turn in progress all; and whether they are all there
    /// are.
    async fn window(&self, session: &SessionKey, after: u64, open: u64) -> Result<(Vec<Entry>, bool), StoreError> {
        let mut entries = self.sessions.history(session, after, FIRST_WINDOW).await?;
        let mut whole = entries.len() < FIRST_WINDOW;
        if !whole && bytes(&entries) < WINDOW_BYTES {
            entries = self.sessions.history(session, after, WINDOW).await?;
            whole = entries.len() < WINDOW;
        }
        if entries.len() >= FIRST_WINDOW && entries.first().is_some_and(|first| first.turn == open) {
            entries = self.sessions.turn(session, open).await?;
        }
        Ok((entries, whole))
    }

    /// Messages that were left for this turn, and that no turn of their own has begun to answer.
    async fn steering(&self, attempt: &Attempt<'_>) -> Result<Vec<Envelope>, StoreError> {
        let Way::To { address, .. } = attempt.machine.way() else { return Ok(Vec::new()) };
        if !attempt.waits().is_empty() {
            // The turn ends here: what came meanwhile has a turn of its own.
            return Ok(Vec::new());
        }
        let Some(accepted) = attempt.machine.accepted() else { return Ok(Vec::new()) };
        let session = attempt.machine.session();
        let Some(outlet) = attempt.outlet(address) else { return Ok(Vec::new()) };
        if !outlet.steered && self.wishes(attempt).await.queue.as_deref() != Some(STEER) {
            return Ok(Vec::new());
        }
        let mut fresh = Vec::new();
        for envelope in self.sessions.left(session, accepted.at, STEERED_AT_ONCE).await? {
            if envelope.agent != *attempt.agent || self.sessions.accepted(session, &envelope.event).await?.is_some() {
                continue;
            }
            // Fetching and hearing files takes longer than a lease lasts: such a message waits for a turn of its own, and
            // so does what was said after it.
            if brings_files(&envelope) {
                break;
            }
            // Whoever writes elsewhere may have other tools there.
            if envelope
                .task
                .reply_to()
                .is_some_and(|to| (&to.channel, &to.account) == (&address.channel, &address.account))
            {
                fresh.push(envelope);
            }
        }
        Ok(fresh)
    }

    /// What was wished for the conversation: one read for the whole attempt, and nothing if it fails.
    async fn wishes(&self, attempt: &Attempt<'_>) -> Wishes {
        let read = || self.directory.wishes(attempt.machine.session());
        attempt.wishes.get_or_try_init(read).await.cloned().unwrap_or_default()
    }

    async fn save(
        &self,
        session: &SessionKey,
        head: &Head,
        owner: &str,
        lease_reaches: Millis,
    ) -> Result<(), StoreError> {
        let fence = Fence { epoch: head.epoch, owner, lease_reaches };
        self.sessions.save(session, head, &fence).await
    }

    /// Publishes a lifecycle event. Losing one must never fail a turn.
    pub(crate) async fn publish(&self, name: EventName, attempt: &Attempt<'_>) {
        let mut detail = serde_json::Map::new();
        if let Some(Accepted { event, .. }) = attempt.machine.accepted() {
            detail.insert("event".into(), event.as_str().into());
        }
        detail.insert("agent".into(), attempt.agent.as_str().into());
        detail.insert("turn".into(), attempt.machine.head().turn().into());
        let _ = self.events.publish(&LifecycleEvent { name, at: self.clock.now(), detail }).await;
    }
}

/// A place at which a test may kill the process.
pub(crate) fn failpoint(phase: &str, when: &str) {
    if chela_failpoint::ARMED {
        chela_failpoint::reached(&format!("{phase}.{when}"));
    }
}

/// Bytes of what was said in these entries.
fn bytes(entries: &[Entry]) -> usize {
    let of_entry = |entry: &Entry| match &entry.body {
        EntryBody::Assistant(answer) => bytes_of_blocks(&answer.blocks),
        EntryBody::ToolResults { results } => bytes_of_blocks(results),
        EntryBody::ToolDone { result } => bytes_of_blocks(std::slice::from_ref(result)),
        EntryBody::Steered { .. } | EntryBody::Summary { .. } => 0,
    };
    entries.iter().map(of_entry).sum()
}

/// On whose behalf a turn is made: what its occasion brings along, the people whose words are in it, and this agent.
fn limit(
    task: Option<&Task>,
    senders: &[String],
    reply_to: Option<&ReplyAddress>,
    agent: &AgentId,
    model: Option<&str>,
) -> Limit {
    let mut limit = match task {
        Some(Task::Message { inbound, .. }) => {
            let who = Who { senders: senders.to_vec(), ..Who::at(inbound) };
            Limit { who: vec![who], ..Limit::default() }
        }
        Some(Task::Relay { limit, .. } | Task::Decision { limit, .. }) => limit.clone(),
        Some(Task::Heartbeat { made_for: Some(made), .. }) => made.limit.clone(),
        Some(Task::Heartbeat { made_for: None, .. }) => Limit::of_house(),
        Some(Task::Approval { .. } | Task::Redeliver { .. } | Task::Lapsed { .. } | Task::Wrote { .. }) | None => {
            Limit::unknown()
        }
    };
    let channel = match task {
        Some(Task::Message { inbound, .. }) => inbound.channel.as_str(),
        _ => reply_to.map_or(COLLECTED, |to| to.channel.as_str()),
    };
    for sender in senders {
        limit.add_sender(channel, sender);
    }
    limit.add_step(agent, model);
    limit
}

fn brings_files(envelope: &Envelope) -> bool {
    matches!(&envelope.task, Task::Message { inbound, .. } if !inbound.media.is_empty())
}

/// A command of the store done, or one that is not of the store.
enum Done {
    Input(Input),
    NotOfTheStore(Command),
}

fn way(attempt: &Attempt<'_>, task: Option<&Task>) -> Way {
    let Some(address) = task.and_then(deliver_to) else { return Way::Collected };
    match attempt.outlet(address) {
        Some(outlet) => Way::To { address: address.clone(), unconfirmed: outlet.unconfirmed(address) },
        None => {
            Way::Gone { reason: format!("channel {}/{} is not configured any more", address.channel, address.account) }
        }
    }
}
