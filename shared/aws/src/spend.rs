//! Money as rows of the table: one row for each tenant and day, so that a reservation is one conditional write under
//! every limit at once, and a settlement another.
//!
//! Each number of each scope is an attribute of the day's row, named by a letter and the scope's mark; conditions cannot
//! add two attributes, so what is taken (spent or reserved) is kept as one number beside what is spent. Each open
//! reservation is an attribute, too: it is what makes a repetition one.
//!
//! # How many persons a day holds
//!
//! A row takes 400 KB, and each write is billed by the whole of it. So a day knows [`PERSONS`] of its persons one by one
//! (their marks are a set of the row); those who come later are counted in a few groups, each with the limit of one
//! person. Whoever can be many strangers stops the others of their group, and nobody who was there before.
//!
//! # How a halt is seen at once, on any day
//!
//! A reservation looks at one row, so the halt must stand in that row, and nobody knows which days there will be. There
//! is one row beside the days that says whether spending is halted and counts the changes of that, the *gate*. A day's
//! row takes reservations only when it bears a copy of it.
//!
//! - A halt changes the gate, **then** asks for all days, and copies the gate into each.
//! - Whoever needs a day makes its row without a copy, **then** reads the gate, and copies it.
//!
//! All reads are consistent, so at least one of the two sees what the other wrote first: a day that the halt does not
//! find was made after the halt asked, and so reads a gate that is changed already. A copy replaces only one of an
//! earlier change, so that of halts and resumptions that cross the last one stands everywhere. It costs the first call
//! of a day four more requests and all others none.

use std::collections::BTreeMap;

use async_trait::async_trait;
use aws_sdk_dynamodb::types::AttributeValue;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chela_core::clock::Millis;
use chela_core::model::Usage;
use chela_core::session::StoreError;
use chela_core::spend::{Day, NanoDollars, Reservation, Reserved, Scope, Settlement, SpendStore, Spending};
use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use sha2::{Digest, Sha256};

use crate::change::Change;
use crate::item::{Item, Key, Row, number, text};
use crate::session::json;
use crate::table::Table;

/// Ninety days from the end of a day, which is another elsewhere on earth.
const KEPT_S: u64 = 92 * 24 * 60 * 60;

/// Days that a halt is copied into at once.
const COPIES: usize = 16;

/// How many changes of the gate the row has seen.
const VERSION: &str = "v";

/// There while spending is halted.
const HALTED: &str = "h";

/// The marks of persons that are counted one by one.
const PERSONS: &str = "p";

/// As many are.
const MOST_PERSONS: u64 = 1_000;

/// The groups of those who come later.
const GROUPS: u8 = 64;

/// Begins the attributes of open reservations.
const RESERVED: char = 'r';

// What is known of a scope. A mark has eleven characters, so none of these meets `ttl`, a key, or what stands above.
const SCOPE: char = 'j';
const TAKEN: char = 't';
const SPENT: char = 's';
const CALLS: char = 'n';
const INPUT: char = 'i';
const OUTPUT: char = 'o';
const CACHE_READ: char = 'c';
const CACHE_WRITE: char = 'w';

#[async_trait]
impl SpendStore for Table {
    async fn reserve(&self, wish: &Reservation) -> Result<Reserved, StoreError> {
        let mut scopes = counted(wish, false)?;
        // The second time the day is open, the third time it is known to be crowded.
        for _ in 0..3 {
            let row = match self.change(&Key::day(&wish.day), reserving(wish, &scopes)).await? {
                Ok(now) => return granted(&scopes, &now),
                Err(row) => row,
            };
            let crowded = is_crowded(&row, &scopes);
            if crowded {
                scopes = counted(wish, true)?;
            }
            if let Some(answer) = answered(wish, &scopes, &row)? {
                return Ok(answer);
            }
            if !crowded {
                self.open(&wish.day, wish.at).await?;
            }
        }
        Err(StoreError::Unavailable(format!("the day {} cannot be opened for spending; try again", wish.day.date)))
    }

    async fn settle(&self, settlement: &Settlement) -> Result<BTreeMap<Scope, NanoDollars>, StoreError> {
        let wish = &settlement.reservation;
        let mut scopes = counted(wish, false)?;
        let mut reserved = wish.amount;
        loop {
            let row = match self.change(&Key::day(&wish.day), settling(settlement, &scopes, reserved)).await? {
                Ok(now) => {
                    let spent = scopes.iter().map(|it| Ok((it.scope.clone(), count(&now, SPENT, &it.mark)?)));
                    return spent.collect();
                }
                Err(row) => row,
            };
            // The row knows best what was reserved, and for whom; as a rule the settlement does, too.
            let in_a_group = scopes.iter().any(|it| it.person && !row.contains_key(&it.attribute(SCOPE)));
            match open_reservation(&row, &wish.name)? {
                Some(amount) if amount != reserved || in_a_group => reserved = amount,
                _ => return Ok(BTreeMap::new()),
            }
            if in_a_group {
                scopes = counted(wish, true)?;
            }
        }
    }

    async fn count(&self, settlement: &Settlement) -> Result<(), StoreError> {
        let Settlement { reservation, spent, .. } = settlement;
        for crowded in [false, true] {
            let mut change = Change::default();
            // The day may have no row yet. One that is made here takes no reservations before it was opened.
            change.set_first("ttl", number(reservation.at.seconds().saturating_add(KEPT_S)));
            for scope in counted(reservation, crowded)? {
                scope.name(&mut change);
                change.add(&scope.attribute(TAKEN), number(*spent));
                counting(&mut change, &scope.mark, settlement);
            }
            // It is refused only where there is no room for one more person.
            if self.change(&Key::day(&reservation.day), change).await?.is_ok() {
                break;
            }
        }
        Ok(())
    }

    async fn spending(&self, day: &Day) -> Result<BTreeMap<Scope, Spending>, StoreError> {
        let row = self.get(&Key::day(day)).await?.unwrap_or_default();
        let marks = row.keys().filter_map(|name| name.strip_prefix(SCOPE));
        marks.map(|mark| Ok((scope(&row, mark)?, spending(&row, mark)?))).collect()
    }

    async fn halt(&self, tenant: &str, halted: bool) -> Result<(), StoreError> {
        let mut change = Change::default();
        change.add(VERSION, number(1));
        mark(&mut change, halted);
        let Ok(gate) = self.change(&Key::gate(tenant), change).await? else {
            return Err(StoreError::Unavailable("a change without a condition was refused".to_owned()));
        };
        let version = Row(&gate).number(VERSION)?;
        let days = self.days(tenant).await?;
        let copies = stream::iter(days).map(|day| async move { self.copy(&day, version, halted).await });
        copies.buffer_unordered(COPIES).try_collect().await
    }

    async fn halted(&self, tenant: &str) -> Result<bool, StoreError> {
        Ok(self.get(&Key::gate(tenant)).await?.is_some_and(|gate| gate.contains_key(HALTED)))
    }
}

impl Table {
    /// Makes the row of a day that has none, and copies the gate into it: in this order.
    async fn open(&self, day: &Day, at: Millis) -> Result<(), StoreError> {
        let key = Key::day(day);
        let mut made = Change::default();
        made.set_first("ttl", number(at.seconds().saturating_add(KEPT_S)));
        // Without a condition there is no refusal.
        let _ = self.change(&key, made).await?;
        let gate = self.get(&Key::gate(&day.tenant)).await?.unwrap_or_default();
        self.copy(&key, Row(&gate).number(VERSION)?, gate.contains_key(HALTED)).await
    }

    /// Writes what the gate says into a day's row that has seen no later change of it.
    async fn copy(&self, day: &Key, version: u64, halted: bool) -> Result<(), StoreError> {
        let mut change = Change::default();
        change.set(VERSION, number(version));
        mark(&mut change, halted);
        // A row that expired in the meantime is not made anew.
        change.if_there("pk");
        change.if_missing_or(VERSION, "<", number(version));
        self.change(day, change).await.map(drop)
    }

    /// Where the days of a tenant are.
    async fn days(&self, tenant: &str) -> Result<Vec<Key>, StoreError> {
        let gate = Key::gate(tenant);
        let query = self
            .client
            .query()
            .table_name(&self.name)
            .key_condition_expression("pk = :pk AND begins_with(sk, :day)")
            .expression_attribute_values(":pk", text(&gate.pk))
            .expression_attribute_values(":day", text(Key::DAY))
            .projection_expression("pk, sk")
            .consistent_read(true);
        let rows = self.rows(query).await?;
        let key = |row| Row(row).text("sk").map(|sk| Key { pk: gate.pk.clone(), sk: sk.to_owned() });
        Ok(rows.iter().filter_map(key).collect())
    }
}

fn mark(change: &mut Change, halted: bool) {
    if halted {
        change.set(HALTED, number(1));
    } else {
        change.remove(HALTED);
    }
}

/// A scope, what its attributes are named by, and its limit.
struct Counted<'a> {
    scope: &'a Scope,
    mark: String,
    json: String,
    limit: Option<NanoDollars>,
    /// Whether it is a person who is counted by themselves.
    person: bool,
}

impl Counted<'_> {
    fn attribute(&self, letter: char) -> String {
        format!("{letter}{}", self.mark)
    }

    /// Notes whose numbers these are, if there is room for them.
    fn name(&self, change: &mut Change) {
        change.set_first(&self.attribute(SCOPE), text(&self.json));
        if self.person {
            change.if_in_or_fewer(PERSONS, &self.mark, MOST_PERSONS);
            change.add(PERSONS, AttributeValue::Ss(vec![self.mark.clone()]));
        }
    }
}

/// The scopes of a wish; in a row that is `crowded` persons are counted in groups.
fn counted(wish: &Reservation, crowded: bool) -> Result<Vec<Counted<'_>>, StoreError> {
    let mut scopes: Vec<Counted<'_>> = Vec::new();
    for (scope, limit) in &wish.scopes {
        let person = matches!(scope, Scope::User(_));
        let json = match scope {
            Scope::User(id) if crowded => json(&Scope::User(group(id)))?,
            scope => json(scope)?,
        };
        let mark = mark_of(&json);
        if scopes.iter().all(|known| known.mark != mark) {
            scopes.push(Counted { scope, mark, json, limit: *limit, person: person && !crowded });
        }
    }
    Ok(scopes)
}

/// The group of a person who came late.
fn group(id: &str) -> String {
    let first = Sha256::digest(id.as_bytes()).first().copied().unwrap_or_default();
    format!("(others {:02})", first % GROUPS)
}

/// Whether a row has no room for a person of these scopes.
fn is_crowded(row: &Item, scopes: &[Counted<'_>]) -> bool {
    let known = row.get(PERSONS).and_then(|persons| persons.as_ss().ok()).map_or(&[][..], Vec::as_slice);
    let full = u64::try_from(known.len()).is_ok_and(|count| count >= MOST_PERSONS);
    full && scopes.iter().any(|it| it.person && !known.contains(&it.mark))
}

/// Eleven characters for a scope of any length: few enough to be billed seven times, enough that of all scopes of a day
/// no two meet, and nobody can find a name that counts for somebody else.
fn mark_of(json: &str) -> String {
    let digest = Sha256::digest(json.as_bytes());
    URL_SAFE_NO_PAD.encode(digest.iter().copied().take(8).collect::<Vec<u8>>())
}

fn reserving(wish: &Reservation, scopes: &[Counted<'_>]) -> Change {
    let mut change = Change::default();
    let reservation = format!("{RESERVED}{}", wish.name);
    change.if_there(VERSION);
    change.if_missing(HALTED);
    change.if_missing(&reservation);
    change.set(&reservation, number(wish.amount));
    for scope in scopes {
        let taken = scope.attribute(TAKEN);
        match scope.limit.map(|limit| limit.checked_sub(wish.amount)) {
            None => {}
            Some(Some(room)) => change.if_missing_or(&taken, "<=", number(room)),
            // More than the whole limit: nothing that is taken is little enough.
            Some(None) => change.if_it(&taken, "<", number(0)),
        }
        change.add(&taken, number(wish.amount));
        scope.name(&mut change);
    }
    change
}

fn granted(scopes: &[Counted<'_>], row: &Item) -> Result<Reserved, StoreError> {
    let taken = scopes.iter().map(|it| Ok((it.scope.clone(), count(row, TAKEN, &it.mark)?)));
    taken.collect::<Result<_, StoreError>>().map(Reserved::Granted)
}

/// What a row says to a wish that it did not take; `None` if it takes no wishes yet.
fn answered(wish: &Reservation, scopes: &[Counted<'_>], row: &Item) -> Result<Option<Reserved>, StoreError> {
    if !row.contains_key(VERSION) {
        return Ok(None);
    }
    if row.contains_key(HALTED) {
        return Ok(Some(Reserved::Halted));
    }
    if open_reservation(row, &wish.name)?.is_some() {
        return granted(scopes, row).map(Some);
    }
    for Counted { scope, mark, limit, .. } in scopes {
        let taken = count(row, TAKEN, mark)?;
        if let Some(limit) = limit.filter(|limit| taken.saturating_add(wish.amount) > *limit) {
            return Ok(Some(Reserved::Refused { scope: (*scope).clone(), taken, limit }));
        }
    }
    Ok(None)
}

fn open_reservation(row: &Item, name: &str) -> Result<Option<NanoDollars>, StoreError> {
    let attribute = format!("{RESERVED}{name}");
    row.contains_key(&attribute).then(|| Row(row).number(&attribute)).transpose()
}

fn settling(settlement: &Settlement, scopes: &[Counted<'_>], reserved: NanoDollars) -> Change {
    let Settlement { reservation, spent, .. } = settlement;
    let mut change = Change::default();
    let reservation = format!("{RESERVED}{}", reservation.name);
    change.if_it(&reservation, "=", number(reserved));
    change.remove(&reservation);
    let more = i128::from(*spent).saturating_sub(i128::from(reserved));
    for scope in scopes {
        if scope.person {
            change.if_there(&scope.attribute(SCOPE));
        }
        change.add(&scope.attribute(TAKEN), AttributeValue::N(more.to_string()));
        counting(&mut change, &scope.mark, settlement);
    }
    change
}

fn counting(change: &mut Change, mark: &str, settlement: &Settlement) {
    let Settlement { spent, usage, .. } = settlement;
    let counts = [
        (SPENT, *spent),
        (CALLS, 1),
        (INPUT, usage.input),
        (OUTPUT, usage.output),
        (CACHE_READ, usage.cache_read),
        (CACHE_WRITE, usage.cache_write),
    ];
    // An attribute that is not there is not billed.
    for (letter, value) in counts.into_iter().filter(|(_, value)| *value > 0) {
        change.add(&format!("{letter}{mark}"), number(value));
    }
}

fn scope(row: &Item, mark: &str) -> Result<Scope, StoreError> {
    let name = format!("{SCOPE}{mark}");
    Row(row).json(&name)?.ok_or_else(|| Row(row).damaged(&name))
}

fn spending(row: &Item, mark: &str) -> Result<Spending, StoreError> {
    let count = |letter| count(row, letter, mark);
    let (taken, spent) = (count(TAKEN)?, count(SPENT)?);
    let usage = Usage {
        input: count(INPUT)?,
        output: count(OUTPUT)?,
        cache_read: count(CACHE_READ)?,
        cache_write: count(CACHE_WRITE)?,
    };
    Ok(Spending { spent, reserved: taken.saturating_sub(spent), calls: count(CALLS)?, usage })
}

fn count(row: &Item, letter: char, mark: &str) -> Result<u64, StoreError> {
    Row(row).number(&format!("{letter}{mark}"))
}
