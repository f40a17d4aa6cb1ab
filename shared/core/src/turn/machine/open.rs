//! From the claim to the rows of the turn.

use std::collections::VecDeque;

use super::{LEASE_MS, Machine, Phase};
use crate::clock::Millis;
use crate::session::{Accepted, Claimed, Entry, Put};
use crate::turn::command::{Command, Way};
use crate::turn::{Turn, transcript};

impl Machine {
    pub(super) fn claimed(&mut self, now: Millis, claimed: Claimed) -> Command {
        self.head = match claimed {
            Claimed::Held(head) => head,
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
    pub(super) fn found(&mut self, found: Option<(Accepted, Way)>) -> Command {
        let Some((accepted, way)) = found else {
            // It was claimed and never stored, so nothing of it was begun; its message is still in the queue.
            return self.clear(false);
        };
        self.way = way;
        self.accepted = Some(accepted);
        self.load(true)
    }

    pub(super) fn accepted_or_known(&mut self, now: Millis, put: Put<Accepted>, way: Way) -> Command {
        self.way = way;
        match put {
            Put::Stored => self.load_or_begin(now),
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
        if duplicate && self.ours() {
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
        self.turn = Turn::resume(&self.head, &entries);
        self.heed_entries();
        self.user = self.user_of(&[]);
        let repairs = transcript(&entries, self.head.turn(), self.head.plain).repairs;
        self.past = entries;
        self.repair(now, repairs.into())
    }

    /// Results that were never stored are, so that the transcript is valid at rest too.
    pub(super) fn repair(&mut self, now: Millis, mut rest: VecDeque<Entry>) -> Command {
        if let Some(entry) = rest.pop_front() {
            self.past.push(entry.clone());
            self.past.sort_by_key(Entry::place);
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
        if self.head.finished(&event) {
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
