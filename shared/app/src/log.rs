//! Logs: JSON lines on standard output, one per invocation. Bodies, tokens and names are never fields.

use tracing_subscriber::filter::LevelFilter;

/// Starts logging at `level` (`ERROR` … `TRACE`; anything else is `INFO`). Call it once, first.
pub fn init_json(level: Option<&str>) {
    let level = level.and_then(|level| level.parse().ok()).unwrap_or(LevelFilter::INFO);
    // A second subscriber is refused; the first one stays.
    let _ = tracing_subscriber::fmt().json().flatten_event(true).with_target(false).with_max_level(level).try_init();
}
