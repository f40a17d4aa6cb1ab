//! `/approve`, `/deny`.

use chela_core::turn::Reply;

use super::{Asked, say, usage};

const NOTHING_WAITS: &str = "Nothing waits for your approval here.";

pub(super) fn approve(asked: &Asked<'_>) -> Reply {
    let mut words = asked.spoken.rest.split_whitespace();
    match (words.next(), words.next(), words.next()) {
        (Some(_), Some("allow-once" | "allow-always" | "deny"), None) => say(NOTHING_WAITS),
        _ => usage(asked.spoken.spec),
    }
}

pub(super) fn deny(asked: &Asked<'_>) -> Reply {
    let mut words = asked.spoken.rest.split_whitespace();
    match (words.next(), words.next()) {
        (Some(_), None) => say(NOTHING_WAITS),
        _ => usage(asked.spoken.spec),
    }
}
