//! Judges a history by what the outside saw: what the queue accepted, what platforms showed, what tools changed, what
//! the owner was told, what models were handed. It knows nothing of how any of it came about.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::history::{Happening, History};

/// Most model calls that one message may cost: eight attempts at five steps, each asking two models.
const MODEL_CALLS: usize = 80;

/// What is promised.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Promise {
    /// I1: every accepted message is answered, or flagged, or a dead letter.
    NothingLost,
    /// I2: no part is shown twice; a missing one is flagged.
    NoDuplicate,
    /// I3: replies come in the order of the messages.
    Order,
    /// I4: no effect happens twice for one tool call.
    NoDoubleEffect,
    /// I5: transcripts are valid at every call and at rest.
    ValidTranscript,
    /// I6: after the last fault everything settles.
    Settles,
    /// I7: a message costs a bounded number of model calls.
    BoundedSpending,
    /// No process panics.
    NoPanic,
}

/// A broken promise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Which.
    pub promise: Promise,
    /// How.
    pub story: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.promise, self.story)
    }
}

/// What was seen of one message.
#[derive(Default)]
struct Seen<'a> {
    session: u32,
    /// Its place among all accepted messages.
    rank: usize,
    shown: Vec<&'a str>,
    asked: usize,
    silence: bool,
    flagged_turns: BTreeSet<u64>,
    dead: bool,
}

/// A word of a reply: which message it answers, which answer it belongs to, its place, and of how many.
#[derive(Clone, Copy, PartialEq)]
struct Word<'a> {
    message: u32,
    answer: &'a str,
    place: usize,
    of: usize,
}

impl<'a> Word<'a> {
    fn read(word: &'a str) -> Option<Self> {
        let (message, rest) = word.strip_prefix('m')?.split_once(".a")?;
        let (answer, rest) = rest.split_once('.')?;
        let (place, of) = rest.split_once('/')?;
        Some(Self { message: message.parse().ok()?, answer, place: place.parse().ok()?, of: of.parse().ok()? })
    }
}

struct Judge<'a> {
    messages: BTreeMap<u32, Seen<'a>>,
    /// Parts in the owner's list, by session and turn.
    listed: BTreeMap<(u32, u64), usize>,
    violations: Vec<Violation>,
}

/// All promises that were broken.
pub(crate) fn judge(history: &History) -> Vec<Violation> {
    let mut judge = Judge { messages: BTreeMap::new(), listed: BTreeMap::new(), violations: Vec::new() };
    judge.collect(history);
    judge.order_of_replies(history);
    judge.transcripts(history);
    judge.effects(history);
    for (message, seen) in std::mem::take(&mut judge.messages) {
        judge.one_message(message, &seen);
    }
    judge.violations
}

impl<'a> Judge<'a> {
    fn breaks(&mut self, promise: Promise, story: impl Into<String>) {
        self.violations.push(Violation { promise, story: story.into() });
    }

    fn collect(&mut self, history: &'a History) {
        for event in &history.events {
            match &event.happening {
                Happening::Accepted { message, session } => {
                    let rank = self.messages.len();
                    self.messages.insert(*message, Seen { session: *session, rank, ..Seen::default() });
                }
                Happening::Shown { message, text } => self.of(*message).shown.push(text),
                Happening::Asked { message, .. } => self.of(*message).asked += 1,
                Happening::Silence { message } => self.of(*message).silence = true,
                Happening::Flagged { message, turn } => drop(self.of(*message).flagged_turns.insert(*turn)),
                Happening::Dead { message } => self.of(*message).dead = true,
                Happening::Listed { session, turn, .. } => *self.listed.entry((*session, *turn)).or_default() += 1,
                Happening::Stuck { messages } => {
                    self.breaks(Promise::Settles, format!("{messages} messages are left long after the last fault"));
                }
                Happening::Panic { said } => self.breaks(Promise::NoPanic, said),
                _ => {}
            }
        }
    }

    fn of(&mut self, message: u32) -> &mut Seen<'a> {
        self.messages.entry(message).or_default()
    }

    fn one_message(&mut self, message: u32, seen: &Seen<'_>) {
        let flags: usize = seen
            .flagged_turns
            .iter()
            .map(|turn| {
                let listed = self.listed.get(&(seen.session, *turn)).copied().unwrap_or_default();
                if listed == 0 {
                    self.breaks(Promise::NothingLost, format!("m{message}: the owner's list lost its flag"));
                }
                listed
            })
            .sum();
        if seen.asked > MODEL_CALLS {
            self.breaks(Promise::BoundedSpending, format!("m{message} cost {} model calls", seen.asked));
        }
        let excused = flags > 0 || seen.dead;
        if seen.shown.is_empty() && !excused && !seen.silence {
            self.breaks(Promise::NothingLost, format!("m{message} was accepted and never answered"));
        }
        let distinct: BTreeSet<&str> = seen.shown.iter().copied().collect();
        if distinct.len() < seen.shown.len() {
            self.breaks(Promise::NoDuplicate, format!("m{message}: a part is shown twice"));
            return;
        }
        let words: Vec<Word<'_>> = seen.shown.iter().flat_map(|text| text.split(' ')).filter_map(Word::read).collect();
        let Some(first) = words.first() else { return };
        if let Some(other) = words.iter().find(|word| word.message != message) {
            self.breaks(Promise::NothingLost, format!("m{message} got the answer to m{}", other.message));
            return;
        }
        let apologised = seen.shown.iter().any(|text| text.split(' ').next().and_then(Word::read).is_none());
        if apologised || words.iter().any(|word| word.answer != first.answer) {
            self.breaks(Promise::NoDuplicate, format!("m{message}: two different answers are shown"));
            return;
        }
        if !words.is_sorted_by(|one, next| one.place < next.place) {
            self.breaks(Promise::Order, format!("m{message}: the parts of its answer are out of order"));
        }
        let there: BTreeSet<usize> = words.iter().map(|word| word.place).collect();
        let holes = (0..first.of).filter(|at| !there.contains(at) && (*at == 0 || there.contains(&(at - 1)))).count();
        if holes > flags && !seen.dead {
            let story = format!("m{message}: {holes} parts are missing and {flags} are flagged");
            self.breaks(Promise::NoDuplicate, story);
        }
    }

    fn order_of_replies(&mut self, history: &History) {
        let mut latest: BTreeMap<u32, (usize, u32)> = BTreeMap::new();
        for event in &history.events {
            let Happening::Shown { message, .. } = &event.happening else { continue };
            let Some(seen) = self.messages.get(message) else { continue };
            // A dead letter leaves a hole in the line; a later copy of it has a new place.
            if seen.dead {
                continue;
            }
            let (session, rank) = (seen.session, seen.rank);
            match latest.get(&session) {
                Some((before, later)) if *before > rank => {
                    let story = format!("m{message} was answered after m{later}, which came after it");
                    self.breaks(Promise::Order, story);
                }
                _ => drop(latest.insert(session, (rank, *message))),
            }
        }
    }

    fn transcripts(&mut self, history: &History) {
        for event in &history.events {
            match &event.happening {
                Happening::Asked { message, wrong: Some(wrong), .. } => {
                    self.breaks(Promise::ValidTranscript, format!("asked for m{message}: {wrong}"));
                }
                Happening::Asked { message, shown, .. } => {
                    let known = |message: &u32| self.messages.get(message).filter(|seen| !seen.dead);
                    let ranks: Vec<usize> = shown.iter().filter_map(known).map(|seen| seen.rank).collect();
                    if !ranks.is_sorted_by(|one, next| one < next) {
                        let story = format!("asked for m{message}: the transcript tells messages as {shown:?}");
                        self.breaks(Promise::ValidTranscript, story);
                    }
                }
                Happening::AtRest { session, wrong: Some(wrong) } => {
                    self.breaks(Promise::ValidTranscript, format!("session {session} at rest: {wrong}"));
                }
                _ => {}
            }
        }
    }

    fn effects(&mut self, history: &History) {
        let mut done = BTreeSet::new();
        for event in &history.events {
            if let Happening::Effect { call } = &event.happening
                && !done.insert(call)
            {
                self.breaks(Promise::NoDoubleEffect, format!("{call} took effect twice"));
            }
        }
    }
}
