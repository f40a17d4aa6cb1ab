//! The start of each function beside that of an empty one, and how large what is deployed is.

use anyhow::Context as _;

use crate::deployment::{FUNCTIONS, variables};
use crate::place::Place;
use crate::process;
use crate::report::{Goal, Report, best, median};
use crate::runtime_api::{Function, Start};
use crate::stand_in;

/// The function that does nothing.
const EMPTY: &str = "chela-bench-empty";

/// `rounds` starts of each function, one of each in turn, so that whatever else the machine does hits all alike.
pub(crate) async fn measure(place: &Place, rounds: usize, report: &mut Report) -> anyhow::Result<()> {
    let endpoint = stand_in::start().await?;
    let mut starts: Vec<(&str, Vec<Start>)> = Vec::new();
    starts.extend([EMPTY].into_iter().chain(FUNCTIONS).map(|name| (name, Vec::new())));
    for _ in 0..rounds {
        for (name, found) in &mut starts {
            let log = place.file(&format!("init-{name}.log"));
            let (_, start) = Function::start(&place.binary(name), &variables(name, &endpoint), log).await?;
            found.push(start);
        }
    }
    let wall = |found: &[Start]| best(found.iter().map(|start| start.wall_ms), f64::min);
    let cpu = |found: &[Start]| best(found.iter().map(|start| start.cpu_ms), f64::min);
    let (_, empty) = starts.first().context("nothing was started")?;
    let (empty_wall, empty_cpu) = (wall(empty), cpu(empty));
    report
        .heading(format!("functions: start to the first request for an event, against an empty one, best of {rounds}"));
    report.row("init_ms.empty", "empty function", empty_wall, "ms", Goal::None);
    for (name, found) in starts.iter().skip(1) {
        let label = format!("{name}, times the empty one");
        report.row(&format!("init_ratio.{name}"), &label, wall(found) / empty_wall, "x", Goal::AtMost(1.5));
        report.row(&format!("init_cpu_ratio.{name}"), "  its CPU", cpu(found) / empty_cpu, "x", Goal::None);
        report.value(&format!("init_ms.{name}"), wall(found));
        report.value(&format!("init_ms_median.{name}"), median(found.iter().map(|start| start.wall_ms)));
        report.value(&format!("init_cpu_ms.{name}"), cpu(found));
    }
    report.value("init_cpu_ms.empty", empty_cpu);
    sizes(place, report)
}

/// Sizes as `make size` has them, of the binaries measured here.
fn sizes(place: &Place, report: &mut Report) -> anyhow::Result<()> {
    let folder = place.folder("lambda")?;
    for name in FUNCTIONS {
        let target = place.folder(&format!("lambda/{name}"))?.join("bootstrap");
        std::fs::hard_link(place.binary(name), &target).with_context(|| format!("cannot link {}", target.display()))?;
    }
    let printed = process::run(&place.root, "tools/size", &[&folder.to_string_lossy()])?;
    report.heading("functions: what is uploaded (here for this machine's processor, not for arm64)".to_owned());
    for name in FUNCTIONS {
        let line = printed.lines().find(|line| line.split_whitespace().next() == Some(name));
        let zip_mb = line.and_then(|line| line.split_whitespace().nth(2)?.parse().ok());
        let zip_mb: f64 = zip_mb.with_context(|| format!("tools/size says nothing about {name}:\n{printed}"))?;
        let goal = match name {
            "webhook" => Goal::AtMost(6.0),
            "agent" => Goal::AtMost(10.0),
            _ => Goal::None,
        };
        report.row(&format!("zip_mb.{name}"), &format!("{name}, zipped"), zip_mb, "MB", goal);
    }
    Ok(())
}
