//! Counters of this process, in the text form Prometheus reads.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};

/// What is counted.
#[derive(Clone, Copy, Debug)]
pub enum Count {
    /// Webhook requests whose sender was not proven.
    Unproven,
    /// Webhook requests that were proven and malformed.
    Malformed,
    /// Messages a rule kept out.
    Ignored,
    /// Messages put into the queue.
    Accepted,
    /// Webhook requests turned away because the queue did not answer.
    NotQueued,
    /// Parts a platform took and could not deliver.
    Undelivered,
    /// Turns finished.
    Turns,
    /// Events that had been answered before.
    Duplicates,
    /// Attempts that will be repeated.
    Repeated,
    /// Messages that can never be handled.
    Buried,
    /// Model calls.
    ModelCalls,
    /// Tokens read by models.
    InputTokens,
    /// Tokens written by models.
    OutputTokens,
}

const NAMES: [(Count, &str, &str); 13] = [
    (Count::Unproven, "chela_webhook_unproven_total", "Requests whose signature did not hold."),
    (Count::Malformed, "chela_webhook_malformed_total", "Signed requests that are not what the platform documents."),
    (Count::Ignored, "chela_messages_ignored_total", "Messages kept out by policy, allow-list, mention gate or rate."),
    (Count::Accepted, "chela_messages_accepted_total", "Messages put into the queue."),
    (Count::NotQueued, "chela_webhook_unavailable_total", "Requests answered 503 because the queue did not answer."),
    (Count::Undelivered, "chela_parts_undelivered_total", "Parts a platform took and then could not deliver."),
    (Count::Turns, "chela_turns_total", "Turns finished."),
    (Count::Duplicates, "chela_turns_duplicate_total", "Deliveries of events that had been answered before."),
    (Count::Repeated, "chela_turns_repeated_total", "Attempts that ended early and are repeated."),
    (Count::Buried, "chela_messages_buried_total", "Messages moved to the dead letters."),
    (Count::ModelCalls, "chela_model_calls_total", "Model calls."),
    (Count::InputTokens, "chela_model_input_tokens_total", "Tokens read by models."),
    (Count::OutputTokens, "chela_model_output_tokens_total", "Tokens written by models."),
];

/// The counters.
#[derive(Debug, Default)]
pub struct Metrics {
    counts: [AtomicU64; NAMES.len()],
}

impl Metrics {
    /// Adds `n`.
    pub fn add(&self, what: Count, n: u64) {
        if let Some(count) = self.counts.get(what as usize) {
            count.fetch_add(n, Ordering::Relaxed);
        }
    }

    /// The sum since the process started.
    pub fn get(&self, what: Count) -> u64 {
        self.counts.get(what as usize).map_or(0, |count| count.load(Ordering::Relaxed))
    }

    /// The exposition format: <https://prometheus.io/docs/instrumenting/exposition_formats/>
    pub fn render(&self) -> String {
        let mut out = String::new();
        for (what, name, help) in NAMES {
            let _ = write!(out, "# HELP {name} {help}\n# TYPE {name} counter\n{name} {}\n", self.get(what));
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_counter_is_rendered_under_its_own_name() {
        let metrics = Metrics::default();
        for (index, (what, ..)) in NAMES.iter().enumerate() {
            metrics.add(*what, index as u64 + 1);
        }
        let text = metrics.render();
        for (index, (_, name, _)) in NAMES.iter().enumerate() {
            assert!(text.contains(&format!("\n{name} {}\n", index + 1)), "{name} in\n{text}");
        }
    }
}
