//! `protocol.json` in the folder that `CHELA_REPORT_DIR` names, for the page that shows the results.

use std::fs::{self, File};
use std::io::{Read, Seek, Write};
use std::path::Path;

use chela_protocol::design::{DESIGNS, Design};
use chela_protocol::explore::{Exploration, Finding};
use serde_json::{Value, json};

/// Puts a row of the results table into the report, if one is asked for.
pub(crate) fn record(design: &Design, exploration: &Exploration) {
    if let Some(folder) = std::env::var_os("CHELA_REPORT_DIR") {
        write(Path::new(&folder), design, exploration);
    }
}

/// Replaces the row of this design and leaves the others, under a lock, because each test runs in its own thread or
/// process. Mutants beside the table are left out.
fn write(folder: &Path, design: &Design, exploration: &Exploration) {
    let place = |name: &Value| DESIGNS.iter().position(|known| name.as_str() == Some(known.name));
    let row = row(design, exploration);
    if place(&row["design"]).is_none() {
        return;
    }
    fs::create_dir_all(folder).unwrap();
    let mut options = File::options();
    options.read(true).write(true).create(true).truncate(false);
    let mut file = options.open(folder.join("protocol.json")).unwrap();
    file.lock().unwrap();
    let mut text = String::new();
    file.read_to_string(&mut text).unwrap();
    let mut rows: Vec<Value> = if text.is_empty() { Vec::new() } else { serde_json::from_str(&text).unwrap() };
    rows.retain(|old| old["design"] != row["design"]);
    rows.push(row);
    rows.sort_by_key(|row| place(&row["design"]));
    file.rewind().unwrap();
    file.set_len(0).unwrap();
    file.write_all((serde_json::to_string_pretty(&rows).unwrap() + "\n").as_bytes()).unwrap();
}

fn row(design: &Design, exploration: &Exploration) -> Value {
    let names = |wanted: &dyn Fn(Finding) -> bool| {
        let found = exploration.findings().filter(|(finding, _)| wanted(*finding));
        found.map(|(finding, _)| finding.name()).collect::<Vec<_>>()
    };
    let story = exploration.shortest_violation();
    json!({
        "design": design.name,
        "states": exploration.states(),
        "violations": names(&|finding| finding.is_violation()),
        "flagged": names(&|finding| !finding.is_violation()),
        "story": story.map_or(Vec::new(), |story| [story.steps, vec![story.end.to_owned()]].concat()),
    })
}

#[test]
fn a_report_keeps_one_row_for_each_design_in_the_order_of_the_table() {
    use chela_protocol::design::{IDEMPOTENT_BOTH_WITHOUT_LEASE, SAVE_AT_THE_END, WITHOUT_LEASE_ALONE};

    let folder = tempfile::tempdir().unwrap();
    let designs = [IDEMPOTENT_BOTH_WITHOUT_LEASE, SAVE_AT_THE_END, WITHOUT_LEASE_ALONE];
    let explored = designs.map(|design| (design, Exploration::of(&design)));
    let new = folder.path().join("new");
    std::thread::scope(|scope| {
        for (design, exploration) in explored.iter().cycle().take(60) {
            scope.spawn(|| write(&new, design, exploration));
        }
    });
    let text = fs::read_to_string(new.join("protocol.json")).unwrap();
    let mut rows: Vec<Value> = serde_json::from_str(&text).unwrap();
    let story = rows[0]["story"].take();
    let last = story.as_array().unwrap().last().unwrap();
    assert_eq!(last, "The tool's effect has happened twice");
    assert_eq!(
        Value::from(rows),
        json!([
            {
                "design": "D0 save at the end",
                "states": 8_600,
                "violations": ["duplicate reply", "duplicate tool effect", "duplicate user entry"],
                "flagged": [],
                "story": null,
            },
            {
                "design": "D3 with idempotent send and tools, without lease",
                "states": 35_006,
                "violations": [],
                "flagged": [],
                "story": [],
            },
        ])
    );
}
