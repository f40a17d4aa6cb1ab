#![doc = include_str!("../README.md")]

mod agent_loop;
mod calls;
mod cost;
mod deployment;
mod emulator;
mod gateway;
mod http;
mod init;
#[cfg(test)]
mod killed;
mod load;
mod parsing;
mod path;
mod place;
mod platform;
mod process;
mod proxy;
mod report;
mod runtime_api;
mod signing;
mod stand_in;
mod thinker;

use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Parser, ValueEnum};

use crate::gateway::Effort;
use crate::place::Place;
use crate::report::Report;

/// Measures the built gateway and functions, prints a table and writes target/bench.json
#[derive(Debug, Parser)]
#[command(version)]
struct Options {
    /// Fewer repetitions: under two minutes
    #[arg(long)]
    quick: bool,
    /// Only some parts; bench.json then has only their keys
    #[arg(long, value_enum, value_delimiter = ',', default_values = ["gateway", "parsing", "init", "calls", "agent"])]
    only: Vec<Part>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Part {
    /// `chela run` under load
    Gateway,
    /// What channels take to verify and parse a post
    Parsing,
    /// The start and size of each function
    Init,
    /// Calls to AWS, and what they cost
    Calls,
    /// A turn with many tools, and a long conversation
    Agent,
}

fn main() -> anyhow::Result<ExitCode> {
    let options = Options::parse();
    // One thread: the other cores belong to what is measured.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("no runtime")?;
    let (place, mut report) = (Place::find()?, Report::default());
    let (load, cores) = process::machine();
    runtime.block_on(measure(&options, &place, &mut report))?;
    describe(&place, load, cores, &mut report);
    report.write_json(&place.target.join("bench.json"))?;
    report.print()?;
    Ok(if report.failed() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

async fn measure(options: &Options, place: &Place, report: &mut Report) -> anyhow::Result<()> {
    let asked = |part| options.only.contains(&part);
    let effort = match options.quick {
        true => Effort { starts: 5, runs: 2, messages: 30, long: None },
        false => Effort { starts: 10, runs: 5, messages: 40, long: Some(100) },
    };
    if asked(Part::Gateway) {
        gateway::measure(place, &effort, report).await.context("gateway")?;
    }
    if asked(Part::Parsing) {
        parsing::measure(place, if options.quick { 20 } else { 100 }, report).await.context("parsing")?;
    }
    if asked(Part::Init) {
        init::measure(place, if options.quick { 10 } else { 25 }, report).await.context("init")?;
    }
    if asked(Part::Calls) {
        calls::measure(place, if options.quick { 20 } else { 50 }, !options.quick, report).await.context("calls")?;
    }
    if asked(Part::Agent) {
        agent_loop::measure(place, if options.quick { 3 } else { 7 }, report).await.context("agent")?;
    }
    Ok(())
}

fn describe(place: &Place, load: f64, cores: usize, report: &mut Report) {
    report.text("profile", place.profile());
    report.value("machine_cores", cores as f64);
    report.value("machine_load", load);
    report.note(format!(
        "{cores} cores, load average {load} before the first measurement. Times depend on the machine and on what else it does:"
    ));
    report.note(
        "they are the best of several runs (the median beside it); ratios come from alternating starts; calls are"
            .to_owned(),
    );
    report.note(
        "counted and exact. CPU is that of the measured process, from /proc. bench/README.md explains every number."
            .to_owned(),
    );
    if place.profile() != "release" {
        report.note(format!(
            "These are the binaries of profile \"{}\": they say nothing about a release.",
            place.profile()
        ));
    }
}
