//! A batch from the queue: several sessions at once, each in order.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use chela_agent::{Agent, Outcome, Slice};
use chela_config::QueueMode;
use chela_core::command;
use chela_core::message::ReplyAddress;
use chela_core::queue::{Delivery, ENVELOPE_VERSION, Envelope, Lane, Queue, Standing, Task};
use chela_core::session::StoreError;
use chela_core::turn::COLLECTED;
use futures_util::future::{Either, join_all, select};
use serde::Deserialize;

use crate::broadcast::{before, unfinished};
use crate::live::Live;
use crate::makers::held;
use crate::metrics::{Count, Metrics};
use crate::usage::each_pays;
use crate::waited::{is_as_it_was, judged_anew};
use crate::wished::{Wished, queue_mode};

/// How long the messages of a running turn stay hidden if its process dies.
pub const VISIBILITY_S: u32 = 60;

/// How often that is renewed: two renewals may be lost.
const HEARTBEAT: Duration = Duration::from_secs(20);

/// Longest wait between two receives of one message: with a hundred of them more than eight hours.
const LONGEST_PATIENCE_S: u32 = 300;

/// Least wait for the answer of another agent that comes first.
const TURN_COMES_S: u32 = 2;

/// Longest wait for it.
const LONGEST_BEHIND_MS: u64 = 10 * 60 * 1000;

/// A received message, and what it says if it can be read.
type Waiting = (Delivery, Result<Envelope, String>);

/// Works off batches.
pub struct Answerer {
    /// Runs turns.
    pub agent: Agent,
    /// Where the batches come from.
    pub queue: Arc<dyn Queue>,
    /// What is configured.
    pub live: Arc<Live>,
    /// Counters.
    pub metrics: Arc<Metrics>,
    /// What was wished for conversations.
    pub wished: Wished,
}

/// What became of a batch.
#[derive(Debug, Default)]
pub struct Batch {
    /// Message ids to be delivered again: for SQS the `batchItemFailures`.
    pub failed: Vec<String>,
    /// One line for each message that did not simply end, for the log.
    pub notes: Vec<String>,
    /// Turns finished.
    pub turns: u32,
}

impl Answerer {
    /// Answers all messages of a batch. Sessions run side by side; within a session messages run in order, some of them
    /// together, and the first that has to be repeated holds back the rest, because their order must not change.
    pub async fn answer(&self, deliveries: Vec<Delivery>, slice: Slice) -> Batch {
        let batches = join_all(by_group(deliveries).into_iter().map(|group| self.answer_group(group, slice))).await;
        batches.into_iter().fold(Batch::default(), |mut all, one| {
            all.failed.extend(one.failed);
            all.notes.extend(one.notes);
            all.turns = all.turns.saturating_add(one.turns);
            all
        })
    }

    /// Shortens the time these messages stay hidden if this process dies. The queue's own is longer than a function may
    /// run, because Lambda demands that; a session would stay blocked for as long.
    /// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-visibility-timeout.html>
    pub async fn take_over(&self, deliveries: &[Delivery]) {
        for lane in Lane::ALL {
            let receipts: Vec<&Delivery> = deliveries.iter().filter(|delivery| delivery.lane == lane).collect();
            self.keep(lane, receipts).await;
        }
    }

    async fn answer_group(&self, group: Vec<Delivery>, slice: Slice) -> Batch {
        let mut batch = Batch::default();
        let read = |delivery: Delivery| {
            let envelope = read_envelope(&delivery.body);
            (delivery, envelope)
        };
        let mut waiting: VecDeque<Waiting> = group.into_iter().map(read).collect();
        while let Some((delivery, envelope)) = waiting.pop_front() {
            let end = match envelope {
                Ok(envelope) => self.answer_turn(&delivery, &envelope, &mut waiting, slice).await,
                Err(reason) => self.bury(&delivery, &reason).await.map(|()| false),
            };
            match end {
                Ok(finished) => batch.turns = batch.turns.saturating_add(u32::from(finished)),
                Err(note) => {
                    batch.notes.push(note);
                    batch.failed.push(delivery.message_id);
                    break;
                }
            }
        }
        for (held_back, _) in waiting {
            // Behind the one that waits, but not longer than it: their own visibility would outlast its wait.
            let _ = self.queue.hide(held_back.lane, &held_back.receipt, 0).await;
            batch.failed.push(held_back.message_id);
        }
        batch
    }

    /// `Ok(true)` if a turn was finished, `Ok(false)` if there was nothing to do, else why it is to be repeated. Messages
    /// that were answered in the same turn are taken out of `waiting`.
    async fn answer_turn(
        &self,
        delivery: &Delivery,
        envelope: &Envelope,
        waiting: &mut VecDeque<Waiting>,
        slice: Slice,
    ) -> Result<bool, String> {
        if let Some(reason) = self.behind_another(envelope).await {
            let after_s = TURN_COMES_S.max(patience_s(delivery.receives));
            let _ = self.queue.hide(delivery.lane, &delivery.receipt, after_s).await;
            return Err(reason);
        }
        let envelope = match self.may_begin(envelope).await {
            Ok(Some(envelope)) => envelope,
            Ok(None) => return Ok(false),
            Err(error) => {
                let _ = self.queue.hide(delivery.lane, &delivery.receipt, patience_s(delivery.receives)).await;
                return Err(error.to_string());
            }
        };
        let envelope = envelope.as_ref();
        let installation = self.live.installation(&envelope.agent).await;
        let others = self.together(envelope, waiting).await;
        let held: Vec<Delivery> =
            std::iter::once(delivery).chain(waiting.iter().map(|(other, _)| other)).cloned().collect();
        let turn = self.agent.answer_together(&installation, envelope, &others, slice);
        let outcome = match select(pin!(turn), pin!(self.keep_hidden(delivery.lane, &held))).await {
            Either::Left((outcome, _)) => outcome,
            Either::Right((never, _)) => match never {},
        };
        chela_failpoint::reached("acknowledging.before");
        match outcome {
            Outcome::Done(report) if report.duplicate => {
                self.metrics.add(Count::Duplicates, 1);
                Ok(false)
            }
            Outcome::Done(report) => {
                self.metrics.add(Count::Turns, 1);
                self.metrics.add(Count::ModelCalls, u64::from(report.steps));
                self.metrics.add(Count::InputTokens, report.usage.input);
                self.metrics.add(Count::OutputTokens, report.usage.output);
                waiting.retain(|(_, other)| other.as_ref().map_or(true, |other| !report.also.contains(&other.event)));
                if report.given_up {
                    self.bury(delivery, report.failed.as_deref().unwrap_or("every attempt got nowhere")).await?;
                }
                Ok(true)
            }
            Outcome::Again { after_s, reason } => {
                self.metrics.add(Count::Repeated, 1);
                let after_s = if after_s == 0 { 0 } else { after_s.max(patience_s(delivery.receives)) };
                // If this fails the message is shown again when its visibility ends.
                let _ = self.queue.hide(delivery.lane, &delivery.receipt, after_s).await;
                Err(reason)
            }
        }
    }

    /// The envelope as its turn may begin now; `None` if it may not: whoever wrote it, or had the schedule made, was removed.
    async fn may_begin<'e>(&self, envelope: &'e Envelope) -> Result<Option<Cow<'e, Envelope>>, StoreError> {
        let built = self.live.current().await;
        if held(built.as_ref(), &self.agent, envelope).await?.is_some() {
            return Ok(None);
        }
        let judged = judged_anew(built.as_ref(), self.agent.sessions.as_ref(), envelope).await?;
        if judged.is_none() {
            self.metrics.add(Count::Ignored, 1);
            tracing::info!(agent = %envelope.agent, "a message waited until its sender was removed, and is not answered");
        }
        Ok(judged)
    }

    /// Why a message is not answered yet: another agent answers it first. One whose answer does not come is not waited for
    /// for ever.
    async fn behind_another(&self, envelope: &Envelope) -> Option<String> {
        let waited_ms = self.agent.clock.now().since(envelope.accepted_at);
        let built = self.live.current().await;
        let before = before(built.as_ref(), envelope).filter(|_| waited_ms < LONGEST_BEHIND_MS)?;
        match unfinished(self.agent.sessions.as_ref(), &before).await {
            Ok(false) => None,
            Ok(true) => Some(format!("agent \"{}\" answers first (broadcast.strategy)", before.agent)),
            Err(error) => Some(error.to_string()),
        }
    }

    /// The messages behind `first` that are answered with it.
    async fn together(&self, first: &Envelope, waiting: &VecDeque<Waiting>) -> Vec<Envelope> {
        let built = self.live.current().await;
        let each_pays = each_pays(&built.config);
        let joins = |other: &&Envelope| joins(first, other, each_pays) && is_as_it_was(built.as_ref(), other);
        let joined: Vec<&Envelope> = waiting.iter().map_while(|(_, other)| other.as_ref().ok().filter(joins)).collect();
        let (false, Task::Message { inbound, .. }) = (joined.is_empty(), &first.task) else { return Vec::new() };
        let queue = &built.config.messages.queue;
        let wishes = self.wished.of(self.agent.directory.as_ref(), &first.session, self.agent.clock.now()).await;
        if queue_mode(&wishes, queue, &inbound.channel) == QueueMode::Followup {
            return Vec::new();
        }
        joined.into_iter().take((queue.cap as usize).saturating_sub(1)).cloned().collect()
    }

    async fn bury(&self, delivery: &Delivery, reason: &str) -> Result<(), String> {
        self.queue.bury(delivery, reason).await.map_err(|error| format!("not buried: {error}"))?;
        self.metrics.add(Count::Buried, 1);
        Ok(())
    }

    /// As long as a turn runs its messages stay hidden; when the process dies they come back within
    /// [`VISIBILITY_S`].
    async fn keep_hidden(&self, lane: Lane, deliveries: &[Delivery]) -> Infallible {
        loop {
            tokio::time::sleep(HEARTBEAT).await;
            self.keep(lane, deliveries.iter().collect()).await;
        }
    }

    async fn keep(&self, lane: Lane, deliveries: Vec<&Delivery>) {
        let receipts: Vec<&str> = deliveries.iter().map(|delivery| delivery.receipt.as_str()).collect();
        // If this fails another attempt begins too early, and finds the session held.
        if !receipts.is_empty()
            && let Err(error) = self.queue.hide_all(lane, &receipts, VISIBILITY_S).await
        {
            tracing::warn!(lane = lane.name(), %error, "the messages of a running turn could not be kept hidden");
        }
    }
}

/// Whether a message that waits behind `first` may be answered together with it: the same conversation and place, no
/// command, nobody whose standing is still to be looked up; and the same person, if each pays for themselves.
fn joins(first: &Envelope, other: &Envelope, each_pays: bool) -> bool {
    let (Task::Message { inbound: one, standing: Standing::Allowed, .. }, Task::Message { inbound: two, standing, .. }) =
        (&first.task, &other.task)
    else {
        return false;
    };
    let place = |address: &ReplyAddress| ReplyAddress { message: None, ..address.clone() };
    *standing == Standing::Allowed
        && first.agent == other.agent
        && one.channel != COLLECTED
        && (!each_pays || one.sender.id == two.sender.id)
        && place(&one.reply_to) == place(&two.reply_to)
        && command::parse(&one.text).is_none()
        && command::parse(&two.text).is_none()
}

/// Least wait before a message that was received so often is received again: the queue gives it up after a hundred
/// receives, and a table may be out of reach for hours.
fn patience_s(receives: u32) -> u32 {
    2u32.saturating_pow(receives.saturating_sub(4)).min(LONGEST_PATIENCE_S)
}

/// The messages by session, each in order.
pub fn by_group(deliveries: Vec<Delivery>) -> Vec<Vec<Delivery>> {
    let mut groups: Vec<Vec<Delivery>> = Vec::new();
    for delivery in deliveries {
        match groups.iter_mut().find(|group| group.first().is_some_and(|first| first.group == delivery.group)) {
            Some(group) => group.push(delivery),
            None => groups.push(vec![delivery]),
        }
    }
    groups
}

/// Reads the version before the rest, so that a newer form is recognised and not merely unreadable.
pub(crate) fn read_envelope(body: &str) -> Result<Envelope, String> {
    #[derive(Deserialize)]
    struct Versioned {
        version: u16,
    }
    let unreadable = |error: serde_json::Error| format!("not an envelope: {error}");
    let Versioned { version } = serde_json::from_str(body).map_err(unreadable)?;
    if version != ENVELOPE_VERSION {
        return Err(format!(
            "envelope version {version}; this code reads {ENVELOPE_VERSION}: deploy the newer code, then redrive"
        ));
    }
    serde_json::from_str(body).map_err(unreadable)
}

#[cfg(test)]
mod tests {
    use chela_core::agent_id::AgentId;
    use chela_core::message::Inbound;

    use super::*;

    #[test]
    fn a_newer_envelope_is_named_and_a_broken_one_refused() {
        assert!(read_envelope(r#"{"version":2,"whatever":1}"#).unwrap_err().contains("version 2"));
        assert!(read_envelope("{").unwrap_err().contains("not an envelope"));
        assert!(read_envelope(r#"{"version":1}"#).unwrap_err().contains("not an envelope"));
    }

    #[test]
    fn what_is_received_often_is_waited_for_longer() {
        assert_eq!([1, 4, 6, 8, 12, 13, 99].map(patience_s), [1, 1, 4, 16, 256, 300, 300]);
    }

    #[test]
    fn only_plain_messages_of_one_place_are_answered_together() {
        let message = |event: &str, text: &str| -> Envelope {
            serde_json::from_value(serde_json::json!({
                "version": 1, "event": event, "session": "agent:main:main", "agent": "main", "accepted_at": 1,
                "task": {"kind": "message", "standing": "allowed", "inbound": {
                    "channel": "telegram", "account": "default", "event_id": event,
                    "peer": {"kind": "direct", "id": "7"}, "sender": {"id": "7"}, "text": text, "kind": "message",
                    "addressed": true, "sent_at": 1, "media": [],
                    "reply_to": {"channel": "telegram", "account": "default", "to": "7", "message": event},
                }},
            }))
            .unwrap()
        };
        let (one, two) = (message("1", "one"), message("2", "two"));
        assert!(joins(&one, &two, false));
        assert!(
            !joins(&one, &message("2", "/think high and why?"), false),
            "what is chosen for one message is not for two"
        );
        assert!(!joins(&one, &message("2", "/new"), false) && !joins(&message("1", "/stop"), &two, false));
        let changed = |change: fn(&mut Inbound, &mut Standing)| {
            let mut other = two.clone();
            if let Task::Message { inbound, standing, .. } = &mut other.task {
                change(inbound, standing);
            }
            other
        };
        assert!(!joins(&one, &changed(|_, standing| *standing = Standing::IfPaired), false));
        assert!(!joins(&one, &changed(|inbound, _| inbound.reply_to.to = "8".into()), false));
        assert!(!joins(&one, &changed(|inbound, _| inbound.reply_to.thread = Some("9".into())), false));
        assert!(joins(&one, &changed(|inbound, _| inbound.reply_to.message = Some("9".into())), false));
        let another = changed(|inbound, _| inbound.sender.id = "8".into());
        assert!(joins(&one, &another, false) && !joins(&one, &another, true), "nobody pays for what another said");
        assert!(joins(&one, &two, true));
        assert!(!joins(&one, &Envelope { agent: AgentId::new("work"), ..two.clone() }, false));
    }
}
