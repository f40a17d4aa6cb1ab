//! Three platforms: one that knows idempotency keys, one that does not, one whose messages can be edited.
//!
//! A request that has left arrives within the client's time limit or never: this is assumption A1 of the turn
//! protocol. A process that stands still before its request leaves finds the limit passed when it goes on.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use chela_core::channel::{
    Channel, Health, Limits, MenuEntry, OutboundPart, Parsed, RawRequest, Receipt, Registration, Rejected, SendError,
    Unconfirmed, Verified,
};
use chela_core::message::ReplyAddress;
use tokio::time::{Instant, sleep, timeout_at};

use crate::fault::{Fault, Place};
use crate::history::Happening;
use crate::model::message_of;
use crate::process::Process;
use crate::sim::{Mutant, Sim};

/// The platform itself: it lives longer than any process.
#[derive(Default)]
pub(crate) struct Platform {
    /// Parts it has shown, by key.
    shown: Mutex<BTreeMap<String, String>>,
    /// Texts of messages that were edited, by id.
    texts: Mutex<BTreeMap<String, String>>,
    /// Messages whose chat is gone.
    closed: Mutex<BTreeSet<u32>>,
}

impl Platform {
    fn show(&self, sim: &Sim, message: u32, key: &str, text: &str, knows_keys: bool) -> String {
        let mut shown = self.shown.lock().unwrap();
        if knows_keys && let Some(id) = shown.get(key) {
            return id.clone();
        }
        let id = sim.unique().to_string();
        shown.insert(key.to_owned(), id.clone());
        if text == PLACEHOLDER {
            return id; // Nobody takes that for an answer.
        }
        sim.happens(Happening::Shown { message, text: text.to_owned() });
        id
    }

    /// Changes a message. The same text again is nothing new to see.
    fn change(&self, sim: &Sim, message: u32, id: &str, text: &str) {
        let told = self.texts.lock().unwrap().insert(id.to_owned(), text.to_owned());
        if told.as_deref() != Some(text) {
            sim.happens(Happening::Shown { message, text: text.to_owned() });
        }
    }
}

/// What stands where a part will be.
const PLACEHOLDER: &str = "…";

/// One process's way to a platform.
pub(crate) struct SimulatedChannel {
    pub(crate) process: Arc<Process>,
    pub(crate) platform: Arc<Platform>,
    pub(crate) id: &'static str,
}

impl SimulatedChannel {
    fn knows_keys(&self) -> bool {
        self.id == "keyed"
    }

    fn unknown(&self) -> SendError {
        SendError::Unknown { channel: self.id, reason: "no answer in time".into() }
    }

    fn not_sent(&self) -> SendError {
        SendError::NotSent { channel: self.id, reason: "nobody there".into() }
    }

    fn refused(&self) -> SendError {
        SendError::Refused { channel: self.id, reason: "the chat is gone".into() }
    }

    /// One request, with everything that may go wrong with it; `shows` is what the platform does when it arrives.
    async fn request(
        &self,
        part: &OutboundPart<'_>,
        shows: impl FnOnce(u32) -> String + Send + 'static,
    ) -> Result<String, SendError> {
        let (process, sim) = (&self.process, &self.process.sim);
        let message = part.to.message.as_deref().and_then(message_of).expect("every message says which it is");
        let shows = move || shows(message);
        let fault = process.draw(Place::Send, Some(message));
        let limit = Instant::now() + part.timeout;
        if self.platform.closed.lock().unwrap().contains(&message) {
            return Err(self.refused());
        }
        let most = u64::try_from(part.timeout.as_millis()).unwrap().saturating_sub(100).max(1);
        let usual = || process.sim.span(20, 800.min(most / 2));
        Ok(match fault {
            Some(Fault::DiesBefore) => process.die().await,
            Some(Fault::DiesAfter) => {
                process.request(usual(), Duration::ZERO, shows).await;
                process.die().await
            }
            Some(Fault::DiesInFlight) => {
                let arrives = sim.span(20, most);
                tokio::spawn(async move {
                    sleep(arrives).await;
                    shows();
                });
                process.die().await
            }
            Some(Fault::PausedBefore) => {
                process.pause().await;
                if Instant::now() >= limit {
                    return Err(self.unknown());
                }
                let request = process.request(Duration::from_millis(1), Duration::ZERO, shows);
                timeout_at(limit, request).await.map_err(|_| self.unknown())?
            }
            Some(Fault::PausedAfter) => {
                let id = process.request(usual(), Duration::ZERO, shows).await;
                process.pause().await;
                id
            }
            Some(Fault::Slow) => process.request(sim.span(1_000.min(most), most), Duration::ZERO, shows).await,
            Some(Fault::NotSent) => {
                sleep(usual()).await;
                return Err(self.not_sent());
            }
            Some(Fault::UnknownShown) => {
                process.request(sim.span(20, most), Duration::ZERO, shows).await;
                tokio::time::sleep_until(limit).await;
                return Err(self.unknown());
            }
            Some(Fault::UnknownLost) => {
                tokio::time::sleep_until(limit).await;
                return Err(self.unknown());
            }
            Some(Fault::Throttles) => {
                let after = Duration::from_secs([1, 2, 30, 600][sim.rng().usize(..4)]);
                return Err(SendError::RateLimited { channel: self.id, after });
            }
            Some(Fault::Refused) => {
                self.platform.closed.lock().unwrap().insert(message);
                return Err(self.refused());
            }
            _ => process.request(usual(), usual(), shows).await,
        })
    }
}

#[async_trait]
impl Channel for SimulatedChannel {
    fn id(&self) -> &'static str {
        self.id
    }

    fn account(&self) -> &str {
        "default"
    }

    fn limits(&self, _: &ReplyAddress) -> Limits {
        Limits { choices: 0, text: 300, edit_every: None, typing_for: None }
    }

    fn unconfirmed(&self, _: &ReplyAddress) -> Unconfirmed {
        let claims_keys = self.knows_keys() || self.process.sim.config.mutant == Some(Mutant::FalseKeys);
        match self.id {
            _ if claims_keys => Unconfirmed::ResendWithKey,
            "edited" => Unconfirmed::Placeholder,
            _ => Unconfirmed::Flag,
        }
    }

    fn verify(&self, request: RawRequest) -> Result<Verified, Rejected> {
        Ok(request.prove())
    }

    fn parse(&self, _: &Verified) -> Result<Parsed, Rejected> {
        Ok(Parsed::nothing())
    }

    async fn send(&self, part: &OutboundPart<'_>) -> Result<Receipt, SendError> {
        let (sim, platform, knows_keys) = (self.process.sim.clone(), self.platform.clone(), self.knows_keys());
        let (key, text) = (part.idempotency_key.to_owned(), part.markdown.to_owned());
        let message_id =
            self.request(part, move |message| platform.show(&sim, message, &key, &text, knows_keys)).await?;
        Ok(Receipt { message_id })
    }

    async fn edit(&self, message_id: &str, part: &OutboundPart<'_>) -> Result<(), SendError> {
        if self.id != "edited" {
            return Err(SendError::Refused { channel: self.id, reason: "nothing can be edited here".into() });
        }
        let (sim, platform, id) = (self.process.sim.clone(), self.platform.clone(), message_id.to_owned());
        let text = part.markdown.to_owned();
        self.request(part, move |message| {
            platform.change(&sim, message, &id, &text);
            id.clone()
        })
        .await
        .map(drop)
    }

    async fn typing(&self, _: &ReplyAddress) -> Result<(), SendError> {
        Ok(())
    }

    async fn register(&self, _: &str, _: &[MenuEntry]) -> Result<Registration, SendError> {
        Ok(Registration::Done { summary: "nothing to register".into() })
    }

    async fn health(&self) -> Result<Health, SendError> {
        Ok(Health { ok: true, summary: "simulated".into() })
    }
}
