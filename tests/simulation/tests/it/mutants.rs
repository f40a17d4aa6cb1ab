//! Parts that break one promise each: the checker finds every one of them out.

use chela_simulation::{Campaign, Config, Mutant, Violation};
use serde_json::json;

use crate::report;

/// Faulted turns within which a mutant is found out.
const TURNS: u64 = 20_000;

fn found_out(config: Config) -> Option<(u64, u64, Violation)> {
    let campaign = Campaign { first_seed: 1, step: 1, faulted_turns: TURNS, config };
    let totals = campaign.run(|_, totals| totals.violations.is_empty());
    totals.violations.first().map(|(seed, violation)| (*seed, totals.faulted_turns, violation.clone()))
}

fn is_caught(config: Config) {
    let mutant = config.mutant.unwrap();
    let found = found_out(config);
    let (seed, turns, violation) = found.unwrap_or_else(|| panic!("{mutant:?} was not found out in {TURNS} turns"));
    let section = json!({"seed": seed, "withinFaultedTurns": turns, "violation": violation.to_string()});
    report(&format!("mutant {mutant:?}"), &section);
}

fn broken(mutant: Mutant) -> Config {
    Config { mutant: Some(mutant), platforms: &["keyed", "plain"], ..Config::default() }
}

#[test]
fn a_save_that_ignores_the_epoch() {
    is_caught(broken(Mutant::SaveIgnoresEpoch));
}

#[test]
fn a_save_that_ignores_the_revision() {
    is_caught(broken(Mutant::SaveIgnoresRevision));
}

/// The turn's own marks extend the lease by the write that asks how long it is, so asking guards nothing by itself:
/// this store extends no lease either. That alone harms nobody, see the next.
#[test]
fn a_save_that_ignores_the_lease() {
    is_caught(broken(Mutant::SaveIgnoresLease));
}

#[test]
fn a_save_that_extends_nothing_but_asks_harms_nobody() {
    let found = found_out(broken(Mutant::SaveKeepsLease));
    assert!(found.is_none(), "{found:?}");
}

#[test]
fn a_save_that_forgets_what_is_being_sent() {
    is_caught(broken(Mutant::ForgetsSendIntents));
}

/// The message a part took the place of is another one after a crash.
#[test]
fn a_save_that_forgets_placeholders() {
    is_caught(Config { platforms: &["edited"], ..broken(Mutant::ForgetsPlaceholders) });
}

#[test]
fn a_save_that_forgets_which_tools_run() {
    is_caught(broken(Mutant::ForgetsToolIntents));
}

#[test]
fn a_claim_that_ignores_the_lease() {
    is_caught(broken(Mutant::ClaimIgnoresLease));
}

#[test]
fn an_append_that_overwrites() {
    is_caught(broken(Mutant::AppendOverwrites));
}

#[test]
fn an_accept_that_forgets() {
    is_caught(broken(Mutant::AcceptForgets));
}

#[test]
fn a_queue_that_ignores_order() {
    is_caught(broken(Mutant::QueueIgnoresOrder));
}

#[test]
fn a_platform_that_only_says_it_knows_keys() {
    is_caught(broken(Mutant::FalseKeys));
}
