//! Sends one part of a reply: marked before, settled after, flagged where nobody can know.

use std::sync::Arc;
use std::time::Duration;

use chela_core::channel::{Channel, OutboundPart, SendError, Unconfirmed};
use chela_core::message::ReplyAddress;
use chela_core::session::{Intent, Settled};
use chela_core::turn::{Deliver, idempotency_key};

use crate::answer::{Agent, Attempt, LEASE_MS, Stop};

/// Longest wait for a platform to take a part. The lease is checked to last longer before it is sent, so that a
/// reply can never land after another attempt has taken over.
const SEND_TIMEOUT: Duration = Duration::from_secs(20);

/// Difference of two machines' clocks that the lease check allows for.
const CLOCK_SKEW_MS: u64 = 5_000;

/// Tries within one attempt; then the turn waits in the queue.
const TRIES: u32 = 3;

/// Longest wait in the queue.
const MAX_WAIT_S: u32 = 900;

/// Attempts (about three hours of waiting) after which an unreachable platform is given up.
const MAX_ATTEMPTS: u32 = 16;

/// A platform's "wait" up to this long is waited for here; a longer one in the queue, where waiting is free.
const WAIT_HERE: Duration = Duration::from_secs(3);

impl Agent {
    /// Brings one part to its end.
    pub(crate) async fn deliver(&self, attempt: &mut Attempt<'_>, part: Deliver) -> Result<(), Stop> {
        let Some(to) = attempt.deliver_to.clone() else {
            settle(attempt, Settled::Sent { id: String::new() });
            return Ok(());
        };
        let Some(channel) = attempt.installation.outlet(&to).map(|outlet| outlet.channel.clone()) else {
            let reason = format!("channel {}/{} is not configured any more", to.channel, to.account);
            return self.give_up(attempt, &part, reason).await;
        };
        if part.part == 0
            && let Some(preview) = attempt.head.preview.clone()
            && self.replace_preview(attempt, &part, &to, &channel, &preview).await?
        {
            return Ok(());
        }
        if !part.may_send(channel.unconfirmed()) {
            let reason = "it was being sent when the attempt broke off; it may or may not have arrived".to_owned();
            self.flag(attempt, part.part, reason).await?;
            settle(attempt, Settled::Unknown);
            return Ok(());
        }
        self.send(attempt, &part, &to, &channel).await
    }

    /// The preview becomes the first part. Editing twice is editing once, so it needs no mark. `false` if the
    /// platform will not edit it.
    async fn replace_preview(
        &self,
        attempt: &mut Attempt<'_>,
        part: &Deliver,
        to: &ReplyAddress,
        channel: &Arc<dyn Channel>,
        preview: &str,
    ) -> Result<bool, Stop> {
        let key = self.part_key(attempt, part);
        let outbound = OutboundPart { to, markdown: &part.markdown, idempotency_key: &key, timeout: SEND_TIMEOUT };
        match retry(|| channel.edit(preview, &outbound)).await {
            Ok(()) => {
                settle(attempt, Settled::Sent { id: preview.to_owned() });
                Ok(true)
            }
            Err(SendError::Refused { .. }) => {
                attempt.head.preview = None;
                Ok(false)
            }
            Err(error) => Err(later(&error, attempt.head.attempts)),
        }
    }

    async fn send(
        &self,
        attempt: &mut Attempt<'_>,
        part: &Deliver,
        to: &ReplyAddress,
        channel: &Arc<dyn Channel>,
    ) -> Result<(), Stop> {
        let key = self.part_key(attempt, part);
        let outbound = OutboundPart { to, markdown: &part.markdown, idempotency_key: &key, timeout: SEND_TIMEOUT };
        for attempt_number in 1..=TRIES {
            self.mark_sending(attempt, part.part).await?;
            match channel.send(&outbound).await {
                Ok(receipt) => {
                    settle(attempt, Settled::Sent { id: receipt.message_id });
                    return Ok(());
                }
                Err(SendError::Refused { reason, .. }) => return self.give_up(attempt, part, reason).await,
                Err(SendError::Unknown { reason, .. }) if channel.unconfirmed() == Unconfirmed::Flag => {
                    self.flag(attempt, part.part, reason).await?;
                    settle(attempt, Settled::Unknown);
                    return Ok(());
                }
                Err(error) => {
                    let wait = wait_of(&error, attempt_number);
                    if attempt_number == TRIES || wait > WAIT_HERE {
                        // Nothing was sent (or the platform knows the key): the mark would only raise a doubt.
                        attempt.head.intents.clear();
                        if attempt.head.attempts >= MAX_ATTEMPTS {
                            return self.give_up(attempt, part, error.to_string()).await;
                        }
                        return Err(later(&error, attempt.head.attempts));
                    }
                    tokio::time::sleep(wait).await;
                }
            }
        }
        Ok(())
    }

    /// `SENDING`, under a lease that outlives the send. Written once per part and attempt; together with the end of
    /// the part before.
    async fn mark_sending(&self, attempt: &mut Attempt<'_>, part: u16) -> Result<(), Stop> {
        let now = self.clock.now();
        let needed = u64::try_from(SEND_TIMEOUT.as_millis()).unwrap_or(u64::MAX).saturating_add(CLOCK_SKEW_MS);
        let mark = vec![Intent::Send { part }];
        if attempt.head.intents == mark && attempt.head.lease_until >= now.plus(needed) {
            return Ok(());
        }
        let fence = attempt.fence(now, needed);
        let mut head = attempt.head.clone();
        head.intents = mark;
        head.lease_until = now.plus(LEASE_MS);
        self.sessions.save(attempt.session, &head, &fence).await?;
        attempt.head = head;
        Ok(())
    }

    /// The platform refuses for good: this part and all after it end here, once. Each has a flag, so that each can be
    /// sent again.
    async fn give_up(&self, attempt: &mut Attempt<'_>, part: &Deliver, reason: String) -> Result<(), Stop> {
        for number in part.part..part.of {
            let own = number == part.part;
            let why = if own { reason.clone() } else { format!("not tried after part {}: {reason}", part.part) };
            self.flag(attempt, number, why).await?;
        }
        for _ in part.part..part.of {
            settle(attempt, Settled::Dead);
        }
        Ok(())
    }

    fn part_key(&self, attempt: &Attempt<'_>, part: &Deliver) -> String {
        idempotency_key(attempt.session, &attempt.accepted.event, &format!("part:{}", part.part))
    }
}

/// Kept in memory; written with the next mark or with the finished head.
fn settle(attempt: &mut Attempt<'_>, end: Settled) {
    attempt.turn.settled.push(end.clone());
    attempt.head.settled.push(end);
    attempt.head.intents.clear();
    attempt.turn.left_over.clear();
}

fn wait_of(error: &SendError, tries: u32) -> Duration {
    match error {
        SendError::RateLimited { after, .. } => *after,
        _ => Duration::from_millis(250).saturating_mul(2u32.saturating_pow(tries)),
    }
}

/// The turn waits in the queue, longer with every attempt: the queue gives a message up after 20 receives, and a
/// platform may be down for an hour.
fn later(error: &SendError, attempts: u32) -> Stop {
    let after_s = match error {
        SendError::RateLimited { after, .. } => u32::try_from(after.as_secs()).unwrap_or(MAX_WAIT_S).max(1),
        _ => 5u32.saturating_mul(2u32.saturating_pow(attempts.min(10))),
    };
    Stop::Later { after_s: after_s.min(MAX_WAIT_S), reason: error.to_string(), progress: false }
}

async fn retry<F, Fut>(mut action: F) -> Result<(), SendError>
where
    F: FnMut() -> Fut,
    Fut: Future<Output = Result<(), SendError>>,
{
    for tries in 1..TRIES {
        match action().await {
            Ok(()) => return Ok(()),
            Err(error @ SendError::Refused { .. }) => return Err(error),
            Err(error) => {
                let wait = wait_of(&error, tries);
                if wait > WAIT_HERE {
                    return Err(error);
                }
                tokio::time::sleep(wait).await;
            }
        }
    }
    action().await
}
