//! Each protection taken away, in the world and not in the machine: a promise breaks, and the shortest way there is a
//! story. A protection without which nothing breaks is covered by another one; a test says which.

use super::found::found;
use super::invariants::Broken;
use super::scope::Mutant;

/// Who, where it is caught in few states, what breaks, and the lines its story turns on.
pub const CAUGHT: &[(Mutant, &str, Broken, &[&str])] = &[
    (
        Mutant::FenceOff,
        "parts",
        Broken::PartTwice,
        &[
            "pauses, and its lease runs out",
            "Attempt 2 claims the session for m1",
            "Attempt 1 sends",
            "Attempt 2 sends",
            "is shown twice",
        ],
    ),
    (Mutant::LeaseOff, "parts", Broken::Order, &["Attempt 2 claims the session for m1", "comes after part 2"]),
    (
        Mutant::ToolJournalOff,
        "parallel tools",
        Broken::EffectTwice,
        &["Attempt 1 runs book for m1", "Attempt 1 dies", "Attempt 2 runs book for m1", "book acted twice for m1"],
    ),
    (
        Mutant::OutboxMarkOff,
        "parts",
        Broken::PartTwice,
        &["Attempt 1 sends", "Attempt 1 dies", "Attempt 2 sends", "part 1 of the answer to m1 is shown twice"],
    ),
    (
        Mutant::PlaceholdersForgotten,
        "placeholders",
        Broken::PartTwice,
        &["Attempt 1 puts", "Attempt 1 dies", "Attempt 2 puts", "is shown twice"],
    ),
    (
        Mutant::LastWriterWins,
        "a tool that only looks, one nobody has",
        Broken::Transcript,
        &["Attempt 1 stores the model's call of tools", "are followed by the results"],
    ),
    (
        Mutant::RowsForgotten,
        "two lanes",
        Broken::Transcript,
        &["looks up m2, and finds nothing", "Attempt 2 stores m1", "finds that it is already there", "m2 twice"],
    ),
    (Mutant::KeysClaimed, "parts", Broken::PartTwice, &["Attempt 1 sends", "Attempt 2 sends", "is shown twice"]),
    (
        Mutant::A1Off,
        "parts",
        Broken::Order,
        &["pauses, and its lease runs out", "flags part 1", "Attempt 1 sends", "comes after part 2"],
    ),
];

/// Covered by another protection.
pub const COVERED: &[(Mutant, &[&str])] = &[(
    Mutant::LeaseCheckOff,
    &["parts", "parallel tools", "throttling", "two lanes", "a tool that only looks, one nobody has"],
)];

#[test]
fn every_mutant_is_caught_or_covered() {
    for mutant in Mutant::ALL {
        let caught = CAUGHT.iter().filter(|(one, ..)| *one == mutant).count();
        let covered = COVERED.iter().filter(|(one, _)| *one == mutant).count();
        assert_eq!(caught + covered, 1, "{mutant:?}");
    }
}

fn caught(mutant: Mutant) {
    let (_, scope, kind, lines) = CAUGHT.iter().find(|(one, ..)| *one == mutant).unwrap();
    let found = found(scope, Some(mutant));
    println!("{mutant:?} in \"{scope}\", {} states:\n{}", found.states, found.story.join("\n"));
    assert_eq!(found.first.map(|(kind, _)| kind), Some(*kind));
    let mut rest = found.story.iter();
    for line in *lines {
        assert!(rest.any(|told| told.contains(line)), "the story does not tell, in this order: {line}");
    }
}

#[test]
fn without_the_fence_a_late_attempt_goes_on() {
    caught(Mutant::FenceOff);
}

#[test]
fn without_the_lease_a_late_part_follows_what_came_after_it() {
    caught(Mutant::LeaseOff);
}

#[test]
fn without_the_journal_of_tools_one_acts_twice() {
    caught(Mutant::ToolJournalOff);
}

#[test]
fn without_marks_of_parts_one_is_shown_twice() {
    caught(Mutant::OutboxMarkOff);
}

#[test]
fn without_the_message_it_takes_the_place_of_a_part_is_shown_twice() {
    caught(Mutant::PlaceholdersForgotten);
}

#[test]
fn if_the_last_writer_wins_calls_and_results_part() {
    caught(Mutant::LastWriterWins);
}

#[test]
fn without_rows_of_events_a_turn_is_another_event_s() {
    caught(Mutant::RowsForgotten);
}

#[test]
fn a_platform_that_only_claims_to_know_keys_shows_a_part_twice() {
    caught(Mutant::KeysClaimed);
}

#[test]
fn a_request_that_outlives_its_lease_comes_too_late() {
    caught(Mutant::A1Off);
}

/// The store's own look at the lease is a second one: the machine looks at its clock when it is told that the mark is
/// stored, and renews a mark whose lease has become short (`next_call`, `deliver`), which the fence refuses by then.
/// The store's look counts where an attempt's clock cannot be trusted: clocks are exact here.
#[test]
fn the_store_s_look_at_the_lease_is_covered_by_the_machine_s() {
    for (mutant, scopes) in COVERED {
        for scope in *scopes {
            let found = found(scope, Some(*mutant));
            assert_eq!(found.first, None, "{}", found.story.join("\n"));
        }
    }
}
