//! docs/turn.md shows the phases as they are: its diagram is made from every step that was taken while exploring.
//! `UPDATE=1 cargo test -p chela-core --test it diagram` writes it anew.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use super::attempt::Step;
use super::found::found;
use super::scope::SCOPES;

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/turn.md");
const BEGIN: &str = "<!-- made from the exploration: begin -->\n";
const END: &str = "<!-- made from the exploration: end -->\n";

/// The steps that everything else is about; a store that fails has a table of its own.
fn drawing(steps: &BTreeSet<Step>) -> String {
    let mut arrows: BTreeMap<(&str, &str), BTreeSet<&str>> = BTreeMap::new();
    for (from, command, to, failed) in steps {
        if !failed {
            arrows.entry((from, to)).or_default().insert(command);
        }
    }
    let mut out = String::from("```mermaid\nstateDiagram-v2\n    [*] --> New\n");
    for ((from, to), commands) in arrows {
        let commands: Vec<&str> = commands.into_iter().collect();
        writeln!(out, "    {from} --> {to}: {}", commands.join(" or ")).unwrap();
    }
    out.push_str("    Ended --> [*]\n```\n");
    out
}

fn failures(steps: &BTreeSet<Step>) -> String {
    let mut ways: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (from, _, to, failed) in steps {
        if *failed {
            ways.entry(from).or_default().insert(to);
        }
    }
    let mut out = String::from("| Waiting in | A store that fails leads to |\n|---|---|\n");
    for (from, to) in ways {
        writeln!(out, "| {from} | {} |", to.into_iter().collect::<Vec<_>>().join(" or ")).unwrap();
    }
    out
}

#[test]
fn the_diagram_shows_every_step_and_no_other() {
    let steps: BTreeSet<Step> = SCOPES.iter().flat_map(|scope| found(scope.name, None).steps).collect();
    let page = std::fs::read_to_string(PAGE).unwrap();
    let (before, rest) = page.split_once(BEGIN).unwrap();
    let (_, after) = rest.split_once(END).unwrap();
    let fresh = format!("{before}{BEGIN}{}\n{}{END}{after}", drawing(&steps), failures(&steps));
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(PAGE, fresh).unwrap();
    } else {
        assert!(page == fresh, "docs/turn.md is out of date: UPDATE=1 cargo test -p chela-core --test it diagram");
    }
}
