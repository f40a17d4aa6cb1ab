//! Every design, explored to the end: how many states, what is wrong in how many of them, and the shortest way there.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    reason = "what breaks here is a failed test"
)]

mod report;
mod results;

use chela_protocol::design::Design;
use chela_protocol::explore::{Exploration, Finding};

/// Explores a design, prints and records what was found, and holds it against what is known.
fn explored(design: &Design, states: usize, findings: &[(Finding, usize)]) -> Exploration {
    let exploration = Exploration::of(design);
    println!("{}: {} states", design.name, exploration.states());
    for (finding, count) in exploration.findings() {
        println!("    {} in {count}", finding.name());
    }
    if let Some(story) = exploration.shortest_violation() {
        println!("{story}");
    }
    report::record(design, &exploration);
    assert_eq!(exploration.findings().collect::<Vec<_>>(), findings, "{}", design.name);
    assert_eq!(exploration.states(), states, "{}", design.name);
    exploration
}
