//! Credentials of providers that are left in peace for a while, known to every process.

use std::collections::BTreeMap;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::clock::Millis;
use crate::model::ModelError;
use crate::session::StoreError;

/// Why a credential is left in peace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Trouble {
    /// It asked too often.
    RateLimit,
    /// The provider has too much to do, or is out of reach.
    Overload,
    /// It is wrong or has no rights.
    Credential,
    /// It has run out of money.
    Billing,
}

impl Trouble {
    /// What kind of trouble a failed call is; `None` if another credential would fare no better.
    pub fn of(error: &ModelError) -> Option<Self> {
        match error {
            ModelError::RateLimited { .. } => Some(Self::RateLimit),
            ModelError::Overloaded { .. } | ModelError::Unavailable { .. } => Some(Self::Overload),
            ModelError::Credential { .. } => Some(Self::Credential),
            ModelError::Billing { .. } => Some(Self::Billing),
            ModelError::TooLong { .. } | ModelError::Rejected { .. } => None,
        }
    }

    /// Milliseconds of rest after the first, second, … failure in a row; the last one counts on.
    fn rests(self) -> &'static [u64] {
        const S: u64 = 1_000;
        const MIN: u64 = 60 * S;
        const H: u64 = 60 * MIN;
        match self {
            Self::RateLimit => &[S, 5 * S, 30 * S, 5 * MIN, 30 * MIN],
            Self::Overload => &[S, 5 * S, 30 * S, MIN],
            Self::Credential => &[MIN, 5 * MIN, 30 * MIN, H],
            Self::Billing => &[30 * MIN, H, 5 * H, 24 * H],
        }
    }
}

/// The rest of one credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cooldown {
    /// Until when it is not asked.
    pub until: Millis,
    /// Failures in a row.
    pub failures: u32,
    /// Why.
    pub trouble: Trouble,
}

impl Cooldown {
    /// The rest after a failure, given the one before: longer with every failure in a row of the same trouble, and never
    /// shorter than what the provider asked for. Of calls that ran side by side only the first counts: they all met the
    /// same trouble.
    #[must_use]
    pub fn after(before: Option<&Self>, trouble: Trouble, asked_ms: Option<u64>, now: Millis) -> Self {
        let asked = now.plus(asked_ms.unwrap_or(0));
        if let Some(before) = before.filter(|before| before.until > now && before.trouble == trouble) {
            return Self { until: before.until.max(asked), ..*before };
        }
        let failures = before.filter(|before| before.trouble == trouble).map_or(1, |it| it.failures.saturating_add(1));
        let rests = trouble.rests();
        let step = usize::try_from(failures.saturating_sub(1)).unwrap_or(usize::MAX).min(rests.len().saturating_sub(1));
        let rest = rests.get(step).copied().unwrap_or_default();
        Self { until: now.plus(rest).max(asked), failures, trouble }
    }
}

/// Keeps the rests. Few rows, written only when something fails or works again.
#[async_trait]
pub trait CooldownStore: Send + Sync {
    /// All rests, ended ones included until they are cleared, by credential; consistent.
    async fn cooldowns(&self) -> Result<BTreeMap<String, Cooldown>, StoreError>;

    /// Notes a rest, whatever was noted before.
    async fn rest(&self, profile: &str, cooldown: &Cooldown) -> Result<(), StoreError>;

    /// Forgets a rest: the credential works. Harmless where there is none.
    async fn recover(&self, profile: &str) -> Result<(), StoreError>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_failure_in_a_row_rests_longer() {
        let mut rest = None;
        let mut now = Millis(1_000_000);
        let mut seen = vec![];
        for _ in 0..6 {
            let next = Cooldown::after(rest.as_ref(), Trouble::RateLimit, None, now);
            seen.push(next.until.since(now) / 1000);
            now = next.until;
            rest = Some(next);
        }
        assert_eq!(seen, [1, 5, 30, 300, 1800, 1800]);
        let other = Cooldown::after(rest.as_ref(), Trouble::Overload, None, now);
        assert_eq!((other.failures, other.until), (1, now.plus(1_000)));
    }

    #[test]
    fn failures_side_by_side_are_one_and_the_providers_word_counts() {
        let now = Millis(5_000);
        let first = Cooldown::after(None, Trouble::RateLimit, Some(60_000), now);
        assert_eq!(first.until, Millis(65_000));
        let beside = Cooldown::after(Some(&first), Trouble::RateLimit, Some(90_000), now.plus(10));
        assert_eq!((beside.failures, beside.until), (1, Millis(95_010)));
    }
}
