//! Ports in memory, for worlds that are made by the thousand. They pass the laws of their ports.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use async_trait::async_trait;
use chela_core::agent_id::AgentId;
use chela_core::approval::{ApprovalStore, Request, Rule, State};
use chela_core::audit::{AuditLog, Record};
use chela_core::clock::Millis;
use chela_core::cooldown::{Cooldown, CooldownStore};
use chela_core::directory::{Directory, Home, Listing, Wishes};
use chela_core::session::{Put, StoreError};
use chela_core::session_key::SessionKey;
use chela_core::spend::{Day, NanoDollars, Reservation, Reserved, Scope, Settlement, SpendStore, Spending};

/// Counters of money.
#[derive(Default)]
pub struct MemorySpend {
    books: Mutex<Books>,
}

#[derive(Default)]
struct Books {
    days: BTreeMap<Day, BTreeMap<Scope, Spending>>,
    open: BTreeMap<(Day, String), NanoDollars>,
    halted: BTreeSet<String>,
}

impl Books {
    fn enter(&mut self, settlement: &Settlement, reserved: NanoDollars) -> BTreeMap<Scope, NanoDollars> {
        let Settlement { reservation: wish, spent, usage } = settlement;
        let day = self.days.entry(wish.day.clone()).or_default();
        let enter = |scope: &Scope| {
            let it = day.entry(scope.clone()).or_default();
            it.reserved -= reserved;
            it.spent += spent;
            it.calls += 1;
            it.usage.input += usage.input;
            it.usage.output += usage.output;
            it.usage.cache_read += usage.cache_read;
            it.usage.cache_write += usage.cache_write;
            (scope.clone(), it.spent)
        };
        wish.scopes.keys().map(enter).collect()
    }
}

#[async_trait]
impl SpendStore for MemorySpend {
    async fn reserve(&self, wish: &Reservation) -> Result<Reserved, StoreError> {
        let mut books = self.books.lock().unwrap();
        if books.halted.contains(&wish.day.tenant) {
            return Ok(Reserved::Halted);
        }
        let known = books.open.contains_key(&(wish.day.clone(), wish.name.clone()));
        let amount = if known { 0 } else { wish.amount };
        let day = books.days.entry(wish.day.clone()).or_default();
        let mut granted = BTreeMap::new();
        for (scope, limit) in &wish.scopes {
            let taken = day.get(scope).map_or(0, |it| it.spent + it.reserved);
            if let Some(limit) = limit.filter(|limit| !known && taken + amount > *limit) {
                return Ok(Reserved::Refused { scope: scope.clone(), taken, limit });
            }
            granted.insert(scope.clone(), taken + amount);
        }
        wish.scopes.keys().for_each(|scope| day.entry(scope.clone()).or_default().reserved += amount);
        if !known {
            books.open.insert((wish.day.clone(), wish.name.clone()), amount);
        }
        Ok(Reserved::Granted(granted))
    }

    async fn settle(&self, settlement: &Settlement) -> Result<BTreeMap<Scope, NanoDollars>, StoreError> {
        let wish = &settlement.reservation;
        let mut books = self.books.lock().unwrap();
        let Some(reserved) = books.open.remove(&(wish.day.clone(), wish.name.clone())) else {
            return Ok(BTreeMap::new());
        };
        Ok(books.enter(settlement, reserved))
    }

    async fn count(&self, settlement: &Settlement) -> Result<(), StoreError> {
        self.books.lock().unwrap().enter(settlement, 0);
        Ok(())
    }

    async fn spending(&self, day: &Day) -> Result<BTreeMap<Scope, Spending>, StoreError> {
        Ok(self.books.lock().unwrap().days.get(day).cloned().unwrap_or_default())
    }

    async fn halt(&self, tenant: &str, halted: bool) -> Result<(), StoreError> {
        let known = &mut self.books.lock().unwrap().halted;
        if halted {
            known.insert(tenant.to_owned())
        } else {
            known.remove(tenant)
        };
        Ok(())
    }

    async fn halted(&self, tenant: &str) -> Result<bool, StoreError> {
        Ok(self.books.lock().unwrap().halted.contains(tenant))
    }
}

/// Rests of credentials.
#[derive(Default)]
pub struct MemoryCooldowns {
    rests: Mutex<BTreeMap<String, Cooldown>>,
}

#[async_trait]
impl CooldownStore for MemoryCooldowns {
    async fn cooldowns(&self) -> Result<BTreeMap<String, Cooldown>, StoreError> {
        Ok(self.rests.lock().unwrap().clone())
    }

    async fn rest(&self, profile: &str, cooldown: &Cooldown) -> Result<(), StoreError> {
        self.rests.lock().unwrap().insert(profile.to_owned(), *cooldown);
        Ok(())
    }

    async fn recover(&self, profile: &str) -> Result<(), StoreError> {
        self.rests.lock().unwrap().remove(profile);
        Ok(())
    }
}

/// Listings and wishes.
#[derive(Default)]
pub struct MemoryDirectory {
    listings: Mutex<BTreeMap<String, Listing>>,
    wishes: Mutex<BTreeMap<String, Wishes>>,
    homes: Mutex<BTreeMap<String, Home>>,
}

impl MemoryDirectory {
    fn newest(&self, wanted: impl Fn(&Listing) -> bool, limit: usize) -> Vec<Listing> {
        let listings = self.listings.lock().unwrap();
        let mut found: Vec<Listing> = listings.values().filter(|listing| wanted(listing)).cloned().collect();
        found.sort_by_key(|listing| std::cmp::Reverse(listing.began));
        found.truncate(limit);
        found
    }
}

#[async_trait]
impl Directory for MemoryDirectory {
    async fn list(&self, listing: &Listing) -> Result<(), StoreError> {
        self.listings.lock().unwrap().insert(listing.session.as_str().to_owned(), listing.clone());
        Ok(())
    }

    async fn listed(&self, agent: &AgentId, limit: usize) -> Result<Vec<Listing>, StoreError> {
        Ok(self.newest(|listing| listing.agent == *agent, limit))
    }

    async fn children(&self, parent: &SessionKey, limit: usize) -> Result<Vec<Listing>, StoreError> {
        Ok(self.newest(|listing| listing.parent.as_ref() == Some(parent), limit))
    }

    async fn wishes(&self, session: &SessionKey) -> Result<Wishes, StoreError> {
        Ok(self.wishes.lock().unwrap().get(session.as_str()).cloned().unwrap_or_default())
    }

    async fn wish(&self, session: &SessionKey, wishes: &Wishes) -> Result<(), StoreError> {
        self.wishes.lock().unwrap().insert(session.as_str().to_owned(), wishes.clone());
        Ok(())
    }

    async fn note_home(&self, place: &str, home: &Home, _: Millis) -> Result<(), StoreError> {
        self.homes.lock().unwrap().insert(place.to_owned(), home.clone());
        Ok(())
    }

    async fn home(&self, place: &str) -> Result<Option<Home>, StoreError> {
        Ok(self.homes.lock().unwrap().get(place).cloned())
    }
}

/// Calls that wait for consent, and who agreed to what.
#[derive(Default)]
pub struct MemoryApprovals {
    requests: Mutex<BTreeMap<String, Request>>,
    rules: Mutex<BTreeMap<String, Rule>>,
    log: Mutex<BTreeMap<(String, u64), Record>>,
}

#[async_trait]
impl ApprovalStore for MemoryApprovals {
    async fn ask(&self, request: &Request) -> Result<Put<Request>, StoreError> {
        let mut requests = self.requests.lock().unwrap();
        if let Some(theirs) = requests.get(&request.id) {
            return Ok(Put::Exists(theirs.clone()));
        }
        requests.insert(request.id.clone(), request.clone());
        Ok(Put::Stored)
    }

    async fn request(&self, id: &str) -> Result<Option<Request>, StoreError> {
        Ok(self.requests.lock().unwrap().get(id).cloned())
    }

    async fn change(&self, seen: &Request, becomes: &Request) -> Result<bool, StoreError> {
        let mut requests = self.requests.lock().unwrap();
        let unchanged = requests.get(&seen.id) == Some(seen);
        if unchanged {
            requests.insert(seen.id.clone(), becomes.clone());
        }
        Ok(unchanged)
    }

    async fn waiting(&self) -> Result<Vec<Request>, StoreError> {
        let requests = self.requests.lock().unwrap();
        let mut waiting: Vec<_> = requests.values().filter(|it| it.state == State::Waiting).cloned().collect();
        waiting.sort_by_key(|request| std::cmp::Reverse(request.asked_at));
        Ok(waiting)
    }

    async fn remember(&self, rule: &Rule) -> Result<(), StoreError> {
        self.rules.lock().unwrap().insert(rule.id.clone(), rule.clone());
        Ok(())
    }

    async fn forget(&self, id: &str) -> Result<bool, StoreError> {
        Ok(self.rules.lock().unwrap().remove(id).is_some())
    }

    async fn rules(&self) -> Result<Vec<Rule>, StoreError> {
        Ok(self.rules.lock().unwrap().values().cloned().collect())
    }
}

#[async_trait]
impl AuditLog for MemoryApprovals {
    async fn record(&self, tenant: &str, record: &Record) -> Result<Put<Record>, StoreError> {
        let mut log = self.log.lock().unwrap();
        let place = (tenant.to_owned(), record.number);
        if let Some(theirs) = log.get(&place) {
            return Ok(Put::Exists(theirs.clone()));
        }
        log.insert(place, record.clone());
        Ok(Put::Stored)
    }

    async fn records(&self, tenant: &str, before: u64, limit: usize) -> Result<Vec<Record>, StoreError> {
        let log = self.log.lock().unwrap();
        let own = log.range((tenant.to_owned(), 0)..(tenant.to_owned(), before));
        Ok(own.rev().take(limit).map(|(_, record)| record.clone()).collect())
    }
}
