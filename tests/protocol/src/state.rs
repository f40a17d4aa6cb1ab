//! One moment: the queue, the attempts, the table, and what the world has seen.

use std::fmt;
use std::ops::{Index, IndexMut};

use crate::design::{Design, Faults};
use crate::operation::Operation;

/// One of the two messages of the user.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Inbound {
    /// Posted first, to be answered first.
    First,
    /// Posted second.
    Second,
}

impl Inbound {
    /// Both, in order.
    pub const BOTH: [Inbound; 2] = [Inbound::First, Inbound::Second];
}

impl fmt::Display for Inbound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Inbound::First => "message 1",
            Inbound::Second => "message 2",
        })
    }
}

/// A value for each message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct PerInbound<T>([T; 2]);

impl<T> Index<Inbound> for PerInbound<T> {
    type Output = T;

    fn index(&self, inbound: Inbound) -> &T {
        let [first, second] = &self.0;
        match inbound {
            Inbound::First => first,
            Inbound::Second => second,
        }
    }
}

impl<T> IndexMut<Inbound> for PerInbound<T> {
    fn index_mut(&mut self, inbound: Inbound) -> &mut T {
        let [first, second] = &mut self.0;
        match inbound {
            Inbound::First => first,
            Inbound::Second => second,
        }
    }
}

/// What is in the queue: a message of the user, possibly more than once.
#[derive(Clone, Copy, Debug)]
pub struct Queued {
    /// Which delivery of the platform this is. Two of the same message differ.
    pub id: u8,
    /// Whose text it carries.
    pub inbound: Inbound,
    /// The attempt for which it is in flight; nobody if it is visible.
    pub holder: Option<u8>,
}

/// One invocation of the agent, working on one delivery.
#[derive(Clone, Copy, Debug)]
pub struct Attempt {
    /// Counted from 1, in the order of starts.
    pub number: u8,
    /// The queued message it was given.
    pub queued: u8,
    /// Whose text that carries.
    pub inbound: Inbound,
    /// What it does next.
    pub next: Operation,
    /// The session's epoch as of its claim; 0 before.
    pub epoch: u8,
    /// Whether the queue still takes its acknowledgement: the visibility timeout has not run out.
    pub receipt_valid: bool,
}

/// What is recorded of a tool that has effects.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ToolRecord {
    /// Nothing.
    #[default]
    Absent,
    /// Announced.
    Started,
    /// Returned.
    Done,
}

/// What the transcript has as the tool's result.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ToolResult {
    /// Nothing.
    #[default]
    Absent,
    /// What it returned.
    Returned,
    /// "Outcome unknown", visible to the model and flagged.
    Unknown,
}

/// Where the reply is in the outbox.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Outbox {
    /// Nothing to send yet.
    #[default]
    Absent,
    /// To be sent.
    Pending,
    /// Announced.
    Sending,
    /// Sent. The turn is over.
    Sent,
    /// Announced by an attempt that ended; flagged. The turn is over.
    Unknown,
}

/// What the table knows about the turn of one message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Turn {
    /// The user's message is stored.
    pub user: bool,
    /// The model's tool call is stored.
    pub tool_call: bool,
    /// The journal of the tool.
    pub tool: ToolRecord,
    /// The result in the transcript.
    pub tool_result: ToolResult,
    /// The reply is stored.
    pub reply: bool,
    /// The outbox.
    pub outbox: Outbox,
    /// The turn was over once. Handler idempotency reads it; without a fence a late write can make `outbox` say
    /// otherwise again.
    pub completed: bool,
}

impl Turn {
    /// Nothing is left to do but to acknowledge.
    pub(crate) fn is_over(&self) -> bool {
        matches!(self.outbox, Outbox::Sent | Outbox::Unknown)
    }
}

/// What kind of entry stands in the transcript.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entry {
    /// The user's message.
    User,
    /// The model's answer that calls the tool.
    ToolCall,
    /// The tool's result.
    ToolResult,
    /// The reply.
    Reply,
}

/// The entries of a session in order, three bits each behind a leading one, because millions are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Transcript(u128);

/// Bits of one entry.
const ENTRY: u32 = 3;

impl Default for Transcript {
    fn default() -> Self {
        Transcript(1)
    }
}

impl Transcript {
    /// Appends. No design comes near the forty entries there is room for.
    pub fn push(&mut self, entry: Entry, inbound: Inbound) {
        assert!(self.0 >> (40 * ENTRY) == 0, "a transcript of the model holds at most 40 entries");
        let kind = match entry {
            Entry::User => 0,
            Entry::ToolCall => 1,
            Entry::ToolResult => 2,
            Entry::Reply => 3,
        };
        self.0 = (self.0 << ENTRY) | (kind << 1) | u128::from(inbound == Inbound::Second);
    }

    /// The entries, oldest first.
    pub fn entries(&self) -> impl Iterator<Item = (Entry, Inbound)> + '_ {
        let length = self.0.ilog2() / ENTRY;
        (0..length).rev().map(|back| {
            let bits = self.0 >> (back * ENTRY);
            let inbound = if bits & 1 == 0 { Inbound::First } else { Inbound::Second };
            let entry = match (bits >> 1) & 3 {
                0 => Entry::User,
                1 => Entry::ToolCall,
                2 => Entry::ToolResult,
                _ => Entry::Reply,
            };
            (entry, inbound)
        })
    }

    /// Whether a provider takes it: right after a tool call comes its result, and no result comes from nowhere.
    pub fn is_valid(&self) -> bool {
        let mut open = None;
        for (entry, inbound) in self.entries() {
            let expected = open.take();
            let answers = entry == Entry::ToolResult;
            if answers != expected.is_some() || expected.is_some_and(|called| called != inbound) {
                return false;
            }
            if entry == Entry::ToolCall {
                open = Some(inbound);
            }
        }
        open.is_none()
    }

    /// The messages of the user in the order they are stored.
    pub(crate) fn users(&self) -> impl Iterator<Item = Inbound> + '_ {
        self.entries().filter(|(entry, _)| *entry == Entry::User).map(|(_, inbound)| inbound)
    }
}

/// All of a state but queue, attempts and lease, which name each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Facts {
    /// What the table knows, by message.
    pub turns: PerInbound<Turn>,
    /// The stored entries.
    pub transcript: Transcript,
    /// Replies the user saw, counted up to 3.
    pub sends: PerInbound<u8>,
    /// Runs of the tool, counted up to 3.
    pub tool_runs: PerInbound<u8>,
    /// Whom the first five visible replies answered.
    pub replies: [Option<Inbound>; 5],
    /// Send keys the platform remembers.
    pub send_keys: PerInbound<bool>,
    /// Keys the tool remembers.
    pub tool_keys: PerInbound<bool>,
    /// Faults that may still strike.
    pub faults: Faults,
}

/// One moment.
#[derive(Clone, Debug)]
pub struct State {
    /// In order of arrival. Only the head is delivered, and only while nothing is in flight.
    pub queue: Vec<Queued>,
    /// Running attempts, oldest first.
    pub attempts: Vec<Attempt>,
    /// The attempt that holds the session's lease. It may have ended.
    pub lease: Option<u8>,
    /// The session's epoch: the number of claims.
    pub epoch: u8,
    /// The rest.
    pub facts: Facts,
    started: u8,
    posted: u8,
}

impl State {
    /// Both messages are in the queue and nothing has happened.
    pub fn initial(design: &Design) -> State {
        let facts = Facts {
            turns: PerInbound::default(),
            transcript: Transcript::default(),
            sends: PerInbound::default(),
            tool_runs: PerInbound::default(),
            replies: [None; 5],
            send_keys: PerInbound::default(),
            tool_keys: PerInbound::default(),
            faults: design.faults,
        };
        let mut state =
            State { queue: Vec::new(), attempts: Vec::new(), lease: None, epoch: 0, facts, started: 0, posted: 0 };
        Inbound::BOTH.into_iter().for_each(|inbound| state.post(inbound));
        state
    }

    /// A message arrives in the queue.
    pub(crate) fn post(&mut self, inbound: Inbound) {
        self.posted += 1;
        self.queue.push(Queued { id: self.posted, inbound, holder: None });
    }

    /// The head of the queue starts an attempt.
    pub(crate) fn deliver(&mut self, first: Operation) -> Option<Attempt> {
        let head = self.queue.first_mut()?;
        self.started += 1;
        head.holder = Some(self.started);
        let attempt = Attempt {
            number: self.started,
            queued: head.id,
            inbound: head.inbound,
            next: first,
            epoch: 0,
            receipt_valid: true,
        };
        self.attempts.push(attempt);
        Some(attempt)
    }

    /// A running attempt, by its number.
    pub(crate) fn attempt_mut(&mut self, number: u8) -> Option<&mut Attempt> {
        self.attempts.iter_mut().find(|attempt| attempt.number == number)
    }

    /// A message can be delivered again.
    pub(crate) fn make_visible(&mut self, queued: u8) {
        self.queue.iter_mut().filter(|message| message.id == queued).for_each(|message| message.holder = None);
    }

    /// An attempt ends without success. A lease it held stays held.
    pub(crate) fn end(&mut self, attempt: &Attempt) {
        self.attempts.retain(|running| running.number != attempt.number);
        if attempt.receipt_valid {
            self.make_visible(attempt.queued);
        }
    }

    /// An attempt returns success: it gives its lease back and its message is deleted, unless its receipt is too old.
    pub(crate) fn acknowledge(&mut self, attempt: &Attempt) {
        self.attempts.retain(|running| running.number != attempt.number);
        if self.lease == Some(attempt.number) {
            self.lease = None;
        }
        if attempt.receipt_valid {
            self.queue.retain(|message| message.id != attempt.queued);
        }
    }

    /// The state with everything named by its place, so that two states that differ in names only are one.
    ///
    /// Epochs count from the session's. An attempt that has not claimed has epoch 0, so the search tells two states
    /// apart that differ only in how many claims came before such an attempt; a few more states than needed, but the
    /// numbers in the results are with them.
    pub(crate) fn canonical(&self) -> Canonical {
        let place_of_attempt = |number: u8| match self.attempts.iter().position(|running| running.number == number) {
            Some(place) => Place::At(place),
            None => Place::Gone,
        };
        // A message that is gone from the queue is named by the first attempt that works on it.
        let place_of_message = |id: u8| match self.queue.iter().position(|message| message.id == id) {
            Some(place) => place,
            None => {
                let first = self.attempts.iter().position(|attempt| attempt.queued == id);
                self.queue.len() + first.unwrap_or_default()
            }
        };
        let mut canonical = Canonical {
            queue: [None; 3],
            attempts: [None; 3],
            lease: self.lease.map(place_of_attempt),
            facts: self.facts,
        };
        for (slot, message) in canonical.queue.iter_mut().zip(&self.queue) {
            *slot = Some((message.inbound, message.holder.map(place_of_attempt)));
        }
        for (slot, attempt) in canonical.attempts.iter_mut().zip(&self.attempts) {
            *slot = Some(Running {
                message: place_of_message(attempt.queued),
                inbound: attempt.inbound,
                next: attempt.next,
                epoch: i16::from(attempt.epoch) - i16::from(self.epoch),
                receipt_valid: attempt.receipt_valid,
            });
        }
        canonical
    }
}

/// A state without names.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Canonical {
    queue: [Option<(Inbound, Option<Place>)>; 3],
    attempts: [Option<Running>; 3],
    lease: Option<Place>,
    facts: Facts,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Place {
    At(usize),
    Gone,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Running {
    message: usize,
    inbound: Inbound,
    next: Operation,
    epoch: i16,
    receipt_valid: bool,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::design::PROPOSED_DESIGN;

    fn transcript(entries: &[(Entry, Inbound)]) -> Transcript {
        let mut transcript = Transcript::default();
        entries.iter().for_each(|(entry, inbound)| transcript.push(*entry, *inbound));
        transcript
    }

    #[test]
    fn entries_come_out_as_they_went_in() {
        let kinds = [Entry::User, Entry::ToolCall, Entry::ToolResult, Entry::Reply];
        let entries: Vec<_> = kinds
            .into_iter()
            .flat_map(|entry| Inbound::BOTH.map(|inbound| (entry, inbound)))
            .cycle()
            .take(40)
            .collect();
        assert_eq!(transcript(&entries).entries().collect::<Vec<_>>(), entries);
        assert_eq!(Transcript::default().entries().count(), 0);
    }

    #[test]
    #[should_panic(expected = "at most 40 entries")]
    fn a_transcript_that_would_lose_its_oldest_entry_stops_the_search() {
        transcript(&[(Entry::User, Inbound::First); 41]);
    }

    #[test]
    fn a_tool_call_is_followed_by_its_result() {
        use Entry::{Reply, ToolCall, ToolResult, User};
        use Inbound::{First, Second};
        let valid: [&[_]; 3] = [
            &[],
            &[(User, First), (ToolCall, First), (ToolResult, First), (Reply, First)],
            &[(User, First), (User, First)],
        ];
        let refused: [&[_]; 6] = [
            &[(ToolCall, First)],
            &[(ToolResult, First)],
            &[(ToolCall, First), (ToolResult, Second)],
            &[(ToolCall, First), (User, Second), (ToolResult, First)],
            &[(ToolCall, First), (ToolCall, First), (ToolResult, First)],
            &[(ToolCall, First), (ToolResult, First), (ToolResult, First)],
        ];
        for entries in valid {
            assert!(transcript(entries).is_valid(), "{entries:?}");
        }
        for entries in refused {
            assert!(!transcript(entries).is_valid(), "{entries:?}");
        }
    }

    #[test]
    fn names_of_attempts_do_not_tell_states_apart_but_their_roles_do() {
        let fresh = State::initial(&PROPOSED_DESIGN);
        let deliver = |state: &mut State| state.deliver(Operation::Claim).unwrap();
        let mut first = fresh.clone();
        deliver(&mut first);
        let mut second = fresh.clone();
        let failed = deliver(&mut second);
        second.end(&failed);
        let attempt = deliver(&mut second);
        assert_eq!((failed.number, attempt.number), (1, 2));
        assert!(first.canonical() == second.canonical());

        let (mut owned, mut orphaned) = (second.clone(), second.clone());
        owned.lease = Some(attempt.number);
        orphaned.lease = Some(failed.number);
        assert!(owned.canonical() != second.canonical());
        assert!(owned.canonical() != orphaned.canonical());
    }

    #[test]
    fn two_attempts_at_one_deleted_message_are_not_two_attempts_at_two() {
        let both_on = |queued: [u8; 2]| {
            let mut state = State::initial(&PROPOSED_DESIGN);
            for id in queued {
                let attempt = state.deliver(Operation::Claim).unwrap();
                let attempt = state.attempt_mut(attempt.number).unwrap();
                (attempt.queued, attempt.receipt_valid) = (id, false);
            }
            state.queue.clear();
            state.canonical()
        };
        assert!(both_on([1, 1]) == both_on([2, 2]));
        assert!(both_on([1, 1]) != both_on([1, 2]));
    }
}
