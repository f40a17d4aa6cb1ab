//! Logs: JSON lines on standard output, one per invocation. Bodies, tokens and names are never fields.

use tracing::Subscriber;
use tracing_subscriber::Layer as _;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::{MakeWriter, layer};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

/// Starts logging at `level` (`ERROR` … `TRACE`; anything else is `INFO`). Call it once, first.
pub fn init_json(level: Option<&str>) {
    hush_panics();
    // A second subscriber is refused; the first one stays.
    let _ = json(level, std::io::stdout).try_init();
}

/// Lets a panic say where it was and, if its words stand in the source, what it says. Others quote what they failed over: a
/// page, a file, a message.
pub fn hush_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let at = panic.location().map(ToString::to_string).unwrap_or_default();
        let words = panic.payload().downcast_ref::<&'static str>().copied().unwrap_or_default();
        tracing::error!(at, words, "panicked");
    }));
}

/// What is logged at `level`. Finer than `INFO` only the house itself speaks: Lambda's runtime and the SDK of AWS would write
/// whole events and requests into the log, with what people said and the headers that prove who they are.
pub fn filter(level: Option<&str>) -> Targets {
    let level = level.and_then(|level| level.parse().ok()).unwrap_or(LevelFilter::INFO);
    Targets::new().with_default(level.min(LevelFilter::INFO)).with_target("chela", level)
}

fn json(level: Option<&str>, writer: impl for<'w> MakeWriter<'w> + Send + Sync + 'static) -> impl Subscriber {
    let lines = layer().json().flatten_event(true).with_target(false).with_writer(writer);
    tracing_subscriber::registry().with(lines.with_filter(filter(level)))
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    fn written(level: Option<&str>, act: impl FnOnce()) -> String {
        let file = tempfile::tempfile().unwrap();
        let written = Arc::new(Mutex::new(file.try_clone().unwrap()));
        let subscriber = json(level, move || written.lock().unwrap().try_clone().unwrap());
        tracing::subscriber::with_default(subscriber, act);
        let mut text = String::new();
        std::io::Seek::rewind(&mut &file).unwrap();
        std::io::Read::read_to_string(&mut &file, &mut text).unwrap();
        text
    }

    /// What is logged at a level of what Lambda's runtime, the SDK and we say.
    fn logged(level: Option<&str>) -> String {
        written(level, || {
            tracing::trace!(target: "lambda_runtime::layers::api_response", body = "canary", "raw JSON event received");
            tracing::debug!(target: "aws_smithy_runtime::client", request = "canary", "transmitting request");
            tracing::warn!(target: "lambda_runtime", "theirs");
            tracing::debug!(target: "chela_agent::answer", "ours");
        })
    }

    #[test]
    fn d04_a_panic_quotes_nothing() {
        let log = written(None, || {
            hush_panics();
            for said in ["canary é", "x"] {
                let _ = std::panic::catch_unwind(|| assert!(said.len() == 1, "of {said}"));
                let _ = std::panic::catch_unwind(|| panic!("in the source"));
            }
        });
        assert!(!log.contains("canary") && log.contains("in the source") && log.contains("src/log.rs:"), "{log}");
    }

    #[test]
    fn d04_no_level_makes_others_write_what_people_said() {
        for (level, ours) in [(None, false), (Some("INFO"), false), (Some("DEBUG"), true), (Some("TRACE"), true)] {
            let log = logged(level);
            assert!(!log.contains("canary") && log.contains("theirs"), "{level:?}: {log}");
            assert_eq!(log.contains("ours"), ours, "{level:?}: {log}");
        }
        assert!(logged(Some("ERROR")).is_empty());
    }
}
