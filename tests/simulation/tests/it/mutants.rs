//! Parts that break one promise each: the checker finds every one of them out.

use chela_simulation::{Campaign, Config, Mutant, Promise, Violation};
use serde_json::json;

use crate::report;

/// Faulted turns within which a mutant is found out.
const TURNS: u64 = 60_000;

fn found_out(config: Config) -> (u64, u64, Violation) {
    let campaign = Campaign { first_seed: 1, step: 1, faulted_turns: TURNS, config };
    let totals = campaign.run(|_, totals| totals.violations.is_empty());
    let found = totals.violations.first();
    let (seed, violation) = found.unwrap_or_else(|| panic!("not found out: {config:?}")).clone();
    (seed, totals.faulted_turns, violation)
}

fn is_caught(mutant: Mutant, breaking: &[Promise]) {
    let (seed, turns, violation) = found_out(Config { mutant: Some(mutant), ..Config::default() });
    assert!(breaking.contains(&violation.promise), "seed {seed}: {violation}");
    let section = json!({"seed": seed, "withinFaultedTurns": turns, "violation": violation.to_string()});
    report(&format!("mutant {mutant:?}"), &section);
}

#[test]
fn a_save_that_ignores_the_epoch() {
    is_caught(Mutant::SaveIgnoresEpoch, &[]);
}

#[test]
fn a_save_that_ignores_the_lease() {
    is_caught(Mutant::SaveIgnoresLease, &[]);
}

#[test]
fn a_save_that_forgets_what_is_being_sent() {
    is_caught(Mutant::ForgetsSendIntents, &[]);
}

#[test]
fn a_save_that_forgets_which_tools_run() {
    is_caught(Mutant::ForgetsToolIntents, &[]);
}

#[test]
fn a_claim_that_ignores_the_lease() {
    is_caught(Mutant::ClaimIgnoresLease, &[]);
}

#[test]
fn an_append_that_overwrites() {
    is_caught(Mutant::AppendOverwrites, &[]);
}

#[test]
fn an_accept_that_forgets() {
    is_caught(Mutant::AcceptForgets, &[]);
}

#[test]
fn a_queue_that_ignores_order() {
    is_caught(Mutant::QueueIgnoresOrder, &[]);
}

#[test]
fn a_platform_that_only_says_it_knows_keys() {
    is_caught(Mutant::FalseKeys, &[]);
}
