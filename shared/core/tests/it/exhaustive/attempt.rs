//! Real machines on shelves: every distinct machine, head, row and entry is kept once and has a number, so that a state
//! of the world is a handful of numbers. A machine reads no clock and does no I/O, so what it does with an input is
//! computed once and looked up ever after.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::Debug;

use chela_core::agent_id::AgentId;
use chela_core::channel::{SendError, Unconfirmed};
use chela_core::clock::Millis;
use chela_core::message::{EventKey, Inbound, InboundKind, ReplyAddress, Sender};
use chela_core::model::{Block, ModelMessage, Usage};
use chela_core::queue::{Authority, ENVELOPE_VERSION, Envelope, Standing, Task};
use chela_core::session::{Accepted, AssistantEntry, Claimed, Control, Entry, Head, Put, StoreError};
use chela_core::session_key::{Peer, PeerKind, SessionKey};
use chela_core::tool::{Effect, ToolAnswer};
use chela_core::turn::{
    Answer, Command, Input, LEASE_MS, Machine, Outcome, Phase, Reply, Rules, Spent, Unanswered, Way, add_open_turn,
};

use super::invariants::fault_of_transcript;
use super::scope::{Mutant, Scope};

pub type Id = u32;

/// Numbers of names this far apart are of the same event.
pub const AGAIN: u8 = 32;

/// Now, for every attempt that has just begun. Nothing depends on how late it is.
pub const NOW: Millis = Millis(1_000_000_000);

/// Things without repetition.
pub struct Shelf<T> {
    things: Vec<T>,
    known: HashMap<String, Id>,
}

impl<T> Default for Shelf<T> {
    fn default() -> Self {
        Self { things: Vec::new(), known: HashMap::new() }
    }
}

impl<T: Debug> Shelf<T> {
    pub fn put(&mut self, thing: T) -> Id {
        let text = format!("{thing:?}");
        let next = Id::try_from(self.things.len()).unwrap();
        let id = *self.known.entry(text).or_insert(next);
        if id == next {
            self.things.push(thing);
        }
        id
    }

    pub fn get(&self, id: Id) -> &T {
        &self.things[id as usize]
    }
}

/// A part of a reply, as the outside sees it.
#[derive(Clone, Debug, PartialEq)]
pub struct Shown {
    pub event: u8,
    /// `None` for the message that shows the answer while it grows.
    pub part: Option<u16>,
    pub markdown: String,
    pub key: String,
}

/// One run of a tool. What the outside sees of it is the occasion: the same tool for the same step is the same deed,
/// whatever the model called it.
#[derive(Clone, Debug, PartialEq)]
pub struct Deed {
    pub event: u8,
    pub step: u16,
    pub tool: String,
    pub key: String,
}

/// A [`Command`] in numbers.
#[derive(Clone, Debug, PartialEq)]
pub enum Op {
    Claim { event: u8, until: Millis },
    Find(u8),
    Accept { event: u8, row: Id },
    Load { after: u64 },
    Save { head: Id, reaches: Millis },
    Append(Id),
    Flag { part: u16 },
    Consult,
    Admit,
    Look,
    Ask,
    KeepAsking,
    SendPreview(Id),
    RenewPreview,
    Run(Id),
    Send(Id),
    Edit(Id),
    Wait,
    Announce,
    Done { also: Vec<u8> },
    Again { reason: String },
}

/// An [`Input`] in numbers.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Told {
    Held(Id),
    Finished,
    Busy,
    Found(Option<Id>),
    /// What was to be stored, and what was there.
    Accepted(Id, Option<Id>),
    Loaded(Vec<Id>),
    Saved,
    Appended(Option<Id>),
    Flagged,
    Consulted,
    Admitted,
    Looked(Vec<u8>, bool),
    Answered,
    Silent,
    Draft,
    Block,
    PreviewSent(Option<usize>),
    PreviewRenewed,
    Returned,
    Sent,
    NotSent,
    Unconfirmed,
    Refused,
    Edited,
    Tick,
    Announced,
    Unavailable,
    Fenced,
}

/// A machine, and what it is about to have done.
pub struct Live {
    pub machine: Machine,
    pub op: Op,
    /// The event whose turn it is.
    pub event: Option<u8>,
    pub clock: u64,
    /// What is wrong with the question it puts.
    pub fault: Option<String>,
}

/// From one phase, over a command, to another; whether because something failed.
pub type Step = (String, String, String, bool);

pub struct Shelves {
    pub scope: Scope,
    pub mutant: Option<Mutant>,
    pub envelopes: Vec<Envelope>,
    pub lives: Vec<Live>,
    known: HashMap<String, Id>,
    next: HashMap<(Id, Told), Id>,
    pub heads: Shelf<Head>,
    pub rows: Shelf<Accepted>,
    pub entries: Shelf<Entry>,
    pub shown: Shelf<Shown>,
    pub deeds: Shelf<Deed>,
    pub steps: BTreeSet<Step>,
}

/// What running each tool twice does; `None` if nobody has it.
pub fn effect(tool: &str) -> Option<Effect> {
    match tool {
        "book" | "pay" => Some(Effect::Unkeyed),
        "note" => Some(Effect::Keyed),
        "look" => Some(Effect::None),
        _ => None,
    }
}

/// What an event is called in stories: also its text.
pub fn name(event: u8) -> String {
    format!("m{}", event % AGAIN + 1)
}

pub fn session(number: usize) -> SessionKey {
    SessionKey::from_stored(format!("s{number}"))
}

fn envelope(event: u8, session_number: usize) -> Envelope {
    let name = name(event);
    let reply_to =
        ReplyAddress { channel: "t".into(), account: "a".into(), to: "c".into(), thread: None, message: None };
    let inbound = Inbound {
        message_id: None,
        channel: "t".into(),
        account: "a".into(),
        event_id: name.clone(),
        peer: Peer::new(PeerKind::Direct, "7"),
        parent_peer: None,
        thread: None,
        sender: Sender { id: "7".into(), name: None },
        text: name.clone(),
        kind: InboundKind::Message,
        addressed: true,
        media: vec![],
        guild: None,
        team: None,
        roles: vec![],
        sent_at: NOW,
        reply_to,
    };
    Envelope {
        version: ENVELOPE_VERSION,
        event: inbound.event_key(),
        session: session(session_number),
        agent: AgentId::new("main"),
        accepted_at: NOW,
        task: Task::Message { inbound: Box::new(inbound), standing: Standing::Allowed, authority: Authority::Owner },
    }
}

impl Shelves {
    pub fn new(scope: Scope, mutant: Option<Mutant>) -> Self {
        let mut sessions: Vec<(u8, usize)> = Vec::new();
        for line in scope.lines {
            sessions.extend(line.events.iter().chain(line.later).map(|event| (*event, line.session)));
        }
        sessions.sort_unstable();
        Self {
            scope,
            mutant,
            envelopes: sessions.into_iter().map(|(event, session)| envelope(event, session)).collect(),
            lives: Vec::new(),
            known: HashMap::new(),
            next: HashMap::new(),
            heads: Shelf::default(),
            rows: Shelf::default(),
            entries: Shelf::default(),
            shown: Shelf::default(),
            deeds: Shelf::default(),
            steps: BTreeSet::new(),
        }
    }

    pub fn without(&self, mutant: Mutant) -> bool {
        self.mutant == Some(mutant)
    }

    pub fn live(&self, id: Id) -> &Live {
        &self.lives[id as usize]
    }

    /// The number of an event's name; an event that is taken up again has another one.
    fn number(&self, key: &EventKey) -> u8 {
        let mut numbers = (0..AGAIN * 7).filter(|number| usize::from(number % AGAIN) < self.envelopes.len());
        numbers.find(|number| self.key(*number) == *key).unwrap()
    }

    pub fn key(&self, number: u8) -> EventKey {
        let first = self.envelopes[usize::from(number % AGAIN)].event.clone();
        (0..number / AGAIN).fold(first, |key, _| key.again())
    }

    /// The event of a name.
    pub fn event(&self, key: &EventKey) -> u8 {
        self.number(key) % AGAIN
    }

    /// A new attempt that is about to claim.
    pub fn begin(&mut self, event: u8, joined: &[u8], owner: &str) -> Id {
        let envelope = self.envelopes[usize::from(event)].clone();
        let joined = joined.iter().map(|event| self.envelopes[usize::from(*event)].clone()).collect();
        let known = ["book", "pay", "note", "look"].iter().filter(|tool| self.scope.tools.contains(tool));
        let tools: BTreeMap<String, Effect> = known.map(|tool| ((*tool).to_owned(), effect(tool).unwrap())).collect();
        let rules = Rules { tools, announce: self.scope.announce };
        let deadline = NOW.plus(self.scope.slice_ms);
        let mut machine = Machine::new(envelope, joined, owner.to_owned(), deadline, rules);
        let command = machine.begin(NOW);
        self.note("New", &command, &machine, false);
        self.keep(machine, command, 0)
    }

    /// The machine after an input.
    pub fn advance(&mut self, id: Id, told: &Told) -> Id {
        if let Some(next) = self.next.get(&(id, told.clone())) {
            return *next;
        }
        let input = self.input(id, told);
        let Live { machine, clock, .. } = self.live(id);
        let mut machine = machine.clone();
        let slow = matches!(told, Told::Answered | Told::Returned | Told::Sent | Told::NotSent | Told::Unconfirmed);
        let clock = if slow { clock + self.scope.slow_ms } else { *clock };
        let before = phase_name(machine.phase());
        let command = machine.handle(NOW.plus(clock), input);
        assert!(machine.turn().entries.len() < 50, "a turn grows without end in {}", self.scope.name);
        self.note(&before, &command, &machine, matches!(told, Told::Unavailable | Told::Fenced));
        let next = self.keep(machine, command, clock);
        self.next.insert((id, told.clone()), next);
        next
    }

    /// Whether a command touches nothing that others see and cannot go wrong here: it is done together with the one
    /// before it, because it makes no difference what happens in between.
    pub fn at_once(&self, id: Id, op: &Op) -> bool {
        let left = self.scope.left;
        match op {
            Op::Consult | Op::Admit | Op::Announce | Op::Wait => true,
            Op::Look => !self.scope.steering && left.stops == 0 && left.throttles == 0,
            Op::Ask => {
                left.silences == 0
                    && left.drafts == 0
                    && left.blocks == 0
                    && left.ticks == 0
                    && self.live(id).fault.is_none()
            }
            _ => false,
        }
    }

    fn note(&mut self, before: &str, command: &Command, machine: &Machine, failed: bool) {
        let after = phase_name(machine.phase());
        self.steps.insert((before.to_owned(), command_name(command), after, failed));
    }

    fn keep(&mut self, machine: Machine, command: Command, clock: u64) -> Id {
        let op = self.op(&machine, command);
        self.shelve(machine, op, clock)
    }

    fn shelve(&mut self, machine: Machine, op: Op, clock: u64) -> Id {
        let text = format!("{clock}{machine:?}{op:?}");
        if let Some(id) = self.known.get(&text) {
            return *id;
        }
        let event = machine.accepted().map(|accepted| self.event(&accepted.event));
        let fault = if matches!(op, Op::Ask) { self.fault_of_question(&machine) } else { None };
        let id = Id::try_from(self.lives.len()).unwrap();
        self.lives.push(Live { machine, op, event, clock, fault });
        self.known.insert(text, id);
        id
    }

    /// The same attempt after a pause as long as its lease.
    pub fn paused(&mut self, id: Id) -> Id {
        let Live { machine, op, clock, .. } = self.live(id);
        let (machine, op, clock) = (machine.clone(), op.clone(), clock + LEASE_MS);
        self.shelve(machine, op, clock)
    }

    fn op(&mut self, machine: &Machine, command: Command) -> Op {
        let event = machine.accepted().map(|accepted| self.event(&accepted.event));
        match command {
            Command::Claim { event, until, .. } => Op::Claim { event: self.number(&event), until },
            Command::Find(event) => Op::Find(self.number(&event)),
            Command::Accept(row) => Op::Accept { event: self.number(&row.event), row: self.rows.put(*row) },
            Command::Load { after_turn } => Op::Load { after: after_turn },
            Command::Save { head, lease_reaches } => Op::Save { head: self.heads.put(*head), reaches: lease_reaches },
            Command::Append(entry) => Op::Append(self.entries.put(*entry)),
            Command::Flag { part, .. } => Op::Flag { part },
            Command::Consult => Op::Consult,
            Command::Admit { .. } => Op::Admit,
            Command::Look => Op::Look,
            Command::Ask { .. } => Op::Ask,
            Command::KeepAsking => Op::KeepAsking,
            Command::SendPreview { .. } | Command::SendPlaceholder { .. } => {
                let event = event.unwrap();
                let (part, markdown, key) = (None, String::new(), String::new());
                Op::SendPreview(self.shown.put(Shown { event, part, markdown, key }))
            }
            Command::RenewPreview { .. } => Op::RenewPreview,
            Command::Run { call, idempotency_key, .. } => {
                let Phase::Running(_) = machine.phase() else { panic!("a tool runs in another phase") };
                let step = machine.turn().answers().count() - 1;
                let step = u16::try_from(step).unwrap();
                Op::Run(self.deeds.put(Deed { event: event.unwrap(), step, tool: call.name, key: idempotency_key }))
            }
            Command::Send(part) => Op::Send(self.part(event, part)),
            // What is edited is shown by which message it is: two messages with one text are two.
            Command::Edit { message, part } => {
                let part = chela_core::turn::Part { idempotency_key: message, ..part };
                Op::Edit(self.part(event, part))
            }
            Command::Wait { .. } => Op::Wait,
            Command::Announce(_) => Op::Announce,
            Command::End(Outcome::Done(report)) => {
                Op::Done { also: report.also.iter().map(|event| self.event(event)).collect() }
            }
            Command::End(Outcome::Again { reason, .. }) => Op::Again { reason },
        }
    }

    fn part(&mut self, event: Option<u8>, part: chela_core::turn::Part) -> Id {
        let (number, markdown, key) = (Some(part.part), part.markdown, part.idempotency_key);
        self.shown.put(Shown { event: event.unwrap(), part: number, markdown, key })
    }

    fn input(&self, id: Id, told: &Told) -> Input {
        let live = self.live(id);
        let failed = |make: fn(String) -> SendError| Err(make("as the story goes".to_owned()));
        match told {
            Told::Held(head) => Input::Claimed(Claimed::Held(self.heads.get(*head).clone())),
            Told::Finished => Input::Claimed(Claimed::Finished),
            Told::Busy => Input::Claimed(Claimed::Busy { until: NOW.plus(1) }),
            Told::Found(row) => Input::Found(row.map(|row| {
                let row = self.rows.get(row).clone();
                let way = self.way(row.task.as_ref());
                (row, way)
            })),
            Told::Accepted(row, known) => {
                let way = self.way(self.rows.get(*row).task.as_ref());
                Input::Accepted(known.map_or(Put::Stored, |known| Put::Exists(self.rows.get(known).clone())), way)
            }
            Told::Loaded(entries) => {
                Input::Loaded(entries.iter().map(|entry| self.entries.get(*entry).clone()).collect())
            }
            Told::Saved => Input::Saved,
            Told::Appended(known) => {
                Input::Appended(known.map_or(Put::Stored, |known| Put::Exists(self.entries.get(known).clone())))
            }
            Told::Flagged => Input::Flagged,
            Told::Consulted => {
                let command = live.event.is_some_and(|event| self.scope.commands.contains(&event));
                let parts = (0..self.scope.parts).map(|part| format!("{part} of a command")).collect();
                Input::Consulted(command.then_some(Reply { parts, forget: true, choices: None }))
            }
            Told::Admitted => Input::Admitted(Vec::new()),
            Told::Looked(steering, stop) => Input::Looked {
                control: stop.then_some(Control { stop_before: NOW.plus(1) }),
                last_words: vec!["stopped".to_owned()],
                steering: steering.iter().map(|event| self.envelopes[usize::from(*event)].clone()).collect(),
            },
            Told::Answered => Input::Answered(Box::new(self.answer(&live.machine))),
            Told::Silent => Input::Unanswered(Unanswered {
                again_after_s: Some(1),
                reason: "silent".into(),
                apology: "the model is silent".into(),
                spent: Spent::default(),
                parked: false,
            }),
            Told::Draft => Input::Draft,
            Told::Block => Input::Block(vec![self.block(&live.machine)]),
            Told::PreviewSent(message) => Input::PreviewSent(message.map(|nth| format!("preview{nth}"))),
            Told::PreviewRenewed => Input::PreviewRenewed,
            Told::Returned => Input::ToolReturned(ToolAnswer::ok("done")),
            Told::Sent => Input::Sent(Ok("id".to_owned())),
            Told::NotSent => Input::Sent(failed(|reason| SendError::NotSent { channel: "t", reason })),
            Told::Unconfirmed => Input::Sent(failed(|reason| SendError::Unknown { channel: "t", reason })),
            Told::Refused if matches!(live.op, Op::Edit(_)) => {
                Input::Edited(Err(SendError::Refused { channel: "t", reason: "too old".into() }))
            }
            Told::Refused => Input::Sent(failed(|reason| SendError::Refused { channel: "t", reason })),
            Told::Edited => Input::Edited(Ok(())),
            Told::Tick => Input::Tick,
            Told::Announced => Input::Announced,
            Told::Unavailable => Input::Failed(StoreError::Unavailable("throttled".into())),
            Told::Fenced => Input::Failed(StoreError::Fenced),
        }
    }

    /// Where an answer goes, as the driver finds it.
    fn way(&self, task: Option<&Task>) -> Way {
        let Some(Task::Message { inbound, .. }) = task else { return Way::Collected };
        let keys = self.scope.keyed || self.without(Mutant::KeysClaimed);
        let unconfirmed = match (keys, self.scope.placed) {
            (true, _) => Unconfirmed::ResendWithKey,
            (false, true) => Unconfirmed::Placeholder,
            (false, false) => Unconfirmed::Flag,
        };
        Way::To { address: inbound.reply_to.clone(), unconfirmed }
    }

    /// Whose answer a block is of can be read off it.
    fn block(&self, machine: &Machine) -> String {
        format!("block {} of {}", machine.turn().parts().len(), machine.head().attempts)
    }

    /// The scripted model. It says something else whenever another attempt asks, as models do.
    fn answer(&self, machine: &Machine) -> Answer {
        let variant = machine.head().attempts.min(2);
        let event = machine.accepted().map(|accepted| self.event(&accepted.event)).unwrap();
        let first = machine.turn().answers().all(AssistantEntry::is_block);
        let tools = first && self.scope.tools_for.contains(&event);
        let (mut blocks, outbox) = if tools && !self.scope.tools.is_empty() {
            let call = |tool: &&str| Block::ToolUse {
                id: format!("{tool}{variant}"),
                name: (*tool).to_owned(),
                input: serde_json::Value::Null,
            };
            (self.scope.tools.iter().map(call).collect(), None)
        } else {
            let parts: Vec<String> =
                (0..self.scope.parts).map(|part| format!("{part} of answer {variant} to {}", name(event))).collect();
            (vec![Block::Text { text: parts.join(" ") }], Some(parts))
        };
        // It holds what was sent of it.
        let own = format!("of {}", machine.head().attempts);
        let sent = machine.turn().answers().filter(|answer| answer.is_block()).flat_map(|answer| &answer.interim);
        let sent: Vec<Block> =
            sent.filter(|text| text.ends_with(&own)).map(|text| Block::Text { text: text.clone() }).collect();
        blocks.splice(0..0, sent);
        let on_the_way = if outbox.is_none() { self.scope.interim } else { 0 };
        let interim = (0..on_the_way).map(|part| format!("{part} on the way {variant} to {}", name(event))).collect();
        let (model, usage) = ("m".into(), Usage::default());
        let entry = AssistantEntry { blocks, model, usage, interim, outbox, ..Default::default() };
        Answer { entry, spent: Spent::default(), plain: false }
    }

    /// What is wrong with what the model is about to read.
    fn fault_of_question(&self, machine: &Machine) -> Option<String> {
        let mut open: Vec<ModelMessage> = Vec::new();
        add_open_turn(&mut open, machine.user(), machine.turn());
        let open = texts(&open);
        let mut messages = machine.past();
        add_open_turn(&mut messages, machine.user(), machine.turn());
        for fragment in machine.turn().fragments() {
            if !open.contains(&fragment.text) {
                return Some(format!("the model answers {} without reading it", fragment.text));
            }
        }
        fault_of_transcript(&messages)
    }
}

/// What users said, each by itself.
pub fn texts(messages: &[ModelMessage]) -> Vec<String> {
    let user = messages.iter().filter(|message| message.role == chela_core::model::Role::User);
    let texts = user.flat_map(|message| &message.blocks).filter_map(|block| match block {
        Block::Text { text } => Some(text),
        _ => None,
    });
    texts.flat_map(|text| text.split_whitespace().map(str::to_owned)).collect()
}

pub fn phase_name(phase: &Phase) -> String {
    let text = match phase {
        Phase::Asking(_, beside) => format!("Asking{beside:?}"),
        other => format!("{other:?}"),
    };
    let end = text.find(|letter: char| !letter.is_ascii_alphanumeric()).unwrap_or(text.len());
    text.chars().take(end).collect()
}

fn command_name(command: &Command) -> String {
    match command {
        Command::End(Outcome::Done(_)) => "done".to_owned(),
        Command::End(Outcome::Again { .. }) => "again".to_owned(),
        other => {
            let text = format!("{other:?}");
            text.chars().take_while(char::is_ascii_alphanumeric).collect()
        }
    }
}
