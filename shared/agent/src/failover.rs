//! Asks one model with its credentials, one after the other. One that gets into trouble is left in peace for a while,
//! by all processes.

use std::time::Duration;

use chela_core::clock::Millis;
use chela_core::cooldown::{Cooldown, Trouble};
use chela_core::model::{ModelAnswer, ModelError, ModelRequest};

use crate::answer::{Agent, Attempt};
use crate::draft::Draft;
use crate::purse::{Purse, Stopped, Unpaid};
use crate::settings::{ModelChoice, Profile};

/// The way to the models of one turn.
pub(crate) struct Failover<'a> {
    agent: &'a Agent,
    purse: Purse<'a>,
    /// The credential that answered last in this conversation: its provider may still have the prompt in its cache.
    last: Option<String>,
    /// Until here rests were waited for.
    waited_until: Millis,
}

/// An answer.
pub(crate) struct Heard {
    pub(crate) answer: ModelAnswer,
    /// The credential it came with.
    pub(crate) profile: String,
    /// Calls made, the others in vain.
    pub(crate) calls: u16,
}

/// Why a model did not answer.
#[derive(Debug, Default)]
pub(crate) struct Unheard {
    /// Calls made.
    pub(crate) calls: u16,
    /// What the last call said.
    pub(crate) failure: Option<ModelError>,
    /// Why a call was not made.
    pub(crate) stopped: Option<Stopped>,
    /// Credentials that rest now.
    pub(crate) rests: Vec<Cooldown>,
    /// The provider.
    pub(crate) provider: String,
}

impl<'a> Failover<'a> {
    pub(crate) fn of(agent: &'a Agent, attempt: &Attempt<'a>) -> Self {
        let last = attempt.machine.head().choices.profile.clone();
        Self { agent, purse: Purse::of(agent, attempt), last, waited_until: Millis::default() }
    }

    /// Asks `choice`, growing `draft`, with every credential that does not rest, until one answers. A request that is
    /// itself at fault is not tried with another one.
    pub(crate) async fn ask(
        &self,
        choice: &ModelChoice,
        request: &ModelRequest,
        draft: &Draft,
    ) -> Result<Heard, Unheard> {
        let mut unheard = Unheard { provider: choice.provider().to_owned(), ..Unheard::default() };
        for profile in self.in_order(choice) {
            let rest = self.rest_of(profile).await;
            if let Some(rest) = rest.filter(|rest| rest.until > self.now()) {
                unheard.rests.push(rest);
                continue;
            }
            match self.purse.call(choice, profile, request, draft).await {
                Ok(answer) => {
                    if rest.is_some() && self.agent.cooldowns.recover(&profile.id).await.is_ok() {
                        self.agent.known.forget_rests();
                    }
                    return Ok(Heard { answer, profile: profile.id.clone(), calls: unheard.calls.saturating_add(1) });
                }
                Err(Unpaid::Stopped(stopped)) => {
                    unheard.stopped = Some(stopped);
                    break;
                }
                Err(Unpaid::Failed(error)) => {
                    unheard.calls = unheard.calls.saturating_add(1);
                    let trouble = Trouble::of(&error);
                    if let Some(trouble) = trouble {
                        unheard.rests.push(self.put_to_rest(profile, trouble, &error).await);
                    }
                    unheard.failure = Some(error);
                    // Another call would say something else than what was sent.
                    if trouble.is_none() || !draft.sent().is_empty() {
                        break;
                    }
                }
            }
        }
        Err(unheard)
    }

    /// Waits for the end of a rest.
    pub(crate) async fn wait(&mut self, until: Millis) {
        let left = until.since(self.now());
        tokio::time::sleep(Duration::from_millis(left)).await;
        self.waited_until = self.waited_until.max(until);
    }

    /// The conversation's own credential first.
    fn in_order<'c>(&self, choice: &'c ModelChoice) -> impl Iterator<Item = &'c Profile> {
        let own = |profile: &&Profile| self.last.as_deref() == Some(profile.id.as_str());
        let (first, others): (Vec<_>, Vec<_>) = choice.profiles.iter().partition(own);
        first.into_iter().chain(others)
    }

    async fn rest_of(&self, profile: &Profile) -> Option<Cooldown> {
        let rests = self.agent.known.rests(self.agent.cooldowns.as_ref(), self.agent.clock.now()).await;
        rests.get(&profile.id).copied()
    }

    /// How long it rests depends on what went before, perhaps in another process.
    async fn put_to_rest(&self, profile: &Profile, trouble: Trouble, error: &ModelError) -> Cooldown {
        let asked = match error {
            ModelError::RateLimited { after, .. } | ModelError::Overloaded { after, .. } => *after,
            _ => None,
        };
        let asked = asked.map(|asked| u64::try_from(asked.as_millis()).unwrap_or(u64::MAX));
        self.agent.known.forget_rests();
        let before = self.rest_of(profile).await;
        let rest = Cooldown::after(before.as_ref(), trouble, asked, self.now());
        // If it cannot be noted it is met again in the next turn.
        if Some(rest) != before && self.agent.cooldowns.rest(&profile.id, &rest).await.is_ok() {
            self.agent.known.forget_rests();
        }
        rest
    }

    /// The clock's time, or that of the last rest which was waited for, if that is later: clocks differ.
    pub(crate) fn now(&self) -> Millis {
        self.agent.clock.now().max(self.waited_until)
    }
}
