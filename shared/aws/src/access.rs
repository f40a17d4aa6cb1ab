//! Pairing and approvals as rows of the table: one row for each approved sender, and one row with all requests that
//! wait on an account. The latter is changed only if it still is as it was read, so that strangers asking at once
//! cannot pass the limit and a code is used once.

use async_trait::async_trait;
use chela_core::access::{AccessStore, PAIRING_PENDING_MAX, PAIRING_VALID_MS, Pairing, PairingRequest, SenderRef};
use chela_core::clock::Millis;
use chela_core::session::StoreError;

use crate::item::{Item, Key, Row, number, text};
use crate::table::{Table, Written};

/// Rounds of read and conditional write. The row takes few changes before it is full, so a writer that lost this
/// often is not racing but failing.
const ROUNDS: usize = 2 * PAIRING_PENDING_MAX + 2;

#[async_trait]
impl AccessStore for Table {
    async fn approved(&self, who: &SenderRef) -> Result<bool, StoreError> {
        Ok(self.get(&Key::approval(who)).await?.is_some())
    }

    async fn request_pairing(&self, who: &SenderRef, code: &str, now: Millis) -> Result<Pairing, StoreError> {
        for _ in 0..ROUNDS {
            let waiting = self.waiting(&who.channel, &who.account, now).await?;
            if waiting.requests.iter().any(|request| request.who == *who) {
                return Ok(Pairing::Waiting);
            }
            if waiting.requests.len() >= PAIRING_PENDING_MAX {
                return Ok(Pairing::Full);
            }
            let request = PairingRequest { code: code.to_owned(), who: who.clone(), at: now };
            let mut requests = waiting.requests;
            requests.push(request.clone());
            if self.replace(&waiting.key, waiting.seen, &requests).await? {
                return Ok(Pairing::New(request));
            }
        }
        Err(busy(&who.channel, &who.account))
    }

    async fn pending(&self, channel: &str, account: &str, now: Millis) -> Result<Vec<PairingRequest>, StoreError> {
        Ok(self.waiting(channel, account, now).await?.requests)
    }

    async fn approve(
        &self,
        channel: &str,
        account: &str,
        code: &str,
        now: Millis,
    ) -> Result<Option<SenderRef>, StoreError> {
        for _ in 0..ROUNDS {
            let waiting = self.waiting(channel, account, now).await?;
            let (approved, others): (Vec<_>, Vec<_>) = waiting.requests.into_iter().partition(|r| r.code == code);
            let Some(PairingRequest { who, .. }) = approved.into_iter().next() else { return Ok(None) };
            // First the approval: whoever stops between the two writes leaves a code that can be approved again.
            self.put(Key::approval(&who).item()).await?;
            if self.replace(&waiting.key, waiting.seen, &others).await? {
                return Ok(Some(who));
            }
        }
        Err(busy(channel, account))
    }
}

/// The requests of an account that can still be approved, and the row they were read from.
struct Waiting {
    key: Key,
    requests: Vec<PairingRequest>,
    seen: Option<String>,
}

impl Table {
    async fn waiting(&self, channel: &str, account: &str, now: Millis) -> Result<Waiting, StoreError> {
        let key = Key::pairing(channel, account);
        let Some(item) = self.get(&key).await? else {
            return Ok(Waiting { key, requests: Vec::new(), seen: None });
        };
        let mut requests: Vec<PairingRequest> = Row(&item).body()?;
        requests.retain(|request| now < request.at.plus(PAIRING_VALID_MS));
        Ok(Waiting { key, requests, seen: Row(&item).text("j").map(str::to_owned) })
    }

    /// Takes back the request of a sender. `true` if there was one.
    pub(crate) async fn withdraw(&self, who: &SenderRef) -> Result<bool, StoreError> {
        for _ in 0..ROUNDS {
            let waiting = self.waiting(&who.channel, &who.account, Millis(0)).await?;
            let (theirs, others): (Vec<_>, Vec<_>) = waiting.requests.into_iter().partition(|r| r.who == *who);
            if theirs.is_empty() {
                return Ok(false);
            }
            if self.replace(&waiting.key, waiting.seen, &others).await? {
                return Ok(true);
            }
        }
        Err(busy(&who.channel, &who.account))
    }

    /// Whether the row still was as `seen`; then it now holds `requests`.
    async fn replace(&self, key: &Key, seen: Option<String>, requests: &[PairingRequest]) -> Result<bool, StoreError> {
        let json = serde_json::to_string(requests).map_err(|error| StoreError::Damaged(error.to_string()))?;
        let end = requests.iter().map(|request| request.at.plus(PAIRING_VALID_MS)).max().unwrap_or_default();
        let mut item = key.item();
        item.insert("j".to_owned(), text(json));
        item.insert("ttl".to_owned(), number(end.seconds().saturating_add(1)));
        let written = match seen {
            None => self.put_if(item, "attribute_not_exists(pk)", Item::new()).await?,
            Some(seen) => self.put_if(item, "j = :seen", Item::from([(":seen".to_owned(), text(seen))])).await?,
        };
        Ok(matches!(written, Written::Done))
    }
}

fn busy(channel: &str, account: &str) -> StoreError {
    StoreError::Unavailable(format!("the pairing requests of {channel}/{account} change too fast; try again"))
}
