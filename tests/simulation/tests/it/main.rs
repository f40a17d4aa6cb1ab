//! The simulation under test: its parts keep their laws, the turn keeps its promises, broken parts are found out.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod laws;
mod mutants;
mod promises;
mod slow;

use chela_simulation::write_section;
use serde_json::Value;

/// Notes a result where the documentation is generated from.
fn report(name: &str, section: &Value) {
    if let Some(folder) = std::env::var_os("CHELA_REPORT_DIR") {
        write_section(folder.as_ref(), name, section).unwrap();
    }
}
