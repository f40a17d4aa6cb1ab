//! What the turn does not survive yet. Each of these fails when the turn has been mended; then take its fault out of
//! [`chela_simulation::OPEN`] and the test away.

use chela_simulation::{Campaign, Config, Fault, OPEN, Promise};

/// With this one fault back in the world the promise is broken, by it and nothing else.
fn still_breaks(fault: Fault, promise: Promise) {
    let ruled_out: Vec<Fault> = OPEN.into_iter().filter(|other| *other != fault).collect();
    let config = Config { ruled_out: ruled_out.leak(), ..Config::default() };
    let campaign = Campaign { first_seed: 1, step: 1, faulted_turns: 60_000, config };
    let totals = campaign.run(|_, totals| totals.violations.is_empty());
    let (seed, violation) = totals.violations.first().unwrap_or_else(|| panic!("{fault:?} breaks nothing any more"));
    assert_eq!(violation.promise, promise, "seed {seed}: {violation}");
}

/// Two calls of one step with one id are stored as they came: every later request carries them.
#[test]
fn one_id_for_two_calls() {
    still_breaks(Fault::DuplicateIds, Promise::ValidTranscript);
}

/// After a turn that ended without a word the next question follows the last one with no answer between.
#[test]
fn an_answer_without_a_word() {
    still_breaks(Fault::Silent, Promise::ValidTranscript);
}

/// A second attempt marks the calls it may repeat and thereby forgets the mark of the one it may not; a third runs it.
#[test]
fn tools_with_and_without_keys_in_one_step() {
    still_breaks(Fault::MixedCalls, Promise::NoDoubleEffect);
}

/// A part is sent although its mark took longer than the lease had left: it lands after the replies of the next attempt.
#[test]
fn a_mark_that_comes_late() {
    still_breaks(Fault::LateMark, Promise::Order);
}

/// A second copy of a mark arrives after later marks of the same attempt and sets the head back.
#[test]
fn a_write_that_arrives_twice() {
    still_breaks(Fault::Echoed, Promise::NoDuplicate);
}
