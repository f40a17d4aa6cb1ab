//! The agent's loop: what a step of a turn with many tools takes of the store and of the CPU, and what a long conversation
//! takes of the memory. The real agent function against the emulator, with a model that answers at once.

use anyhow::{Context as _, ensure};

use crate::deployment::{Accounts, configuration_with_model};
use crate::emulator::Emulator;
use crate::path::Path;
use crate::place::Place;
use crate::proxy::Counts;
use crate::report::{Goal, Report, median};
use crate::thinker::{Thinker, wants};

/// Steps with a tool of the measured turn.
const STEPS: usize = 20;

/// Turns of the long conversation.
const LONG: usize = 200;

/// Memory of the agent function after it, of the 128 MB it has.
const RSS_MB: f64 = 60.0;

/// A tool, and the writes a step with it may take: the model's answer, its result, and what the call cost; a tool with
/// effects also marks that it began, and this one writes a note.
const TOOLS: [(&str, f64); 2] = [("read", 3.0), ("memory_save", 5.0)];

/// What turns took, each in the middle of some.
struct Taken {
    calls: Counts,
    model_calls: f64,
    cpu_ms: f64,
}

pub(crate) async fn measure(place: &Place, turns: usize, report: &mut Report) -> anyhow::Result<()> {
    let emulator = Emulator::start(&place.root)?;
    emulator.provision().await.context("the emulator cannot be set up")?;
    let thinker = Thinker::start().await?;
    let configure = |callback: &str| configuration_with_model(callback, &thinker.url(), Accounts::Counted);
    let mut path = Path::open(place, &emulator, "loop", 1 + TOOLS.len(), configure).await?;
    path = path.turn(0).await.context("the first turn")?;
    let idle_mb = path.agent().memory_mb("VmRSS")?;
    let plain;
    (path, plain) = taken(path, &thinker, turns, 0, "And what comes after that?").await?;
    report.heading(format!("agent: a turn with {STEPS} steps of tools, against a plain turn with the same model"));
    report.row("plain_model_turn_cpu_ms", "CPU of a plain turn", plain.cpu_ms, "ms", Goal::None);
    for (number, (tool, most)) in TOOLS.into_iter().enumerate() {
        let long;
        path = path.turn(1 + number).await.context("the first turn of a conversation")?;
        (path, long) = taken(path, &thinker, turns, 1 + number, &wants(tool, STEPS)).await?;
        describe(tool, most, &plain, &long, report)?;
    }
    drop(path);
    remember(place, &emulator, &thinker, idle_mb, report).await
}

/// Says the same some times, and takes the middle of what it took.
async fn taken(
    mut path: Path,
    thinker: &Thinker,
    turns: usize,
    sender: usize,
    text: &str,
) -> anyhow::Result<(Path, Taken)> {
    let (before, asked) = (path.reading(), thinker.asked());
    let mut cpu_ms = Vec::new();
    for _ in 0..turns {
        let began = path.agent().cpu_ms()?;
        path = path.says(sender, text).await.with_context(|| format!("\"{text}\""))?;
        cpu_ms.push(path.agent().cpu_ms()? - began);
    }
    let calls = path.reading().calls.since(&before.calls, turns as f64);
    let model_calls = (thinker.asked() - asked) as f64 / turns as f64;
    Ok((path, Taken { calls, model_calls, cpu_ms: median(cpu_ms) }))
}

fn describe(tool: &str, most: f64, plain: &Taken, long: &Taken, report: &mut Report) -> anyhow::Result<()> {
    let steps = STEPS as f64;
    ensure!(plain.model_calls == 1.0, "a plain turn asked the model {} times", plain.model_calls);
    let per_step = |all: f64, plain: f64| (all - plain) / steps;
    let writes = per_step(long.calls.writes(), plain.calls.writes());
    let reads = per_step(long.calls.reads(), plain.calls.reads());
    let label = format!("model calls of {STEPS} steps with `{tool}`");
    report.row(&format!("loop_model_calls.{tool}"), &label, long.model_calls, "", Goal::NeverMore(steps + 1.0));
    report.row(&format!("loop_writes_per_step.{tool}"), "  writes per step", writes, "", Goal::NeverMore(most));
    let units = per_step(long.calls.write_units, plain.calls.write_units);
    report.row(&format!("loop_write_units_per_step.{tool}"), "  as DynamoDB bills them", units, "WRU", Goal::None);
    report.row(&format!("loop_reads_per_step.{tool}"), "  reads per step", reads, "", Goal::None);
    let cpu = per_step(long.cpu_ms, plain.cpu_ms) / plain.cpu_ms;
    report.row(&format!("loop_cpu_ratio.{tool}"), "  CPU of a step, in plain turns", cpu, "x", Goal::AtMost(1.0));
    Ok(())
}

/// A conversation of many turns in one process.
async fn remember(
    place: &Place,
    emulator: &Emulator,
    thinker: &Thinker,
    idle_mb: f64,
    report: &mut Report,
) -> anyhow::Result<()> {
    let configure = |callback: &str| configuration_with_model(callback, &thinker.url(), Accounts::Counted);
    let mut path = Path::open(place, emulator, "long", 1, configure).await?;
    for turn in 0..LONG {
        path = path.turn(0).await.with_context(|| format!("turn {turn} of the long conversation"))?;
    }
    let (rss, peak) = (path.agent().memory_mb("VmRSS")?, path.agent().memory_mb("VmHWM")?);
    report.heading(format!("agent: memory of the function, with a conversation of {LONG} turns"));
    report.row("agent_rss_first_mb", "after the first turn", idle_mb, "MB", Goal::None);
    report.row("agent_rss_long_mb", "after the last turn", rss, "MB", Goal::NeverMore(RSS_MB));
    report.row("agent_peak_long_mb", "most ever", peak, "MB", Goal::NeverMore(RSS_MB));
    Ok(())
}
