//! A hundred thousand turns that met a fault, and not one promise broken.

use chela_simulation::{Campaign, Config, Happening, run};

use crate::report;

/// Faulted turns of each part.
const TURNS: u64 = 26_000;

/// Seeds of each part begin here.
const APART: u64 = 1_000_000;

fn keeps_every_promise(part: u64) {
    let campaign = Campaign { first_seed: part * APART, step: 1, faulted_turns: TURNS, config: Config::default() };
    let totals = campaign.run(|run, _| {
        let broken: Vec<String> = run.violations.iter().map(ToString::to_string).collect();
        assert!(
            broken.is_empty(),
            "{}\n{}\nseed {}; again, alone: cargo run -p chela-simulation -- --story --seed {}",
            run.history,
            broken.join("\n"),
            run.seed,
            run.seed,
        );
        true
    });
    assert!(totals.faulted_turns >= TURNS && totals.turns > TURNS);
    report(&format!("part {part}"), &totals.json());
}

#[test]
fn promises_are_kept_in_the_first_part() {
    keeps_every_promise(1);
}

#[test]
fn promises_are_kept_in_the_second_part() {
    keeps_every_promise(2);
}

#[test]
fn promises_are_kept_in_the_third_part() {
    keeps_every_promise(3);
}

#[test]
fn promises_are_kept_in_the_fourth_part() {
    keeps_every_promise(4);
}

#[test]
fn a_seed_is_one_history() {
    for seed in 1..40 {
        let (one, again) = (run(seed, Config::default()), run(seed, Config::default()));
        assert_eq!(one.history.hash(), again.history.hash(), "seed {seed}");
        assert_ne!(one.history.hash(), run(seed + 1, Config::default()).history.hash(), "seed {seed}");
    }
}

/// Without this a world in which nothing happens would keep every promise.
#[test]
fn every_fault_happens() {
    let campaign = Campaign { first_seed: 1, step: 1, faulted_turns: 8_000, config: Config::default() };
    let totals = campaign.run(|_, _| true);
    let missing: Vec<_> =
        chela_simulation::Fault::all().filter(|fault| !totals.faults.contains_key(&format!("{fault:?}"))).collect();
    assert!(missing.is_empty(), "never happened: {missing:?}");
    assert!(totals.flagged > 0 && totals.dead > 0 && totals.effects > 0, "{totals:?}");
    assert!(totals.shown > totals.turns / 2, "most messages are answered: {totals:?}");
}

/// Late copies of what was answered days ago cost no model call and show nothing.
#[test]
fn the_checker_sees_what_the_outside_saw() {
    let run = run(7, Config::default());
    let count = |pick: fn(&Happening) -> bool| run.history.events.iter().filter(|event| pick(&event.happening)).count();
    let accepted = count(|happening| matches!(happening, Happening::Accepted { .. }));
    assert!(accepted >= 15 && count(|happening| matches!(happening, Happening::Shown { .. })) > accepted / 2);
    assert_eq!(count(|happening| matches!(happening, Happening::Calm)), 1);
}
