//! The search: every state that can be reached, and what is wrong with it.

use std::collections::{BTreeMap, HashSet, VecDeque};

use crate::design::{Design, Protocol};
use crate::operation::Operation;
use crate::state::{Attempt, Facts, Inbound, Outbox, State, ToolResult};
use crate::step::{Outcome, step};
use crate::story::Story;

/// One edge of the search.
#[derive(Clone, Copy, Debug)]
pub enum Action {
    /// The queue gives its head to a new attempt.
    Deliver {
        /// The new attempt.
        attempt: u8,
        /// What it is given.
        inbound: Inbound,
    },
    /// An attempt does its next operation.
    Operate {
        /// Who.
        attempt: u8,
        /// On what.
        inbound: Inbound,
        /// What.
        operation: Operation,
        /// With what success.
        outcome: Outcome,
    },
    /// An attempt dies.
    Crash {
        /// Who.
        attempt: u8,
        /// On what it worked.
        inbound: Inbound,
        /// What it would have done next.
        before: Operation,
    },
    /// A visibility timeout runs out under an attempt that goes on.
    VisibilityExpires {
        /// Who goes on.
        attempt: u8,
        /// On what.
        inbound: Inbound,
    },
    /// A lease runs out.
    LeaseExpires {
        /// Whose it was.
        attempt: u8,
        /// Whether that attempt still runs.
        running: bool,
    },
    /// The platform posts a message again that the queue no longer recognises.
    PostAgain {
        /// Which.
        inbound: Inbound,
    },
}

/// What can be wrong with a state, or has to be told to someone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Finding {
    /// A reply was visible twice.
    DuplicateReply,
    /// A tool's effect happened twice.
    DuplicateToolEffect,
    /// A message of the user is stored twice.
    DuplicateUserEntry,
    /// At rest, a reply was never sent and nobody was told.
    ReplyLost,
    /// At rest, a tool was never run and nobody was told.
    ToolLost,
    /// The reply to the second message was visible before the one to the first.
    ReplyOrder,
    /// The second message is stored before the first.
    TranscriptOrder,
    /// The model is about to be called with a transcript it refuses.
    InvalidAtModelCall,
    /// At rest, the transcript is one the model refuses.
    InvalidAtRest,
    /// Something is left to do and nothing can happen.
    Stuck,
    /// At rest, a reply was not sent and that is flagged.
    ReplyFlagged,
    /// At rest, a tool was not run and that is flagged.
    ToolFlagged,
}

impl Finding {
    /// Its name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Finding::DuplicateReply => "duplicate reply",
            Finding::DuplicateToolEffect => "duplicate tool effect",
            Finding::DuplicateUserEntry => "duplicate user entry",
            Finding::ReplyLost => "reply lost",
            Finding::ToolLost => "tool lost",
            Finding::ReplyOrder => "reply order",
            Finding::TranscriptOrder => "transcript order",
            Finding::InvalidAtModelCall => "invalid transcript at a model call",
            Finding::InvalidAtRest => "invalid transcript at rest",
            Finding::Stuck => "stuck",
            Finding::ReplyFlagged => "reply flagged",
            Finding::ToolFlagged => "tool flagged",
        }
    }

    /// Whether a promise is broken; else someone is told what cannot be known, which is the promise.
    pub fn is_violation(self) -> bool {
        !matches!(self, Finding::ReplyFlagged | Finding::ToolFlagged)
    }
}

/// In how many states something was found, and where first.
struct Found {
    count: usize,
    first: usize,
}

/// All that can happen to a design.
pub struct Exploration {
    found: BTreeMap<Finding, Found>,
    /// How each state was reached first: from which, by what. The first state by nothing.
    origins: Vec<Option<(usize, Action)>>,
}

impl Exploration {
    /// Visits every state, nearest first, so that the way to a finding is the shortest there is.
    pub fn of(design: &Design) -> Exploration {
        let initial = State::initial(design);
        let mut exploration = Exploration { found: BTreeMap::new(), origins: vec![None] };
        let mut seen = HashSet::from([initial.canonical()]);
        let mut open = VecDeque::from([(0, initial)]);
        while let Some((place, state)) = open.pop_front() {
            let next = successors(design, &state);
            if asks_in_vain(design, &state) {
                exploration.note(Finding::InvalidAtModelCall, place);
            }
            exploration.note_at_rest(&state, next.is_empty(), place);
            for (action, state) in next {
                if seen.insert(state.canonical()) {
                    let reached = exploration.origins.len();
                    exploration.origins.push(Some((place, action)));
                    exploration.note_in_passing(&state.facts, reached);
                    open.push_back((reached, state));
                }
            }
        }
        exploration
    }

    /// How many states there are.
    pub fn states(&self) -> usize {
        self.origins.len()
    }

    /// What was found, in how many states.
    pub fn findings(&self) -> impl Iterator<Item = (Finding, usize)> + '_ {
        self.found.iter().map(|(finding, found)| (*finding, found.count))
    }

    /// The shortest way to a finding. None if it was not found.
    pub fn story(&self, finding: Finding) -> Option<Story> {
        let mut actions = Vec::new();
        let mut place = self.found.get(&finding)?.first;
        while let Some((from, action)) = self.origins.get(place).copied().flatten() {
            actions.push(action);
            place = from;
        }
        actions.reverse();
        Some(Story::new(&actions, finding))
    }

    /// The shortest way to any violation. None for a design that keeps its promises.
    pub fn shortest_violation(&self) -> Option<Story> {
        let violations = self.found.keys().filter(|finding| finding.is_violation());
        violations.filter_map(|finding| self.story(*finding)).min_by_key(|story| story.steps.len())
    }

    fn note(&mut self, finding: Finding, place: usize) {
        self.found.entry(finding).or_insert(Found { count: 0, first: place }).count += 1;
    }

    /// What is wrong as soon as it is so.
    fn note_in_passing(&mut self, facts: &Facts, place: usize) {
        let twice = |counts: &dyn Fn(Inbound) -> u8| Inbound::BOTH.into_iter().any(|inbound| counts(inbound) > 1);
        if twice(&|inbound| facts.sends[inbound]) {
            self.note(Finding::DuplicateReply, place);
        }
        if twice(&|inbound| facts.tool_runs[inbound]) {
            self.note(Finding::DuplicateToolEffect, place);
        }
        if second_before_first(facts.replies.into_iter().flatten()) {
            self.note(Finding::ReplyOrder, place);
        }
        let users = |inbound| facts.transcript.users().filter(|user| *user == inbound).count();
        if Inbound::BOTH.into_iter().any(|inbound| users(inbound) > 1) {
            self.note(Finding::DuplicateUserEntry, place);
        } else if second_before_first(facts.transcript.users()) {
            self.note(Finding::TranscriptOrder, place);
        }
    }

    /// What is wrong if it stays so: nothing is queued and nobody works.
    fn note_at_rest(&mut self, state: &State, nothing_can_happen: bool, place: usize) {
        let finished = state.queue.is_empty() && state.attempts.is_empty();
        if !finished && !nothing_can_happen {
            return;
        }
        for inbound in Inbound::BOTH {
            let turn = &state.facts.turns[inbound];
            if state.facts.sends[inbound] == 0 {
                let told = turn.outbox == Outbox::Unknown;
                self.note(if told { Finding::ReplyFlagged } else { Finding::ReplyLost }, place);
            }
            if state.facts.tool_runs[inbound] == 0 {
                let told = turn.tool_result == ToolResult::Unknown;
                self.note(if told { Finding::ToolFlagged } else { Finding::ToolLost }, place);
            }
        }
        if !state.facts.transcript.is_valid() {
            self.note(Finding::InvalidAtRest, place);
        }
        if !finished {
            self.note(Finding::Stuck, place);
        }
    }
}

fn second_before_first(inbounds: impl Iterator<Item = Inbound>) -> bool {
    let inbounds: Vec<Inbound> = inbounds.collect();
    inbounds.first() == Some(&Inbound::Second) && inbounds.contains(&Inbound::First)
}

/// Whether an attempt is about to begin a turn with a transcript that the provider refuses. Of a journaled design only
/// the latest to have claimed counts: what another is told comes to nothing.
fn asks_in_vain(design: &Design, state: &State) -> bool {
    let current = |attempt: &Attempt| design.protections().is_none() || attempt.epoch == state.epoch;
    let asks = |attempt: &Attempt| attempt.next == Operation::AskForToolCall && current(attempt);
    state.attempts.iter().any(asks) && !state.facts.transcript.is_valid()
}

/// Everything that can happen next.
fn successors(design: &Design, state: &State) -> Vec<(Action, State)> {
    let mut next = Vec::new();
    next.extend(delivery(design, state));
    for attempt in &state.attempts {
        if let Some((outcome, after)) = step(design, state, attempt) {
            let Attempt { number, inbound, next: operation, .. } = *attempt;
            next.push((Action::Operate { attempt: number, inbound, operation, outcome }, after));
        }
        next.extend(crash(state, attempt));
        next.extend(visibility_expiry(state, attempt));
    }
    next.extend(lease_expiry(design, state));
    if let Some(duplicates) = state.facts.faults.duplicates.checked_sub(1) {
        for inbound in Inbound::BOTH {
            let mut after = state.clone();
            after.facts.faults.duplicates = duplicates;
            after.post(inbound);
            next.push((Action::PostAgain { inbound }, after));
        }
    }
    next
}

/// Only the head, only while no message is in flight, to the third attempt at most. A claim that would have to wait for a
/// live lease is not worth a start: the message comes back after the lease.
fn delivery(design: &Design, state: &State) -> Option<(Action, State)> {
    let leases = match design.protocol {
        Protocol::SaveAtTheEnd | Protocol::AppendAsYouGo => false,
        Protocol::HandlerIdempotency => true,
        Protocol::Journaled(protections) => protections.lease,
    };
    let owner_runs = state.attempts.iter().any(|attempt| state.lease == Some(attempt.number));
    let in_flight = state.queue.iter().any(|message| message.holder.is_some());
    if in_flight || state.attempts.len() == 3 || (leases && owner_runs) {
        return None;
    }
    let mut after = state.clone();
    let attempt = after.deliver(Operation::first(design))?;
    Some((Action::Deliver { attempt: attempt.number, inbound: attempt.inbound }, after))
}

fn crash(state: &State, attempt: &Attempt) -> Option<(Action, State)> {
    let crashes = state.facts.faults.crashes.checked_sub(1)?;
    let mut after = state.clone();
    after.facts.faults.crashes = crashes;
    after.end(attempt);
    Some((Action::Crash { attempt: attempt.number, inbound: attempt.inbound, before: attempt.next }, after))
}

fn visibility_expiry(state: &State, attempt: &Attempt) -> Option<(Action, State)> {
    let visibility_expiries = state.facts.faults.visibility_expiries.checked_sub(1)?;
    let mut after = state.clone();
    after.facts.faults.visibility_expiries = visibility_expiries;
    after.attempt_mut(attempt.number).filter(|attempt| attempt.receipt_valid)?.receipt_valid = false;
    after.make_visible(attempt.queued);
    Some((Action::VisibilityExpires { attempt: attempt.number, inbound: attempt.inbound }, after))
}

/// The lease of an attempt that has ended runs out for free; that of a running one is a fault, and cannot happen during an
/// external call whose deadline is earlier.
fn lease_expiry(design: &Design, state: &State) -> Option<(Action, State)> {
    let attempt = state.lease?;
    let owner = state.attempts.iter().find(|running| running.number == attempt);
    let mut after = state.clone();
    after.lease = None;
    if let Some(owner) = owner {
        let bounded = design.protections().is_some_and(|protections| protections.bounded_calls);
        if bounded && owner.next.has_an_effect() {
            return None;
        }
        after.facts.faults.lease_expiries = state.facts.faults.lease_expiries.checked_sub(1)?;
    }
    Some((Action::LeaseExpires { attempt, running: owner.is_some() }, after))
}
