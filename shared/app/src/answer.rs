//! A batch from the queue: several sessions at once, each in order.

use std::sync::Arc;

use chela_agent::{Agent, Outcome, Slice};
use chela_core::queue::{Delivery, ENVELOPE_VERSION, Envelope, Queue};
use futures_util::future::join_all;
use serde::Deserialize;

use crate::live::Live;
use crate::metrics::{Count, Metrics};

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
    /// Answers all messages of a batch. Sessions run side by side; within a session messages run in order, and the
    /// first that has to be repeated holds back the rest, because their order must not change.
    pub async fn answer(&self, deliveries: Vec<Delivery>, slice: Slice) -> Batch {
        let batches = join_all(by_group(deliveries).into_iter().map(|group| self.answer_group(group, slice))).await;
        batches.into_iter().fold(Batch::default(), |mut all, one| {
            all.failed.extend(one.failed);
            all.notes.extend(one.notes);
            all.turns = all.turns.saturating_add(one.turns);
            all
        })
    }

    async fn answer_group(&self, group: Vec<Delivery>, slice: Slice) -> Batch {
        let mut batch = Batch::default();
        let mut waiting = group.into_iter();
        for delivery in waiting.by_ref() {
            match self.answer_one(&delivery, slice).await {
                Ok(finished) => batch.turns = batch.turns.saturating_add(u32::from(finished)),
                Err(note) => {
                    batch.notes.push(note);
                    batch.failed.push(delivery.message_id);
                    break;
                }
            }
        }
        for held_back in waiting {
            // Behind the one that waits, but not longer than it: their own visibility would outlast its wait.
            let _ = self.queue.hide(held_back.lane, &held_back.receipt, 0).await;
            batch.failed.push(held_back.message_id);
        }
        batch
    }

    /// `Ok(true)` if a turn was finished, `Ok(false)` if there was nothing to do, else why it is to be repeated.
    async fn answer_one(&self, delivery: &Delivery, slice: Slice) -> Result<bool, String> {
        let envelope = match read_envelope(&delivery.body) {
            Ok(envelope) => envelope,
            Err(reason) => {
                self.queue.bury(delivery, &reason).await.map_err(|error| format!("not buried: {error}"))?;
                self.metrics.add(Count::Buried, 1);
                return Ok(false);
            }
        };
        let installation = self.live.installation(&envelope.agent).await;
        match self.agent.answer(&installation, &envelope, slice).await {
            Outcome::Done(report) if report.duplicate => {
                self.metrics.add(Count::Duplicates, 1);
                Ok(false)
            }
            Outcome::Done(report) => {
                self.metrics.add(Count::Turns, 1);
                self.metrics.add(Count::ModelCalls, u64::from(report.steps));
                self.metrics.add(Count::InputTokens, report.usage.input);
                self.metrics.add(Count::OutputTokens, report.usage.output);
                Ok(true)
            }
            Outcome::Again { after_s, reason } => {
                self.metrics.add(Count::Repeated, 1);
                // If this fails the message is shown again when the queue's own visibility ends.
                let _ = self.queue.hide(delivery.lane, &delivery.receipt, after_s).await;
                Err(reason)
            }
        }
    }
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
    use super::*;

    #[test]
    fn a_newer_envelope_is_named_and_a_broken_one_refused() {
        assert!(read_envelope(r#"{"version":2,"whatever":1}"#).unwrap_err().contains("version 2"));
        assert!(read_envelope("{").unwrap_err().contains("not an envelope"));
        assert!(read_envelope(r#"{"version":1}"#).unwrap_err().contains("not an envelope"));
    }
}
