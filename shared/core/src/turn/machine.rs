//! One attempt at one turn, without I/O: it is told what happened and says what to do next. The agent function, the
//! local gateway, the simulation and the model checker all drive this same machine; a driver only performs
//! [`Command`]s.
//!
//! ```text
//! open:    Claiming ▸ Accepting ▸ Loading ▸ Repairing ▸ Joining      (Finding, PuttingAside, Clearing: another's turn)
//! then, as the stored rows say (Turn::next), until the turn is finished:
//! ask:     Consulting or Looking ▸ Renewing ▸ Asking ▸ Storing         (a block of the answer: Storing, deliver, Asking)
//! act:     Admitting ▸ MarkingTools ▸ Running ▸ Journalling ▸ Storing
//! deliver: MarkingPart ▸ Sending, or Placing ▸ Placed ▸ Editing ▸ Waiting  (Flagging, Announcing: nobody can know;
//!          Noting: the model goes on after it)
//! close:   Recording ▸ Finishing ▸ Closing ▸ Ended                   (Releasing ▸ Ended: later, in another attempt)
//! ```
//!
//! `docs/turn.md` has every step from phase to phase, drawn from an exploration of all orders of events.

mod act;
mod ask;
mod deliver;
mod open;

use std::collections::VecDeque;
use std::sync::Arc;

use super::command::{Command, Input, Outcome, Report, Rules, Way};
use super::fragment::fragment;
use super::{Deliver, Next, Past, PlannedCall, Turn, fit_entry, fit_envelope, plain, together};
use crate::clock::Millis;
use crate::event::EventName;
use crate::message::EventKey;
use crate::model::{Block, ModelMessage};
use crate::queue::{Envelope, Task};
use crate::session::{Accepted, Entry, EntryBody, Head, Intent, Put, Settled, StoreError, UserFragment};
use crate::session_key::SessionKey;

/// How long a claim lasts, and how long a dead attempt holds its session. A living attempt renews it while it waits
/// for a model.
pub const LEASE_MS: u64 = 45_000;

/// How often a waiting attempt should be told [`Input::Tick`]: two may be lost before the lease runs out.
pub const TICK_MS: u64 = 15_000;

/// Difference of two machines' clocks, and the time between a check and what it allows.
const MARGIN_MS: u64 = 5_000;

/// Claims of one turn that got nowhere, after which it is given up with an apology: whatever breaks it would break it
/// again.
pub const MAX_ATTEMPTS: u32 = 8;

/// One attempt. It begins with [`Machine::begin`] and ends with [`Command::End`].
#[derive(Clone, Debug)]
pub struct Machine {
    session: SessionKey,
    owner: String,
    deadline: Millis,
    rules: Rules,
    /// What the attempt is asked to answer: the first claims; the others may be joined to its turn.
    envelopes: Vec<Envelope>,
    head: Head,
    accepted: Option<Accepted>,
    way: Way,
    past: Arc<Past>,
    user: Vec<UserFragment>,
    turn: Turn,
    /// Whether this attempt stored something new: then it does not count towards giving up.
    progressed: bool,
    /// The call that goes on while other things are done: the step it was made for. What is stored from there on is of its
    /// answer.
    asking: Option<u16>,
    /// Whether the message that becomes the part is this attempt's: then nobody has edited it before.
    placed: bool,
    report: Report,
    phase: Phase,
}

/// What the machine is waiting for.
#[derive(Clone, Debug, PartialEq)]
pub enum Phase {
    /// To be begun.
    New,
    /// The claim.
    Claiming,
    /// The event of an unfinished turn that goes first.
    Finding,
    /// An event that was claimed and never stored to be put aside.
    PuttingAside,
    /// Our event to be stored.
    Accepting,
    /// A head without a turn in progress: the event was put aside, or is a duplicate.
    Clearing,
    /// The entries.
    Loading,
    /// Missing tool results to be stored.
    Repairing(VecDeque<Entry>),
    /// Whether further messages were answered before.
    Joining(usize),
    /// Whether a model is needed.
    Consulting,
    /// What came meanwhile.
    Looking(u16),
    /// A longer lease before the model is asked.
    Renewing(u16),
    /// The model's answer, and what is done beside it.
    Asking(u16, Beside),
    /// An entry to be stored.
    Storing(Box<Entry>),
    /// Which calls of a step may be begun.
    Admitting(u16, Vec<PlannedCall>),
    /// The marks of tools to be stored.
    MarkingTools(Box<Head>, ToolRun),
    /// A tool.
    Running(ToolRun),
    /// A result to be journalled.
    Journalling(ToolRun, Box<Entry>),
    /// The mark of a part to be stored.
    MarkingPart(Box<Head>, Deliver, u32),
    /// The empty message that becomes a part, to be sent.
    Placing(Deliver, u32),
    /// Its id to be stored.
    Placed(Deliver, u32),
    /// That message, or the preview, to become the part.
    Editing(Deliver, u32),
    /// A part to be sent.
    Sending(Deliver, u32),
    /// The time before a part is tried again.
    Waiting(Deliver, u32),
    /// Parts to be flagged, the first first.
    Flagging(VecDeque<Doubt>),
    /// The flag of the first to be announced.
    Announcing(VecDeque<Doubt>),
    /// The end of a part that was sent on the way, to be stored.
    Noting,
    /// Further events of the turn to be stored.
    Recording(VecDeque<Accepted>),
    /// The finished head to be stored.
    Finishing,
    /// The end to be announced.
    Closing,
    /// The lease to be given back.
    Releasing {
        /// What the queue is told.
        after_s: u32,
        /// Why.
        reason: String,
    },
    /// Nothing.
    Ended,
}

impl Phase {
    /// The name of the phase: in logs, in the diagram, and for tests that break a process off there.
    pub fn name(&self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Claiming => "claiming",
            Self::Finding => "finding",
            Self::Accepting => "accepting",
            Self::Clearing => "clearing",
            Self::PuttingAside => "putting-aside",
            Self::Loading => "loading",
            Self::Repairing(_) => "repairing",
            Self::Joining(_) => "joining",
            Self::Consulting => "consulting",
            Self::Looking(_) => "looking",
            Self::Renewing(_) => "renewing",
            Self::Asking(..) => "asking",
            Self::Storing(_) => "storing",
            Self::Admitting(..) => "admitting",
            Self::MarkingTools(..) => "marking-tools",
            Self::Running(_) => "running",
            Self::Journalling(..) => "journalling",
            Self::MarkingPart(..) => "marking-part",
            Self::Placing(..) => "placing",
            Self::Placed(..) => "placed",
            Self::Editing(..) => "editing",
            Self::Sending(..) => "sending",
            Self::Waiting(..) => "waiting",
            Self::Flagging(_) => "flagging",
            Self::Announcing(_) => "announcing",
            Self::Noting => "noting",
            Self::Recording(_) => "recording",
            Self::Finishing => "finishing",
            Self::Closing => "closing",
            Self::Releasing { .. } => "releasing",
            Self::Ended => "ended",
        }
    }
}

/// What is done while the model is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Beside {
    /// Nothing.
    Idle,
    /// The lease is renewed.
    Renewing,
    /// The preview is marked.
    Marking,
    /// The preview is sent.
    Showing,
    /// The preview is recorded.
    Recording,
    /// The preview is renewed.
    Editing,
}

/// A part that its owner must decide about.
#[derive(Clone, Debug, PartialEq)]
pub struct Doubt {
    part: u16,
    reason: String,
    end: Settled,
}

/// The tools of one step, as far as they have been run.
#[derive(Clone, Debug, PartialEq)]
pub struct ToolRun {
    step: u16,
    calls: VecDeque<PlannedCall>,
    /// Ids of those with effects.
    effects: Vec<String>,
    results: Vec<Block>,
}

impl Machine {
    /// An attempt to answer `envelope`, and to join those after it to its turn, that must have ended by `deadline`.
    /// `owner` is unique for every attempt.
    pub fn new(envelope: Envelope, joined: Vec<Envelope>, owner: String, deadline: Millis, rules: Rules) -> Self {
        let session = envelope.session.clone();
        let envelopes = std::iter::once(envelope).chain(joined).map(fit_envelope).collect();
        Self {
            session,
            owner,
            deadline,
            rules,
            envelopes,
            head: Head::default(),
            accepted: None,
            way: Way::Collected,
            past: Arc::default(),
            user: Vec::new(),
            turn: Turn::default(),
            progressed: false,
            asking: None,
            placed: false,
            report: Report::default(),
            phase: Phase::New,
        }
    }

    /// The session.
    pub fn session(&self) -> &SessionKey {
        &self.session
    }

    /// The attempt's name.
    pub fn owner(&self) -> &str {
        &self.owner
    }

    /// When the attempt must have ended.
    pub fn deadline(&self) -> Millis {
        self.deadline
    }

    /// The head as this attempt last stored it.
    pub fn head(&self) -> &Head {
        &self.head
    }

    /// The event whose turn this is, once it is known.
    pub fn accepted(&self) -> Option<&Accepted> {
        self.accepted.as_ref()
    }

    /// Where the answer goes.
    pub fn way(&self) -> &Way {
        &self.way
    }

    /// The turn so far.
    pub fn turn(&self) -> &Turn {
        &self.turn
    }

    /// Whether the answer of the model that was asked last is still waited for, whatever is done meanwhile.
    pub fn is_asking(&self) -> bool {
        self.asking.is_some()
    }

    /// What the user said.
    pub fn user(&self) -> &[UserFragment] {
        &self.user
    }

    /// Puts other words in the place of those the turn's message has, as long as no answer to them is stored: a command
    /// that stands before them is not for the model. Twice is once.
    pub fn reword(&mut self, words: &str) {
        let Some(Task::Message { inbound, .. }) = self.accepted.as_ref().and_then(|it| it.task.as_ref()) else {
            return;
        };
        if let (true, Some(first)) = (self.turn.entries.is_empty(), self.user.first_mut())
            && let Some(files) = first.text.strip_prefix(&inbound.text)
        {
            first.text = format!("{words}{files}");
        }
    }

    /// The messages of all turns before this one.
    pub fn past(&self) -> Vec<ModelMessage> {
        // Both may have become so in this turn.
        let past = together(self.past.since(self.head.forgotten));
        if self.head.plain >= self.head.last_turn { plain(&past) } else { past }
    }

    /// The turns before this one as they were read, with those that were forgotten or became plain since.
    pub fn past_turns(&self) -> &Arc<Past> {
        &self.past
    }

    /// What the machine is waiting for.
    pub fn phase(&self) -> &Phase {
        &self.phase
    }

    /// The first command.
    pub fn begin(&mut self, now: Millis) -> Command {
        let Some(first) = self.envelopes.first() else { return self.end_again(0, "there is nothing to answer") };
        let event = first.event.clone();
        self.wait(Phase::Claiming, Command::Claim { event, now, until: now.plus(LEASE_MS) })
    }

    /// Takes what came of the last command and says what is next.
    pub fn handle(&mut self, now: Millis, input: Input) -> Command {
        let phase = std::mem::replace(&mut self.phase, Phase::Ended);
        match (phase, input) {
            (Phase::Asking(step, beside), input) => self.while_asking(now, step, beside, input),
            (phase, Input::Failed(error)) => self.store_failed(phase, &error),
            (Phase::Claiming, Input::Claimed(claimed)) => self.claimed(now, claimed),
            (Phase::Finding, Input::Found(found)) => self.found(now, found),
            (Phase::PuttingAside, Input::Accepted(put, _)) => self.put_aside(put),
            (Phase::Accepting, Input::Accepted(put, way)) => self.accepted_or_known(now, put, way),
            (Phase::Clearing, Input::Saved) => self.cleared(now),
            (Phase::Loading, Input::Loaded(entries)) => self.loaded(now, entries),
            (Phase::Repairing(rest), Input::Appended(_)) => self.repair(now, rest),
            (Phase::Joining(index), Input::Found(found)) => self.joined(now, index, found.is_some()),
            (Phase::Consulting, Input::Consulted(reply)) => self.consulted(now, reply),
            (Phase::Looking(step), Input::Looked { control, last_words, steering }) => {
                self.looked(now, step, control.map(|control| (control, last_words)), steering)
            }
            (Phase::Renewing(step), Input::Saved) => self.ask(step),
            (Phase::Storing(entry), Input::Appended(put)) => self.stored(now, *entry, put),
            (Phase::Admitting(step, calls), Input::Admitted(results)) => self.admitted(now, step, calls, &results),
            (Phase::MarkingTools(head, run), Input::Saved) => self.tools_marked(now, *head, run),
            (Phase::Running(run), Input::ToolReturned(answer)) => self.tool_returned(now, run, answer),
            (Phase::Journalling(run, entry), Input::Appended(put)) => self.journalled(now, run, *entry, put),
            (Phase::MarkingPart(head, part, tries), Input::Saved) => self.part_marked(now, *head, part, tries),
            (Phase::Placing(part, tries), Input::PreviewSent(message)) => self.placing(now, part, tries, message),
            (Phase::Placed(part, tries), Input::Saved) => self.deliver(now, part, tries),
            (Phase::Editing(part, tries), Input::Edited(end)) => self.edited(now, part, tries, end),
            (Phase::Sending(part, tries), Input::Sent(end)) => self.sent(now, part, tries, end),
            (Phase::Waiting(part, tries), Input::Tick) => self.deliver(now, part, tries.saturating_add(1)),
            (Phase::Flagging(doubts), Input::Flagged) => {
                self.wait(Phase::Announcing(doubts), Command::Announce(EventName::DeliveryFlagged))
            }
            (Phase::Announcing(doubts), Input::Announced) => self.announced(now, doubts),
            (Phase::Recording(rest), Input::Accepted(..)) => self.record(rest),
            (Phase::Noting, Input::Saved) => self.go_on(now),
            (Phase::Finishing, Input::Saved) => self.finished(now),
            (Phase::Closing, Input::Announced) => self.close(now),
            (Phase::Releasing { after_s, reason }, Input::Saved) => self.end_again(after_s, &reason),
            (phase, input) => self.end_again(30, &format!("the driver answered {phase:?} with {input:?}")),
        }
    }

    /// What follows from the stored rows.
    fn go_on(&mut self, now: Millis) -> Command {
        match self.turn.next() {
            // A block of its answer was sent.
            Next::AskModel { step } if self.asking.is_some() => self.keep_asking(step),
            Next::AskModel { step } => self.before_asking(now, step),
            Next::RunTools { step, calls } => self.act(now, step, calls),
            Next::Deliver(part) => self.deliver(now, part, 1),
            Next::Finish => self.finish(),
        }
    }

    /// Whether so many attempts got nowhere that another one would not either.
    fn hopeless(&self) -> bool {
        self.head.attempts > MAX_ATTEMPTS
    }

    fn wait(&mut self, phase: Phase, command: Command) -> Command {
        self.phase = phase;
        command
    }

    /// Saves the head as it is.
    fn save(&mut self, phase: Phase) -> Command {
        self.head.revision = self.head.revision.saturating_add(1);
        let head = Box::new(self.head.clone());
        self.wait(phase, Command::Save { head, lease_reaches: Millis(0) })
    }

    /// The head with these marks and a fresh lease.
    fn marked(&mut self, now: Millis, intents: Vec<Intent>) -> Head {
        // Also if this is never stored: a copy that arrives late must be older than whatever is stored then.
        self.head.revision = self.head.revision.saturating_add(1);
        let lease_until = self.head.lease_until.max(now.plus(LEASE_MS));
        Head { intents, lease_until, ..self.head.clone() }
    }

    /// Saves a head under a lease that still reaches `needs_ms` from now.
    fn save_marked(&mut self, now: Millis, needs_ms: u64, head: Head, phase: Phase) -> Command {
        let lease_reaches = now.plus(needs_ms.saturating_add(MARGIN_MS));
        self.wait(phase, Command::Save { head: Box::new(head), lease_reaches })
    }

    /// When something begun now must have ended: before the lease does.
    fn until(&self, now: Millis, needs_ms: u64) -> Millis {
        let lease = Millis(self.head.lease_until.0.saturating_sub(MARGIN_MS / 2));
        now.plus(needs_ms).min(lease)
    }

    fn entry(&self, now: Millis, step: u16, body: EntryBody) -> Entry {
        fit_entry(Entry { turn: self.turn.number, step, at: now, body })
    }

    fn store(&mut self, entry: Entry) -> Command {
        self.wait(Phase::Storing(Box::new(entry.clone())), Command::Append(Box::new(entry)))
    }

    fn stored(&mut self, now: Millis, entry: Entry, put: Put<Entry>) -> Command {
        if matches!(entry.body, EntryBody::ToolResults { .. }) {
            // The results are the record now; the marks go with the next change of the head, and not before.
            self.head.intents.clear();
        }
        self.adopt(entry, put);
        self.go_on(now)
    }

    /// If another attempt was first, its entry is ours.
    fn adopt(&mut self, entry: Entry, put: Put<Entry>) {
        match put {
            Put::Stored => {
                self.progressed = true;
                self.turn.push(entry);
            }
            Put::Exists(theirs) => {
                // What this attempt's model says is not what the turn goes on with.
                self.asking = None;
                self.turn.push(theirs);
            }
        }
        self.heed_entries();
    }

    /// What the entries of the turn say about the session. It is stored with the next change of the head; whoever takes
    /// over reads it from the entries again.
    fn heed_entries(&mut self) {
        if let Some(Entry { step: 0, body: EntryBody::Assistant(first), .. }) = self.turn.entries.first() {
            // Another attempt may have joined messages to the turn that this one was not given.
            self.user.clone_from(&first.user);
        }
        for answer in self.turn.answers() {
            if answer.forget {
                self.head.forgotten = self.turn.number;
            }
            if answer.plain {
                self.head.plain = self.head.last_turn;
            }
            if answer.summary.is_some() {
                self.head.forgotten = self.head.forgotten.max(self.head.last_turn);
            }
            if let Some(turn) = answer.compacted {
                self.head.forgotten = self.head.forgotten.max(turn.min(self.head.last_turn));
            }
            if let Some(choices) = &answer.choices {
                self.head.choices = (**choices).clone();
            }
        }
    }

    /// Gives the session back with the turn unfinished.
    fn later(&mut self, after_s: u32, reason: String) -> Command {
        if self.progressed {
            self.head.attempts = 1;
        }
        self.asking = None;
        self.head.release();
        self.save(Phase::Releasing { after_s, reason })
    }

    /// A store that did not answer may answer again: the lease is given back, so that the next attempt need not wait for
    /// its end. What may or may not have been written is read anew then; a mark that was not confirmed is taken back,
    /// because nothing was begun.
    fn store_failed(&mut self, phase: Phase, error: &StoreError) -> Command {
        let after_s = match error {
            StoreError::Fenced => 1,
            StoreError::Unavailable(_) => 5,
            StoreError::Full(_) | StoreError::Damaged(_) => 30,
        };
        match (phase, error) {
            (Phase::Releasing { after_s, reason }, _) => self.end_again(after_s, &reason),
            (Phase::Claiming | Phase::New, _) | (_, StoreError::Fenced) => self.end_again(after_s, &error.to_string()),
            _ => {
                self.asking = None;
                self.head.release();
                self.save(Phase::Releasing { after_s, reason: error.to_string() })
            }
        }
    }

    fn end_again(&mut self, after_s: u32, reason: &str) -> Command {
        self.asking = None;
        self.phase = Phase::Ended;
        Command::End(Outcome::Again { after_s, reason: reason.to_owned() })
    }

    fn end(&mut self) -> Command {
        self.phase = Phase::Ended;
        Command::End(Outcome::Done(std::mem::take(&mut self.report)))
    }

    /// Whether the turn in progress is that of the envelope this attempt was begun for.
    fn ours(&self) -> bool {
        let event = self.accepted.as_ref().map(|accepted| &accepted.event);
        event.is_none() || event == self.envelopes.first().map(|first| &first.event)
    }

    /// Events beside the first that this turn answers.
    fn further_events(&self) -> Vec<EventKey> {
        self.turn.fragments().filter_map(|fragment| fragment.event.clone()).collect()
    }

    fn finish(&mut self) -> Command {
        let turn = self.turn.number;
        let at = self.accepted.as_ref().map_or_else(Millis::default, |accepted| accepted.at);
        let rows = self.further_events().into_iter().map(|event| {
            let envelope = self.envelopes.iter().find(|envelope| envelope.event == event);
            let at = envelope.map_or(at, |envelope| envelope.accepted_at);
            Accepted { event, turn, at, task: envelope.map(|envelope| envelope.task.clone()) }
        });
        let rows = rows.collect();
        self.record(rows)
    }

    /// Further events are stored only now: whoever finds the row of a finished turn may trust that the turn answered it.
    fn record(&mut self, mut rest: VecDeque<Accepted>) -> Command {
        if let Some(row) = rest.pop_front() {
            return self.wait(Phase::Recording(rest), Command::Accept(Box::new(row)));
        }
        let further = self.further_events();
        self.report.parts = u16::try_from(self.turn.settled.len()).unwrap_or(u16::MAX);
        self.head.finish(&further);
        self.report.also.extend(further);
        self.save(Phase::Finishing)
    }

    fn finished(&mut self, now: Millis) -> Command {
        let name = match (&self.report.failed, self.rules.announce) {
            (Some(_), _) => EventName::TurnFailed,
            (None, true) => EventName::TurnFinished,
            (None, false) => return self.close(now),
        };
        self.wait(Phase::Closing, Command::Announce(name))
    }

    fn close(&mut self, now: Millis) -> Command {
        if self.ours() {
            return self.end();
        }
        // A turn that another event had left unfinished went first; now it is our turn.
        self.accepted = None;
        self.begin(now)
    }

    /// What the first envelope and those joined to it say.
    fn user_of(&self, joined: &[EventKey]) -> Vec<UserFragment> {
        let first = self.accepted.as_ref().and_then(|accepted| accepted.task.as_ref());
        let first = first.map(|task| fragment(None, task));
        let others = self.envelopes.iter().skip(1).filter(|envelope| joined.contains(&envelope.event));
        first.into_iter().chain(others.map(|other| fragment(Some(&other.event), &other.task))).collect()
    }
}
