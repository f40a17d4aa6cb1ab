//! Paying for services: what costs money and is no answer of a model. What a call may cost at most is reserved before
//! it, what it did cost is settled after it; a call whose price would pass a limit is not made.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::model::Usage;
use crate::spend::{NanoDollars, Reservation};

/// What money is spent on. Each kind but the first is paid by a unit of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Service {
    /// Answers of models, by their tokens.
    Models,
    /// Speech that is made, by characters that are said.
    Speech,
    /// Voice notes that are written down, by seconds.
    Transcripts,
    /// Pictures that are made, by thousandths of a megapixel.
    Pictures,
    /// The meaning of notes and questions, by tokens.
    Embeddings,
    /// Searches of the web, by searches.
    Searches,
}

impl Service {
    /// Its name, as in configuration.
    pub fn name(self) -> &'static str {
        match self {
            Self::Models => "models",
            Self::Speech => "speech",
            Self::Transcripts => "transcripts",
            Self::Pictures => "pictures",
            Self::Embeddings => "embeddings",
            Self::Searches => "searches",
        }
    }
}

/// What one provider takes for one service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tariff {
    /// The service.
    pub service: Service,
    /// `provider/model`, for people.
    pub name: String,
    /// The price of a thousand units; `None` if nobody knows.
    pub price: Option<NanoDollars>,
}

impl Tariff {
    /// What so many units cost, rounded up; nothing if nobody knows.
    pub fn cost(&self, units: u64) -> NanoDollars {
        let cost = u128::from(self.price.unwrap_or_default()).saturating_mul(units.into()).div_ceil(1000);
        u64::try_from(cost).unwrap_or(u64::MAX)
    }

    /// The tokens among so many units.
    pub fn usage(&self, units: u64) -> Usage {
        let input = if self.service == Service::Embeddings { units } else { 0 };
        Usage { input, ..Usage::default() }
    }
}

/// Why a call is not made, for whoever wanted it. Names no amount and no person.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Declined {
    /// It might cost more than a limit leaves. Tomorrow there is a new one.
    #[error("today's limit on spending leaves too little for it; it ends at midnight")]
    Limit,
    /// The owner has halted all spending.
    #[error("all spending is halted")]
    Halted,
    /// There is a limit, and nobody knows what this costs: the owner has to say it.
    #[error("spending is limited and nobody knows what {name} costs; the owner can write it at spend.prices.{service}")]
    Unpriced {
        /// `provider/model`.
        name: String,
        /// The service's name.
        service: &'static str,
    },
    /// The counters are out of reach: the same may succeed later.
    #[error("the counters of spending are out of reach; try again later")]
    Unreachable,
}

/// Pays for the services of one turn, or of one command of the owner.
#[async_trait]
pub trait Purse: Send + Sync {
    /// Reserves what so many units cost. What is reserved and never settled counts until the day is over.
    async fn reserve(&self, tariff: &Tariff, units: u64) -> Result<Reservation, Declined>;

    /// Counts what was used of a reservation. What cannot be counted stays reserved.
    async fn settle(&self, tariff: &Tariff, reservation: Reservation, units: u64);
}

/// Pays for nothing: for whoever has no counters at hand.
pub struct Shut;

#[async_trait]
impl Purse for Shut {
    async fn reserve(&self, _: &Tariff, _: u64) -> Result<Reservation, Declined> {
        Err(Declined::Unreachable)
    }

    async fn settle(&self, _: &Tariff, _: Reservation, _: u64) {}
}

/// Makes a call of at most `most` units. It answers with how many it used, failed or not; if it is dropped on the way
/// nobody knows, and all of them count.
pub async fn paid<T, E: From<Declined>>(
    purse: &dyn Purse,
    tariff: &Tariff,
    most: u64,
    call: impl Future<Output = (Result<T, E>, u64)>,
) -> Result<T, E> {
    let reservation = purse.reserve(tariff, most).await?;
    let (result, used) = call.await;
    purse.settle(tariff, reservation, used).await;
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_cost_what_a_thousand_of_them_do_rounded_up() {
        let tariff = |service, price| Tariff { service, name: "p/m".into(), price };
        assert_eq!(tariff(Service::Speech, Some(15_000_000)).cost(2_000), 30_000_000);
        assert_eq!(tariff(Service::Speech, Some(1)).cost(1), 1);
        assert_eq!(tariff(Service::Speech, Some(u64::MAX)).cost(u64::MAX), u64::MAX);
        assert_eq!(tariff(Service::Speech, None).cost(7), 0);
        assert_eq!(tariff(Service::Embeddings, None).usage(7).input, 7);
        assert_eq!(tariff(Service::Transcripts, None).usage(7), Usage::default());
    }
}
