//! Sends a flagged part again because its owner wants it: marked before, as every sending is, and settled after.
//!
//! The flag itself carries the mark, so the turn in progress of the session is not disturbed, and the queue's order
//! within the session keeps two resendings apart. What the owner decided about is the flag as they saw it: one that
//! has changed since is left alone, so asking twice sends once.

use std::time::Duration;

use chela_core::channel::{OutboundPart, Unconfirmed};
use chela_core::clock::Millis;
use chela_core::message::ReplyAddress;
use chela_core::queue::Envelope;
use chela_core::session::{Flagged, SessionStore, StoreError};
use chela_core::turn::{Outcome, Report, Turn, deliver_to, idempotency_key};

use crate::answer::{Agent, Slice};
use crate::relay;
use crate::settings::Installation;

/// Longest wait for a platform to take the part.
const SEND_TIMEOUT: Duration = Duration::from_secs(20);

/// Pause before a store that failed is asked again.
const RETRY_AFTER_S: u32 = 5;

/// What a flagged part says and where it was to go.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Undelivered {
    /// Its markdown; `None` if the transcript does not have it (any more).
    pub markdown: Option<String>,
    /// Where to; `None` once the record of the event has expired, eight days after it came.
    pub to: Option<ReplyAddress>,
}

/// Looks up what a flag is about. Changes nothing.
pub async fn undelivered(sessions: &dyn SessionStore, flagged: &Flagged) -> Result<Undelivered, StoreError> {
    let entries = sessions.turn(&flagged.session, flagged.turn).await?;
    let turn = Turn { number: flagged.turn, entries, ..Turn::default() };
    let markdown = turn.parts().get(usize::from(flagged.part)).map(|part| (*part).clone());
    let accepted = sessions.accepted(&flagged.session, &flagged.event).await?;
    Ok(Undelivered { markdown, to: accepted.and_then(|accepted| accepted.task.as_ref().and_then(deliver_to).cloned()) })
}

/// The flag the owner decided about.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Decided {
    pub(crate) turn: u64,
    pub(crate) part: u16,
    pub(crate) flagged_at: Millis,
}

impl Agent {
    /// Sends the part once. Delivered, its flag is gone; else the flag says why, with a new time.
    pub(crate) async fn redeliver(
        &self,
        installation: &Installation,
        envelope: &Envelope,
        decided: Decided,
        slice: Slice,
    ) -> Outcome {
        if self.clock.now().plus(millis(SEND_TIMEOUT)) > slice.deadline {
            return Outcome::Again { after_s: 0, reason: "no time is left to send a part".to_owned() };
        }
        match self.send_again(installation, envelope, decided).await {
            Ok(parts) => Outcome::Done(Report { parts, ..Report::default() }),
            Err(error) => Outcome::Again { after_s: RETRY_AFTER_S, reason: error.to_string() },
        }
    }

    async fn send_again(
        &self,
        installation: &Installation,
        envelope: &Envelope,
        decided: Decided,
    ) -> Result<u16, StoreError> {
        let flags = self.sessions.flagged(usize::MAX).await?;
        let Some(flagged) = flags.into_iter().find(|flagged| {
            let Flagged { session, turn, part, at, .. } = flagged;
            *session == envelope.session && (*turn, *part, *at) == (decided.turn, decided.part, decided.flagged_at)
        }) else {
            return Ok(0);
        };
        let Undelivered { markdown, to } = undelivered(self.sessions.as_ref(), &flagged).await?;
        let Some(markdown) = markdown else {
            return self.in_vain(&flagged, "its text is not in the transcript").await;
        };
        let Some(to) = to else {
            return self.in_vain(&flagged, "where it was to go is forgotten after eight days").await;
        };
        let relay = self.relay();
        let Some(outlet) = relay::outlet(installation, &relay, &to) else {
            let reason = format!("channel {}/{} is not configured any more", to.channel, to.account);
            return self.in_vain(&flagged, &reason).await;
        };
        if flagged.sending && !matches!(outlet.unconfirmed(&to), Unconfirmed::ResendWithKey | Unconfirmed::Resend) {
            let reason = "it was being sent again when the attempt broke off; it may or may not have arrived";
            return self.in_vain(&flagged, reason).await;
        }
        let idempotency_key = idempotency_key(&flagged.session, &flagged.event, &format!("part:{}", flagged.part));
        if self.channels.log().confirmed(&idempotency_key).await? {
            return self.sessions.change_flag(&flagged, None).await.map(|_| 0);
        }
        let marked = Flagged { sending: true, ..flagged.clone() };
        if !flagged.sending && !self.sessions.change_flag(&flagged, Some(&marked)).await? {
            return Ok(0);
        }
        let part = OutboundPart {
            to: &to,
            number: flagged.part,
            markdown: &markdown,
            choices: &[],
            idempotency_key: &idempotency_key,
            timeout: SEND_TIMEOUT,
        };
        match self.send_stored(outlet, &envelope.agent, &part, None).await {
            Ok(_) => self.sessions.change_flag(&marked, None).await.map(|_| 1),
            Err(error) => self.in_vain(&marked, &error.to_string()).await,
        }
    }

    /// The flag stays, for another decision: with the reason, and under a time that no decision was made about.
    async fn in_vain(&self, flagged: &Flagged, reason: &str) -> Result<u16, StoreError> {
        let at = self.clock.now().max(flagged.at.plus(1));
        let failed = Flagged { at, reason: reason.to_owned(), sending: false, ..flagged.clone() };
        self.sessions.change_flag(flagged, Some(&failed)).await.map(|_| 0)
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
