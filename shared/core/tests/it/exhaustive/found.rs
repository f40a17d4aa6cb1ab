//! What was found, each exploration once per run of the tests.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock};

use serde_json::json;

use super::exploration::{Exploration, Found};
use super::scope::{Mutant, SCOPES, Scope};

type Cell = Arc<OnceLock<Found>>;
static ALL: Mutex<BTreeMap<(&'static str, Option<Mutant>), Cell>> = Mutex::new(BTreeMap::new());

pub fn scope(name: &str) -> Scope {
    *SCOPES.iter().find(|scope| scope.name == name).unwrap()
}

/// What exploring a scope finds.
pub fn found(name: &str, mutant: Option<Mutant>) -> Found {
    let scope = scope(name);
    let cell = ALL.lock().unwrap().entry((scope.name, mutant)).or_default().clone();
    cell.get_or_init(|| Exploration::run(scope, mutant)).clone()
}

/// Everything, for those who write reports.
#[test]
fn the_report_is_written_where_it_is_asked_for() {
    let plain = SCOPES.iter().map(|scope| found(scope.name, None));
    let mutants = super::mutants::CAUGHT.iter().map(|(mutant, scope, ..)| found(scope, Some(*mutant)));
    let covered = super::mutants::COVERED.iter();
    let covered = covered.flat_map(|(mutant, scopes)| scopes.iter().map(|scope| found(scope, Some(*mutant))));
    let rows: Vec<serde_json::Value> = plain
        .chain(mutants)
        .chain(covered)
        .map(|found| {
            json!({
                "scope": found.scope,
                "states": found.states,
                "violations": found.violations,
                "mutant": found.mutant.map(|mutant| format!("{mutant:?}")),
                "found_violation": found.first.as_ref().map(|(kind, text)| format!("{kind:?}: {text}")),
                "story": found.story,
            })
        })
        .collect();
    assert!(rows.len() > SCOPES.len() + super::mutants::CAUGHT.len());
    if let Some(folder) = std::env::var_os("CHELA_REPORT_DIR") {
        std::fs::create_dir_all(&folder).unwrap();
        let file = std::path::Path::new(&folder).join("exhaustive.json");
        std::fs::write(file, serde_json::to_string_pretty(&rows).unwrap()).unwrap();
    }
}
