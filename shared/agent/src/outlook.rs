//! What becomes of a step that no model has answered: it is waited for, parked, or its sender is told.

use chela_core::clock::Millis;
use chela_core::cooldown::{Cooldown, Trouble};
use chela_core::model::ModelError;
use chela_core::turn::{Spent, Unanswered};

use crate::failover::Unheard;
use crate::purse::Stopped;
use crate::spend::SpendRules;

/// A rest no longer than this is waited for where the turn stands.
const SHORT_MS: u64 = 5_000;

/// A message older than this is not kept waiting any longer: its sender is told.
const PATIENCE_MS: u64 = 60 * 60 * 1000;

/// What was learnt from all models.
#[derive(Debug, Default)]
pub(crate) struct Outlook {
    /// The failure that says most about what to do.
    failure: Option<ModelError>,
    stopped: Option<Stopped>,
    /// The rest that ends first of those that end by themselves.
    soonest: Option<Cooldown>,
    /// Too little of the slice is left for another call.
    pub(crate) late: bool,
}

impl Outlook {
    pub(crate) fn add(&mut self, unheard: Unheard) {
        let Unheard { failure, stopped, rests, provider, .. } = unheard;
        for rest in rests {
            let again = match rest.trouble {
                Trouble::RateLimit | Trouble::Overload => None,
                // The owner must act, and nobody knows when.
                Trouble::Credential => {
                    let reason = "it was refused a while ago and is not tried again yet".to_owned();
                    Some(ModelError::Credential { provider: provider.clone(), reason })
                }
                Trouble::Billing => {
                    let reason = "its account had run out a while ago and is not tried again yet".to_owned();
                    Some(ModelError::Billing { provider: provider.clone(), reason })
                }
            };
            match again {
                Some(error) => self.failed(error),
                None if self.soonest.is_none_or(|soonest| rest.until < soonest.until) => self.soonest = Some(rest),
                None => {}
            }
        }
        if let Some(failure) = failure {
            self.failed(failure);
        }
        self.stopped = self.stopped.take().or(stopped);
    }

    /// A later provider's word must not hide that an earlier one only asked for patience.
    fn failed(&mut self, error: ModelError) {
        let patience = |error: &ModelError| matches!(Trouble::of(error), Some(Trouble::RateLimit | Trouble::Overload));
        if !self.failure.as_ref().is_some_and(patience) {
            self.failure = Some(error);
        }
    }

    /// Whether no other model may be asked either.
    pub(crate) fn halted(&self) -> bool {
        matches!(self.stopped, Some(Stopped::Halted | Stopped::Store(_)))
    }

    /// Whether nothing was asked because nothing may be spent.
    pub(crate) fn out_of_money(&self) -> bool {
        matches!(self.stopped, Some(Stopped::Halted | Stopped::Limit { .. }))
    }

    /// The end of a rest that is worth waiting for, if there is time for a call after it.
    pub(crate) fn worth_waiting(&self, now: Millis, latest: Millis) -> Option<Millis> {
        let until = self.soonest.filter(|_| self.stopped.is_none() && !self.late)?.until;
        (until.since(now) <= SHORT_MS && until < latest).then_some(until)
    }

    /// What the machine is told. Without any call of its own the turn has only waited, and that costs it nothing.
    pub(crate) fn unanswered(self, on: &Occasion<'_>, spent: Spent) -> Unanswered {
        let again = |after: u64, reason: String, apology: String, parked| Unanswered {
            again_after_s: Some(after),
            reason,
            apology,
            spent,
            parked,
        };
        if let Some(stopped) = &self.stopped {
            let (reason, apology) = (stopped.to_string(), on.rules.refusal(stopped, on.private));
            let again_after_s = matches!(stopped, Stopped::Store(_)).then_some(0);
            return Unanswered { again_after_s, reason, apology, spent, parked: false };
        }
        let old = on.now.since(on.accepted_at) > PATIENCE_MS;
        let error = self.failure.unwrap_or_else(|| nothing_to_ask(self.soonest.as_ref()));
        let (reason, apology) = (error.to_string(), apology(&error));
        match self.soonest {
            Some(rest) if !old => {
                let left = rest.until.since(on.now).div_ceil(1000);
                let parked = spent.calls == 0 || rest.trouble == Trouble::RateLimit;
                again(left, reason, apology, parked)
            }
            None if self.late => again(0, "the slice is used up".to_owned(), apology, false),
            _ => Unanswered { again_after_s: None, reason, apology, spent, parked: false },
        }
    }
}

/// When and for whom.
pub(crate) struct Occasion<'a> {
    pub(crate) rules: &'a SpendRules,
    /// Only the owner reads the answer.
    pub(crate) private: bool,
    pub(crate) accepted_at: Millis,
    pub(crate) now: Millis,
}

fn nothing_to_ask(soonest: Option<&Cooldown>) -> ModelError {
    let provider = "every provider".to_owned();
    match soonest.map(|rest| rest.trouble) {
        Some(Trouble::RateLimit) => ModelError::RateLimited { provider, after: None },
        Some(_) => ModelError::Overloaded { provider, after: None },
        None => ModelError::Rejected {
            provider: "the configuration".into(),
            reason: "none of the configured models can be opened; the owner finds the reason with `chela doctor`"
                .into(),
        },
    }
}

fn apology(error: &ModelError) -> String {
    match error {
        ModelError::RateLimited { .. } | ModelError::Overloaded { .. } | ModelError::Unavailable { .. } => {
            format!(
                "I cannot reach my model at the moment ({error}). Your message is kept; please ask again in a while."
            )
        }
        ModelError::Credential { provider, .. } => format!(
            "I cannot answer: {provider} refuses the configured credential. The owner can mend it at \
             models.providers.{provider}.apiKey or auth.profiles."
        ),
        ModelError::Billing { provider, .. } => {
            format!("I cannot answer: the account with {provider} has run out of money. The owner can add some there.")
        }
        ModelError::TooLong { .. } => {
            "This conversation has grown too long for my model. Send /new to begin afresh.".into()
        }
        ModelError::Rejected { .. } => {
            format!("I cannot answer: {error}. Send /new to begin afresh if it happens again.")
        }
    }
}
