//! Counters of money in the database. The database's thread does one piece of work after the other, so that what is
//! read and written in one piece is one step for everybody.

use std::collections::BTreeMap;

use async_trait::async_trait;
use chela_core::model::Usage;
use chela_core::session::StoreError;
use chela_core::spend::{Day, NanoDollars, Reservation, Reserved, Scope, Settlement, SpendStore, Spending};
use rusqlite::{Connection, OptionalExtension, params};

use crate::database::{integer, unsigned};
use crate::session::{SqliteSessions, read, write};

#[async_trait]
impl SpendStore for SqliteSessions {
    async fn reserve(&self, reservation: &Reservation) -> Result<Reserved, StoreError> {
        let scopes = named(reservation)?;
        let wish = reservation.clone();
        Ok(self.database.run(move |connection: &Connection| reserve(connection, &wish, &scopes)).await?)
    }

    async fn settle(&self, settlement: &Settlement) -> Result<BTreeMap<Scope, NanoDollars>, StoreError> {
        let scopes = named(&settlement.reservation)?;
        let settlement = settlement.clone();
        Ok(self.database.run(move |connection: &Connection| settle(connection, &settlement, &scopes)).await?)
    }

    async fn count(&self, settlement: &Settlement) -> Result<(), StoreError> {
        let scopes = named(&settlement.reservation)?;
        let settlement = settlement.clone();
        self.database.run(move |connection: &Connection| enter(connection, &settlement, &scopes, 0)).await?;
        Ok(())
    }

    async fn spending(&self, day: &Day) -> Result<BTreeMap<Scope, Spending>, StoreError> {
        let day = day.clone();
        let rows = self.database.run(move |connection: &Connection| spending(connection, &day)).await?;
        let read = |(scope, spending): (String, Spending)| Ok((read(&scope, || "a row of spending".into())?, spending));
        rows.into_iter().map(read).collect()
    }

    async fn halt(&self, tenant: &str, halted: bool) -> Result<(), StoreError> {
        let tenant = tenant.to_owned();
        self.database
            .run(move |connection: &Connection| {
                let change = if halted {
                    "INSERT OR IGNORE INTO halted (tenant) VALUES (?1)"
                } else {
                    "DELETE FROM halted WHERE tenant = ?1"
                };
                connection.prepare_cached(change)?.execute([&tenant])
            })
            .await?;
        Ok(())
    }

    async fn halted(&self, tenant: &str) -> Result<bool, StoreError> {
        let tenant = tenant.to_owned();
        Ok(self.database.run(move |connection: &Connection| is_halted(connection, &tenant)).await?)
    }
}

/// A scope with its name in the table and its limit.
type Named = (String, Scope, Option<NanoDollars>);

fn named(reservation: &Reservation) -> Result<Vec<Named>, StoreError> {
    let name = |(scope, limit): (&Scope, &Option<NanoDollars>)| {
        Ok((write(scope, || "a scope of spending".into())?, scope.clone(), *limit))
    };
    reservation.scopes.iter().map(name).collect()
}

fn is_halted(connection: &Connection, tenant: &str) -> rusqlite::Result<bool> {
    connection.prepare_cached("SELECT 1 FROM halted WHERE tenant = ?1")?.exists([tenant])
}

fn taken(connection: &Connection, day: &Day, scope: &str) -> rusqlite::Result<NanoDollars> {
    let taken = connection
        .prepare_cached("SELECT spent + reserved FROM spending WHERE tenant = ?1 AND date = ?2 AND scope = ?3")?
        .query_row(params![day.tenant, day.date, scope], |row| row.get::<_, i64>(0))
        .optional()?;
    Ok(taken.map_or(0, unsigned))
}

fn reserve(connection: &Connection, wish: &Reservation, scopes: &[Named]) -> rusqlite::Result<Reserved> {
    let Reservation { name, day, amount, .. } = wish;
    if is_halted(connection, &day.tenant)? {
        return Ok(Reserved::Halted);
    }
    let known = connection
        .prepare_cached("SELECT 1 FROM reservations WHERE tenant = ?1 AND date = ?2 AND name = ?3")?
        .exists(params![day.tenant, day.date, name])?;
    let mut granted = BTreeMap::new();
    for (row, scope, limit) in scopes {
        let before = taken(connection, day, row)?;
        let after = if known { before } else { before.saturating_add(*amount) };
        if let Some(limit) = limit.filter(|limit| !known && after > *limit) {
            return Ok(Reserved::Refused { scope: scope.clone(), taken: before, limit });
        }
        granted.insert(scope.clone(), after);
    }
    if known {
        return Ok(Reserved::Granted(granted));
    }
    connection
        .prepare_cached("INSERT INTO reservations (tenant, date, name, amount) VALUES (?1, ?2, ?3, ?4)")?
        .execute(params![day.tenant, day.date, name, integer(*amount)])?;
    for (row, ..) in scopes {
        connection
            .prepare_cached(
                "INSERT INTO spending (tenant, date, scope, spent, reserved, calls, input, output, cache_read, cache_write)
                 VALUES (?1, ?2, ?3, 0, ?4, 0, 0, 0, 0, 0)
                 ON CONFLICT DO UPDATE SET reserved = reserved + ?4",
            )?
            .execute(params![day.tenant, day.date, row, integer(*amount)])?;
    }
    Ok(Reserved::Granted(granted))
}

fn settle(
    connection: &Connection,
    settlement: &Settlement,
    scopes: &[Named],
) -> rusqlite::Result<BTreeMap<Scope, NanoDollars>> {
    let Reservation { name, day, .. } = &settlement.reservation;
    let reserved = connection
        .prepare_cached("DELETE FROM reservations WHERE tenant = ?1 AND date = ?2 AND name = ?3 RETURNING amount")?
        .query_row(params![day.tenant, day.date, name], |row| row.get::<_, i64>(0))
        .optional()?;
    match reserved {
        Some(reserved) => enter(connection, settlement, scopes, reserved),
        None => Ok(BTreeMap::new()),
    }
}

/// Counts what was spent, and takes away what was reserved for it.
fn enter(
    connection: &Connection,
    settlement: &Settlement,
    scopes: &[Named],
    reserved: i64,
) -> rusqlite::Result<BTreeMap<Scope, NanoDollars>> {
    let Settlement { reservation: Reservation { day, .. }, spent, usage } = settlement;
    let mut now = BTreeMap::new();
    for (row, scope, _) in scopes {
        let spent = connection
            .prepare_cached(
                "INSERT INTO spending (tenant, date, scope, spent, reserved, calls, input, output, cache_read, cache_write)
                 VALUES (?1, ?2, ?3, ?5, 0, 1, ?6, ?7, ?8, ?9)
                 ON CONFLICT DO UPDATE SET reserved = reserved - ?4, spent = spent + ?5, calls = calls + 1,
                 input = input + ?6, output = output + ?7, cache_read = cache_read + ?8, cache_write = cache_write + ?9
                 RETURNING spent",
            )?
            .query_row(
                params![
                    day.tenant,
                    day.date,
                    row,
                    reserved,
                    integer(*spent),
                    integer(usage.input),
                    integer(usage.output),
                    integer(usage.cache_read),
                    integer(usage.cache_write),
                ],
                |row| row.get::<_, i64>(0),
            )?;
        now.insert(scope.clone(), unsigned(spent));
    }
    Ok(now)
}

fn spending(connection: &Connection, day: &Day) -> rusqlite::Result<Vec<(String, Spending)>> {
    connection
        .prepare_cached(
            "SELECT scope, spent, reserved, calls, input, output, cache_read, cache_write FROM spending
             WHERE tenant = ?1 AND date = ?2",
        )?
        .query_map(params![day.tenant, day.date], |row| {
            let number = |column| row.get::<_, i64>(column).map(unsigned);
            let usage =
                Usage { input: number(4)?, output: number(5)?, cache_read: number(6)?, cache_write: number(7)? };
            Ok((row.get(0)?, Spending { spent: number(1)?, reserved: number(2)?, calls: number(3)?, usage }))
        })?
        .collect()
}
