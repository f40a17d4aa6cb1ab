//! The machine as it is keeps every promise, whatever happens.

use super::found::{found, scope};

/// Explores a scope, and shows the shortest way to a broken promise if there is one.
fn hold(name: &str) {
    let found = found(name, None);
    println!("{name}: {} states", found.states);
    assert!(found.first.is_none(), "{} states break a promise, first:\n{}", found.violations, found.story.join("\n"));
    let least = scope(name).at_least;
    assert!(found.states >= least, "only {} states, and there should be {least}", found.states);
}

#[test]
fn plain() {
    hold("plain");
}

#[test]
fn plain_the_platform_knows_keys() {
    hold("plain, the platform knows keys");
}

#[test]
fn parts() {
    hold("parts");
}

#[test]
fn refusals() {
    hold("refusals");
}

#[test]
fn refusals_the_platform_knows_keys() {
    hold("refusals, the platform knows keys");
}

#[test]
fn parallel_tools() {
    hold("parallel tools");
}

#[test]
fn a_tool_that_only_looks_one_nobody_has() {
    hold("a tool that only looks, one nobody has");
}

#[test]
fn two_groups() {
    hold("two groups");
}

#[test]
fn throttling() {
    hold("throttling");
}

#[test]
fn throttling_parallel_tools_two_parts() {
    hold("throttling, parallel tools, two parts");
}

#[test]
fn dead_letters() {
    hold("dead letters");
}

#[test]
fn joined_messages() {
    hold("joined messages");
}

#[test]
fn steering() {
    hold("steering");
}

#[test]
fn stop() {
    hold("stop");
}

#[test]
fn two_lanes() {
    hold("two lanes");
}

#[test]
fn a_growing_answer() {
    hold("a growing answer");
}

#[test]
fn placeholders() {
    hold("placeholders");
}

#[test]
fn parts_on_the_way() {
    hold("parts on the way");
}

#[test]
fn blocks_of_an_answer() {
    hold("blocks of an answer");
}

#[test]
fn blocks_of_an_answer_a_tool_a_model_that_breaks_off() {
    hold("blocks of an answer, a tool, a model that breaks off");
}

#[test]
fn a_silent_model() {
    hold("a silent model");
}

#[test]
fn slow_tools() {
    hold("slow tools");
}

#[test]
fn short_slices() {
    hold("short slices");
}

#[test]
fn commands() {
    hold("commands");
}

#[test]
fn an_old_wound() {
    hold("an old wound");
}

#[test]
fn a_late_repetition() {
    hold("a late repetition");
}

#[test]
fn given_up() {
    hold("given up");
}
