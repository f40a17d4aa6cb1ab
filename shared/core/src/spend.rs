//! Money: what a call costs, and the port that reserves it before it is spent.
//!
//! One row for each tenant and day holds the counters of everybody in it, so that one conditional write reserves the
//! worst case of a call under every limit at once, and one settles it. A reservation has a name: reserving or settling
//! twice under one name changes nothing the second time. One that is never settled (its process died) stays counted at
//! its worst case until the day is over: the limit holds whatever dies.

use std::collections::BTreeMap;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::clock::Millis;
use crate::model::Usage;
use crate::purse::Service;
use crate::session::StoreError;

/// Billionths of a dollar.
pub type NanoDollars = u64;

/// What a model costs, in [`NanoDollars`] for a thousand tokens: $3 for a million tokens is 3,000,000.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Price {
    /// Fresh input.
    pub input: NanoDollars,
    /// Output, reasoning included.
    pub output: NanoDollars,
    /// Input read from the provider's cache.
    pub cache_read: NanoDollars,
    /// Input written to the provider's cache.
    pub cache_write: NanoDollars,
}

impl Price {
    /// What these tokens cost, rounded up.
    pub fn of(&self, usage: &Usage) -> NanoDollars {
        let Self { input, output, cache_read, cache_write } = self;
        let parts = [
            (usage.input, input),
            (usage.output, output),
            (usage.cache_read, cache_read),
            (usage.cache_write, cache_write),
        ];
        let total = parts.iter().fold(0u128, |sum, (tokens, price)| {
            sum.saturating_add(u128::from(*tokens).saturating_mul(u128::from(**price)))
        });
        u64::try_from(total.div_ceil(1000)).unwrap_or(u64::MAX)
    }

    /// The most a call can cost: all input at the dearest price of input.
    pub fn worst(&self, input_tokens: u64, output_tokens: u64) -> NanoDollars {
        let input = self.input.max(self.cache_write).max(self.cache_read);
        Self { input, ..*self }.of(&Usage { input: input_tokens, output: output_tokens, ..Usage::default() })
    }
}

/// What is counted apart.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "scope", content = "id")]
pub enum Scope {
    /// Everything of the tenant.
    All,
    /// One agent.
    Agent(String),
    /// One channel; `none` for turns that came through none.
    Channel(String),
    /// One person, by channel and platform id or the name that joins their ids.
    User(String),
    /// One kind of what is paid for.
    Service(Service),
}

/// A day of a tenant.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Day {
    /// The tenant; `default` where there is one.
    pub tenant: String,
    /// The day in the owner's zone, as in `2026-11-21`.
    pub date: String,
}

/// A wish to spend.
#[derive(Clone, Debug, PartialEq)]
pub struct Reservation {
    /// The same for every repetition of this request, different for every other model call: 1 to 64 letters, digits, `-`.
    pub name: String,
    /// When it counts.
    pub day: Day,
    /// Whom it counts for, each with the limit of the day if it has one.
    pub scopes: BTreeMap<Scope, Option<NanoDollars>>,
    /// The worst case.
    pub amount: NanoDollars,
    /// Now.
    pub at: Millis,
}

/// The answer to a [`Reservation`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reserved {
    /// Go on. What is spent and reserved now, by scope.
    Granted(BTreeMap<Scope, NanoDollars>),
    /// A limit would be exceeded: nothing was changed.
    Refused {
        /// Whose limit.
        scope: Scope,
        /// What is spent and reserved already.
        taken: NanoDollars,
        /// The limit.
        limit: NanoDollars,
    },
    /// The owner has halted all spending: nothing was changed.
    Halted,
}

/// What a reserved call did cost in the end.
#[derive(Clone, Debug, PartialEq)]
pub struct Settlement {
    /// The reservation; its name, day and scopes must be those that were reserved.
    pub reservation: Reservation,
    /// What it cost.
    pub spent: NanoDollars,
    /// The tokens.
    pub usage: Usage,
}

/// What was spent in one scope on one day.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Spending {
    /// Spent for good.
    pub spent: NanoDollars,
    /// Reserved and not settled.
    pub reserved: NanoDollars,
    /// Settled calls.
    pub calls: u64,
    /// Their tokens.
    pub usage: Usage,
}

/// Keeps the counters. Rows expire after ninety days at the earliest.
#[async_trait]
pub trait SpendStore: Send + Sync {
    /// One conditional write. Concurrent reservations never exceed a limit together. The same name twice on one day
    /// counts once and is granted again.
    async fn reserve(&self, reservation: &Reservation) -> Result<Reserved, StoreError>;

    /// One conditional write: takes the reservation away and counts what was spent. A reservation that is not there
    /// (settled before) changes nothing. Answers with what is spent for good in each scope after this settlement, in the
    /// same step, so that of all who settle exactly one sees a sum crossed; empty if nothing was changed.
    async fn settle(&self, settlement: &Settlement) -> Result<BTreeMap<Scope, NanoDollars>, StoreError>;

    /// One plain write: counts a call that was not reserved, because no limit applies to any of its scopes. The same
    /// name twice may count twice: nothing depends on the sum.
    async fn count(&self, settlement: &Settlement) -> Result<(), StoreError>;

    /// What was spent, by scope; empty for a day without any. Consistent.
    async fn spending(&self, day: &Day) -> Result<BTreeMap<Scope, Spending>, StoreError>;

    /// Halts all spending of a tenant, or lets it go on: seen by every reservation that begins after this returned, on
    /// any day.
    async fn halt(&self, tenant: &str, halted: bool) -> Result<(), StoreError>;

    /// Whether spending is halted.
    async fn halted(&self, tenant: &str) -> Result<bool, StoreError>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_costs_what_its_tokens_cost_and_never_more_than_its_worst_case() {
        let price = Price { input: 3_000_000, output: 15_000_000, cache_read: 300_000, cache_write: 3_750_000 };
        let usage = Usage { input: 1_000, output: 100, cache_read: 10_000, cache_write: 1 };
        // 3 + 1.5 + 3 thousandths of a dollar and a little, in billionths.
        assert_eq!(price.of(&usage), 3_000_000 + 1_500_000 + 3_000_000 + 3_750);
        assert!(price.worst(11_001, 100) >= price.of(&usage));
        assert_eq!(Price::default().of(&usage), 0);
        assert_eq!(Price { input: 1, ..Price::default() }.of(&Usage { input: 1, ..Usage::default() }), 1, "rounded up");
    }
}
