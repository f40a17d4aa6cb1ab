//! Sends the parts of a reply: marked before, settled after, flagged where nobody can know.

use std::collections::VecDeque;

use super::{Doubt, LEASE_MS, MARGIN_MS, Machine, Phase};
use crate::channel::{SendError, Unconfirmed};
use crate::clock::Millis;
use crate::message::ReplyAddress;
use crate::reply::Said;
use crate::session::{Head, Intent, Settled};
use crate::turn::command::{Command, Part, Way};
use crate::turn::{Deliver, idempotency_key};

/// Longest wait for a platform to take a part.
const SEND_MS: u64 = 20_000;

/// Tries within one attempt; then the turn waits in the queue.
const TRIES: u32 = 3;

/// Longest wait in the queue.
const MAX_WAIT_S: u32 = 900;

/// Attempts (about three hours of waiting) after which an unreachable platform is given up.
const MAX_ATTEMPTS: u32 = 16;

/// A platform's "wait" up to this long is waited for here; a longer one in the queue, where waiting is free.
const WAIT_HERE_MS: u64 = 3_000;

impl Machine {
    /// Brings one part nearer to its end. `tries` counts those of this attempt, this one included.
    pub(super) fn deliver(&mut self, now: Millis, part: Deliver, tries: u32) -> Command {
        let (to, unconfirmed) = match &self.way {
            Way::Collected => {
                self.settle(Settled::Sent { id: String::new() });
                return self.go_on(now);
            }
            Way::Gone { reason } => {
                let reason = reason.clone();
                return self.give_up(&part, reason);
            }
            Way::To { address, unconfirmed } => (address.clone(), *unconfirmed),
        };
        if self.deadline.since(now) < SEND_MS.saturating_add(MARGIN_MS) {
            return self.later(0, "the slice is used up".to_owned());
        }
        if let Some(message) = self.head.preview.clone() {
            // Editing twice is editing once, so it needs no mark; but a late edit must not follow another attempt's.
            if self.head.lease_until.since(now) < SEND_MS.saturating_add(MARGIN_MS) {
                return self.mark_sending(now, part, tries);
            }
            let command = Command::Edit { message, part: self.part(now, &part, to) };
            return self.wait(Phase::Editing(part, tries), command);
        }
        if !part.may_send(unconfirmed) {
            let reason = "it was being sent when the attempt broke off; it may or may not have arrived".to_owned();
            return self.unknown(part.part, reason);
        }
        let mark = [Intent::Send { part: part.part }];
        if unconfirmed == Unconfirmed::Placeholder && self.head.intents != mark && can_become(&part.markdown) {
            return self.place(now, part, tries, to);
        }
        if self.head.intents != mark || self.head.lease_until.since(now) < SEND_MS.saturating_add(MARGIN_MS) {
            return self.mark_sending(now, part, tries);
        }
        let command = Command::Send(self.part(now, &part, to));
        self.wait(Phase::Sending(part, tries), command)
    }

    /// `SENDING`, under a lease that outlives the send; stored together with the end of the part before.
    fn mark_sending(&mut self, now: Millis, part: Deliver, tries: u32) -> Command {
        let head = self.marked(now, vec![Intent::Send { part: part.part }]);
        let phase = Phase::MarkingPart(Box::new(head.clone()), part, tries);
        self.save_marked(now, SEND_MS, head, phase)
    }

    pub(super) fn part_marked(&mut self, now: Millis, head: Head, part: Deliver, tries: u32) -> Command {
        self.head = head;
        // From here on the mark is ours; that an earlier attempt had one too was decided before.
        self.deliver(now, Deliver { begun: false, ..part }, tries)
    }

    /// Needs no mark: what may be left of it is an empty message. It must not be sent late all the same, so that the lease
    /// is looked at.
    fn place(&mut self, now: Millis, part: Deliver, tries: u32, to: ReplyAddress) -> Command {
        if self.head.lease_until.since(now) < SEND_MS.saturating_add(MARGIN_MS) {
            self.head.lease_until = self.head.lease_until.max(now.plus(LEASE_MS));
            return self.save(Phase::Placed(part, tries));
        }
        let command = Command::SendPlaceholder { to, part: part.part, until: self.until(now, SEND_MS) };
        self.wait(Phase::Placing(part, tries), command)
    }

    /// Without a confirmed message the part itself is sent, which then may be in doubt.
    pub(super) fn placing(&mut self, now: Millis, part: Deliver, tries: u32, message: Option<String>) -> Command {
        let Some(message) = message else { return self.mark_sending(now, part, tries) };
        self.placed = true;
        self.head.preview = Some(message);
        // Stored before it is edited: an attempt that takes over edits the same message.
        self.save(Phase::Placed(part, tries))
    }

    fn part(&self, now: Millis, part: &Deliver, to: ReplyAddress) -> Part {
        let event = self.accepted.as_ref().map(|accepted| &accepted.event);
        let key = event.map(|event| idempotency_key(&self.session, event, &format!("part:{}", part.part)));
        Part {
            to,
            part: part.part,
            markdown: part.markdown.clone(),
            idempotency_key: key.unwrap_or_default(),
            until: self.until(now, SEND_MS),
        }
    }

    /// `Refused`: the platform will not edit it, so that the part is sent; unless an earlier attempt, which stored the
    /// answer, may have edited it already.
    pub(super) fn edited(&mut self, now: Millis, part: Deliver, tries: u32, end: Result<(), SendError>) -> Command {
        match end {
            Ok(()) => {
                let id = self.head.preview.clone().unwrap_or_default();
                self.settle(Settled::Sent { id });
                self.after_part(now)
            }
            Err(SendError::Refused { reason, .. }) if !self.progressed && !self.placed => {
                let reason = format!("its preview may or may not show it, and cannot be edited: {reason}");
                self.unknown(part.part, reason)
            }
            Err(SendError::Refused { .. }) => {
                self.head.preview = None;
                self.mark_sending(now, part, tries)
            }
            Err(error) => self.try_again(part, tries, &error),
        }
    }

    pub(super) fn sent(&mut self, now: Millis, part: Deliver, tries: u32, end: Result<String, SendError>) -> Command {
        let unconfirmed = match &self.way {
            Way::To { unconfirmed, .. } => *unconfirmed,
            Way::Collected | Way::Gone { .. } => Unconfirmed::Flag,
        };
        match end {
            Ok(id) => {
                self.settle(Settled::Sent { id });
                self.after_part(now)
            }
            Err(SendError::Refused { reason, .. }) => self.give_up(&part, reason),
            Err(SendError::Unknown { reason, .. })
                if matches!(unconfirmed, Unconfirmed::Flag | Unconfirmed::Placeholder) =>
            {
                self.unknown(part.part, reason)
            }
            Err(error) => self.try_again(part, tries, &error),
        }
    }

    fn try_again(&mut self, part: Deliver, tries: u32, error: &SendError) -> Command {
        let wait_ms = match error {
            SendError::RateLimited { after, .. } => u64::try_from(after.as_millis()).unwrap_or(u64::MAX),
            _ => 250u64.saturating_mul(2u64.saturating_pow(tries)),
        };
        if tries < TRIES && wait_ms <= WAIT_HERE_MS {
            return self.wait(Phase::Waiting(part, tries), Command::Wait { ms: wait_ms });
        }
        if self.head.attempts >= MAX_ATTEMPTS {
            return self.give_up(&part, error.to_string());
        }
        // Nothing was sent, or the platform knows the key: the mark would only raise a doubt.
        self.head.intents.clear();
        // Longer with every attempt: a platform may be down for an hour.
        let after_s = match error {
            SendError::RateLimited { after, .. } => u32::try_from(after.as_secs()).unwrap_or(MAX_WAIT_S).max(1),
            _ => 5u32.saturating_mul(2u32.saturating_pow(self.head.attempts.min(10))),
        };
        // Waiting for a platform is no progress, whatever was stored before.
        self.progressed = false;
        self.later(after_s.min(MAX_WAIT_S), error.to_string())
    }

    /// The part and all after it end here. Each has a flag, so that each can be sent again.
    fn give_up(&mut self, part: &Deliver, reason: String) -> Command {
        let not_tried = format!("not tried after part {}: {reason}", part.part);
        let first = Doubt { part: part.part, reason, end: Settled::Dead };
        let after = part.part.saturating_add(1)..part.of;
        let rest = after.map(|part| Doubt { part, reason: not_tried.clone(), end: Settled::Dead });
        self.flag(std::iter::once(first).chain(rest).collect())
    }

    fn unknown(&mut self, part: u16, reason: String) -> Command {
        self.flag(VecDeque::from([Doubt { part, reason, end: Settled::Unknown }]))
    }

    fn flag(&mut self, doubts: VecDeque<Doubt>) -> Command {
        let Some(Doubt { part, reason, .. }) = doubts.front().cloned() else { return self.end_again(30, "no doubt") };
        self.wait(Phase::Flagging(doubts), Command::Flag { part, reason })
    }

    pub(super) fn announced(&mut self, now: Millis, mut doubts: VecDeque<Doubt>) -> Command {
        if let Some(Doubt { end, .. }) = doubts.pop_front() {
            self.settle(end);
        }
        if doubts.is_empty() { self.after_part(now) } else { self.flag(doubts) }
    }

    /// The end of a part is written with the next mark, or with the finished head. Behind the last part that is sent on
    /// the way neither comes soon, so it is written by itself: else a crash during the tools or the next call would
    /// leave it in doubt.
    fn after_part(&mut self, now: Millis) -> Command {
        let last = self.turn.settled.len() >= self.turn.parts().len();
        if last && !self.turn.is_answered() { self.save(Phase::Noting) } else { self.go_on(now) }
    }

    /// Kept here; written with the next mark or with the finished head.
    fn settle(&mut self, end: Settled) {
        self.turn.settled.push(end.clone());
        self.head.settled.push(end);
        self.head.intents.clear();
        self.head.preview = None;
        self.placed = false;
        self.turn.left_over.clear();
    }
}

/// A message of words does not become a file.
fn can_become(markdown: &str) -> bool {
    Said::of_part(markdown).file.is_none()
}
