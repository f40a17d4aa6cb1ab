//! From the claim to the rows of the turn.

use std::collections::VecDeque;

use super::{LEASE_MS, Machine, Phase};
use crate::clock::Millis;
use crate::session::{Accepted, Claimed, Entry, Put};
use crate::turn::command::{Command, Way};
use crate::turn::{Transcript, Turn, transcript};

impl Machine {
    pub(super) fn claimed(&mut self, now: Millis, claimed: Claimed) -> Command {
        self.head = match claimed {
            Claimed::Held(head) => head,
            Claimed::Finished if self.head.owner == self.owner => return self.clear(true),
            Claimed::Finished => return self.duplicate(),
            Claimed::Busy { until } => {
                let wait = u32::try_from(until.since(now).div_ceil(1000)).unwrap_or(u32::MAX);
                let longest = u32::try_from(LEASE_MS / 1000).unwrap_or(u32::MAX);
                return self.end_again(wait.clamp(1, longest), "another attempt holds the session");
            }
        };
        let Some(first) = self.envelopes.first() else { return self.end() };
        match &self.head.current {
            Some(other) if *other != first.event => {
                let event = other.clone();
                self.wait(Phase::Finding, Command::Find(event))
            }
            // It waited in its lane while the conversation was deleted.
            _ if self.head.drops(first) => self.clear(true),
            _ => {
                let accepted = Accepted {
                    event: first.event.clone(),
                    turn: self.head.turn(),
                    at: first.accepted_at,
                    task: Some(first.task.clone()),
                };
                self.accepted = Some(accepted.clone());
                self.wait(Phase::Accepting, Command::Accept(Box::new(accepted)))
            }
        }
    }

    /// The event whose turn is in progress, if it was stored.
    pub(super) fn found(&mut self, now: Millis, found: Option<(Accepted, Way)>) -> Command {
        let Some((accepted, way)) = found else {
            // It was claimed and never stored, so nothing of it was begun; its message is still in the queue. Whoever
            // claimed it may only be late: this row keeps it from storing the event for a turn that is now another's.
            let Some(event) = self.head.current.clone() else { return self.clear(false) };
            let row = Accepted { event, turn: 0, at: now, task: None };
            return self.wait(Phase::PuttingAside, Command::Accept(Box::new(row)));
        };
        if accepted.turn == 0 {
            return self.clear(false);
        }
        self.way = way;
        self.accepted = Some(accepted);
        self.load(true)
    }

    /// The event of the turn in progress has a row now: ours, or that of an attempt which was only late.
    pub(super) fn put_aside(&mut self, put: Put<Accepted>) -> Command {
        match (put, self.head.current.clone()) {
            (Put::Exists(theirs), Some(event)) if theirs.turn > 0 => self.wait(Phase::Finding, Command::Find(event)),
            _ => self.clear(false),
        }
    }

    pub(super) fn accepted_or_known(&mut self, now: Millis, put: Put<Accepted>, way: Way) -> Command {
        self.way = way;
        match put {
            Put::Stored => self.load_or_begin(now),
            Put::Exists(stored) if stored.turn == 0 => {
                if let Some(first) = self.envelopes.first_mut() {
                    first.event = first.event.again();
                }
                self.accepted = None;
                self.clear(false)
            }
            Put::Exists(stored) => {
                self.accepted = Some(stored);
                self.load(true)
            }
        }
    }

    fn load_or_begin(&mut self, now: Millis) -> Command {
        if self.head.attempts > 1 || self.head.last_turn > self.head.forgotten {
            return self.load(false);
        }
        self.loaded(now, Vec::new())
    }

    fn load(&mut self, known: bool) -> Command {
        let turn = self.accepted.as_ref().map_or(0, |accepted| accepted.turn);
        if known && turn <= self.head.last_turn {
            // Answered so long ago that the head has forgotten it.
            return self.clear(true);
        }
        self.wait(Phase::Loading, Command::Load { after_turn: self.head.forgotten })
    }

    /// No turn is in progress. The lease is kept if another claim follows at once.
    fn clear(&mut self, duplicate: bool) -> Command {
        self.head.current = None;
        self.head.attempts = 0;
        if duplicate && (self.accepted.is_none() || self.ours()) {
            self.report.duplicate = true;
            self.head.release();
        } else {
            self.accepted = None;
        }
        self.save(Phase::Clearing)
    }

    pub(super) fn cleared(&mut self, now: Millis) -> Command {
        if self.report.duplicate { self.end() } else { self.begin(now) }
    }

    fn duplicate(&mut self) -> Command {
        self.report.duplicate = true;
        self.end()
    }

    pub(super) fn loaded(&mut self, now: Millis, entries: Vec<Entry>) -> Command {
        let after = self.head.forgotten;
        self.turn = Turn::resume(&self.head, &entries);
        self.user = self.user_of(&[]);
        self.heed_entries();
        let Transcript { past, repairs } = transcript(&entries, after, self.head.turn(), self.head.plain);
        self.past = past.into();
        self.repair(now, repairs.into())
    }

    /// Results that were never stored are, so that the transcript is valid at rest too.
    pub(super) fn repair(&mut self, now: Millis, mut rest: VecDeque<Entry>) -> Command {
        if let Some(entry) = rest.pop_front() {
            return self.wait(Phase::Repairing(rest), Command::Append(Box::new(entry)));
        }
        if self.turn.entries.is_empty() && self.ours() && self.envelopes.len() > 1 {
            return self.join(now, 1);
        }
        self.go_on(now)
    }

    /// Whether this message was answered before; a new one becomes part of the turn. Its row is stored at the end, see
    /// [`Machine::record`].
    fn join(&mut self, now: Millis, index: usize) -> Command {
        let Some(envelope) = self.envelopes.get(index) else { return self.go_on(now) };
        let event = envelope.event.clone();
        if self.head.finished(&event) || self.head.drops(envelope) {
            return self.joined(now, index, true);
        }
        self.wait(Phase::Joining(index), Command::Find(event))
    }

    pub(super) fn joined(&mut self, now: Millis, index: usize, known: bool) -> Command {
        if !known && let Some(envelope) = self.envelopes.get(index) {
            let fragment = crate::turn::fragment(Some(&envelope.event), &envelope.task);
            self.user.push(fragment);
        }
        self.join(now, index.saturating_add(1))
    }
}
