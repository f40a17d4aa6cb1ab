//! A purse that holds so much, and remembers what was asked of it.

use std::collections::BTreeMap;
use std::sync::Mutex;

use async_trait::async_trait;
use chela_core::clock::Millis;
use chela_core::purse::{Declined, Purse, Service, Tariff};
use chela_core::spend::{Day, NanoDollars, Reservation};

/// What was paid: the service, units that were reserved, units that were used.
pub type Paid = (Service, u64, u64);

/// A purse for one test.
pub struct Till {
    holds: Mutex<NanoDollars>,
    reserved: Mutex<Vec<u64>>,
    paid: Mutex<Vec<Paid>>,
}

impl Till {
    /// One with so much in it.
    pub fn holding(amount: NanoDollars) -> Self {
        Self { holds: Mutex::new(amount), reserved: Mutex::default(), paid: Mutex::default() }
    }

    /// One that pays for everything.
    pub fn full() -> Self {
        Self::holding(NanoDollars::MAX)
    }

    /// What was paid, in order.
    pub fn paid(&self) -> Vec<Paid> {
        self.paid.lock().unwrap().clone()
    }
}

#[async_trait]
impl Purse for Till {
    async fn reserve(&self, tariff: &Tariff, units: u64) -> Result<Reservation, Declined> {
        let amount = tariff.cost(units);
        let mut holds = self.holds.lock().unwrap();
        *holds = holds.checked_sub(amount).ok_or(Declined::Limit)?;
        let mut reserved = self.reserved.lock().unwrap();
        reserved.push(units);
        let name = (reserved.len() - 1).to_string();
        let day = Day { tenant: "test".into(), date: "2026-11-21".into() };
        Ok(Reservation { name, day, scopes: BTreeMap::new(), amount, at: Millis(0) })
    }

    async fn settle(&self, tariff: &Tariff, reservation: Reservation, units: u64) {
        let reserved = self.reserved.lock().unwrap()[reservation.name.parse::<usize>().unwrap()];
        *self.holds.lock().unwrap() += reservation.amount - tariff.cost(units).min(reservation.amount);
        self.paid.lock().unwrap().push((tariff.service, reserved, units));
    }
}
