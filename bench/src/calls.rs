//! What a turn asks of AWS, and what that costs: the real functions against the emulator, counted in between.

use std::time::Duration;

use anyhow::Context as _;

use crate::cost;
use crate::deployment::{Accounts, configuration, configuration_with_model};
use crate::emulator::Emulator;
use crate::path::Path;
use crate::place::Place;
use crate::proxy::Counts;
use crate::report::{Goal, Report};
use crate::thinker::Thinker;

/// The budget of DESIGN.md: claim, accept, answer, mark, finish.
const WRITES: f64 = 5.0;

/// What a model that costs money adds: one write of accounting; with a limit two, to reserve and to settle.
const ACCOUNTING: f64 = 1.0;
const ACCOUNTING_WITH_LIMIT: f64 = 2.0;

/// Conversations the counted turns are spread over.
const SENDERS: usize = 5;

/// Configuration and prompt are looked at again after 30 s.
const PAUSE: Duration = Duration::from_secs(31);

pub(crate) async fn measure(place: &Place, turns: usize, with_pause: bool, report: &mut Report) -> anyhow::Result<()> {
    let emulator = Emulator::start(&place.root)?;
    emulator.provision().await.context("the emulator cannot be set up")?;
    let mut path = Path::open(place, &emulator, "peer", SENDERS, configuration).await?;
    for (name, counts) in path.counts() {
        for (call, count) in &counts.calls {
            report.value(&format!("calls_at_init.{name}.{call}"), *count);
        }
    }
    // The first message of a conversation reads no history, and the first of all reads the workspace.
    for sender in 0..SENDERS {
        path = path.turn(sender).await.context("the first turn of a conversation")?;
    }
    let before = path.reading();
    for turn in 0..turns {
        path = path.turn(turn % SENDERS).await.with_context(|| format!("turn {turn}"))?;
    }
    let after = path.reading();
    let per_turn = after.calls.since(&before.calls, turns as f64);
    let log_bytes = (after.log_bytes - before.log_bytes) as f64 / turns as f64;
    describe(&per_turn, log_bytes, turns, report);
    paid(place, &emulator, turns, report).await?;
    if with_pause {
        tokio::time::sleep(PAUSE).await;
        let path = path.turn(0).await.context("the turn after a pause")?;
        let paused = path.reading();
        let calls = paused.calls.since(&after.calls, 1.0);
        for (name, count) in &calls.calls {
            report.value(&format!("calls_per_turn_after_pause.{name}"), *count);
        }
        let dollars = cost::total(&cost::bill(&calls, (paused.log_bytes - after.log_bytes) as f64));
        let label = "a million turns, 30 s and more between them";
        report.row("usd_per_million_after_pause", label, dollars, "$", Goal::None);
    }
    Ok(())
}

fn describe(per_turn: &Counts, log_bytes: f64, turns: usize, report: &mut Report) {
    report.heading(format!("calls to AWS per plain turn, counted over {turns} turns of warm functions"));
    for (name, count) in &per_turn.calls {
        report.row(&format!("calls_per_turn.{name}"), name, *count, "", Goal::None);
    }
    report.row("writes_per_turn", "writes, all together", per_turn.writes(), "", Goal::NeverMore(WRITES));
    report.row("write_units_per_turn", "  as DynamoDB bills them", per_turn.write_units, "WRU", Goal::None);
    report.row("read_units_per_turn", "reads, as DynamoDB bills them", per_turn.read_units, "RRU", Goal::None);
    report.row("log_bytes_per_turn", "logged by both functions", log_bytes, "bytes", Goal::None);
    let bill = cost::bill(per_turn, log_bytes);
    report.heading("dollars for a million turns, without tokens and free tier".to_owned());
    for item in bill.iter().filter(|item| item.dollars > 0.0) {
        report.row(&format!("usd_per_million.{}", item.key), item.what, item.dollars, "$", Goal::None);
    }
    report.row("usd_per_million", "a million turns", cost::total(&bill), "$", Goal::None);
}

/// The same turn with a model that costs money: accounting writes too.
async fn paid(place: &Place, emulator: &Emulator, turns: usize, report: &mut Report) -> anyhow::Result<()> {
    let thinker = Thinker::start().await?;
    let kinds = [
        (Accounts::Counted, "paid", "  with a model that costs money", ACCOUNTING),
        (Accounts::Limited, "limited", "  and with a limit of spending", ACCOUNTING_WITH_LIMIT),
    ];
    for (accounts, name, label, more) in kinds {
        let configure = |callback: &str| configuration_with_model(callback, &thinker.url(), accounts);
        let mut path = Path::open(place, emulator, name, 1, configure).await?;
        path = path.turn(0).await.with_context(|| format!("the first turn, {name}"))?;
        let before = path.reading();
        for turn in 0..turns {
            path = path.turn(0).await.with_context(|| format!("turn {turn}, {name}"))?;
        }
        let per_turn = path.reading().calls.since(&before.calls, turns as f64);
        let writes = per_turn.writes();
        report.row(&format!("writes_per_turn.{name}"), label, writes, "", Goal::NeverMore(WRITES + more));
        report.value(&format!("write_units_per_turn.{name}"), per_turn.write_units);
    }
    Ok(())
}
