//! `simulation.json`: what runs of this package found, one section for each.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, Write};
use std::path::Path;

use serde_json::{Map, Value, json};

use crate::campaign::Totals;

/// The sections by which a mutant was shown to be caught begin like this.
const MUTANT: &str = "mutant ";

impl Totals {
    /// As it stands in the report.
    pub fn json(&self) -> Value {
        let violations: Vec<String> =
            self.violations.iter().map(|(seed, violation)| format!("seed {seed}: {violation}")).collect();
        json!({
            "seeds": self.seeds,
            "turns": self.turns,
            "faultedTurns": self.faulted_turns,
            "faults": self.faults,
            "flagged": self.flagged,
            "deadLetters": self.dead,
            "partsShown": self.shown,
            "effects": self.effects,
            "modelCalls": self.model_calls,
            "mostModelCalls": self.most_model_calls,
            "violations": violations,
        })
    }
}

/// Puts a section into `simulation.json` of a folder and adds all of them up. Tests are processes of their own, so the
/// file is locked meanwhile.
///
/// # Errors
/// If the file cannot be read or written.
pub fn write_section(folder: &Path, name: &str, section: &Value) -> std::io::Result<()> {
    std::fs::create_dir_all(folder)?;
    let path = folder.join("simulation.json");
    let mut file: File = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
    file.lock()?;
    let mut text = String::new();
    file.read_to_string(&mut text)?;
    let stored: Value = serde_json::from_str(&text).unwrap_or_default();
    let mut sections = stored["sections"].as_object().cloned().unwrap_or_default();
    sections.insert(name.to_owned(), section.clone());
    let text = serde_json::to_string_pretty(&summary(sections))?;
    file.set_len(0)?;
    file.rewind()?;
    file.write_all(text.as_bytes())
}

fn summary(sections: Map<String, Value>) -> Value {
    let campaigns = || sections.values().filter(|section| section["faultedTurns"].is_u64());
    let sum = |key: &str| campaigns().filter_map(|section| section[key].as_u64()).sum::<u64>();
    let mut faults: Map<String, Value> = Map::new();
    let mut violations = Vec::new();
    for section in campaigns() {
        for (fault, count) in section["faults"].as_object().into_iter().flatten() {
            let before = faults.get(fault).and_then(Value::as_u64).unwrap_or_default();
            faults.insert(fault.clone(), json!(before + count.as_u64().unwrap_or_default()));
        }
        violations.extend(section["violations"].as_array().cloned().unwrap_or_default());
    }
    let mutants: Vec<&str> = sections.keys().filter_map(|name| name.strip_prefix(MUTANT)).collect();
    json!({
        "turns": sum("turns"),
        "faultedTurns": sum("faultedTurns"),
        "faults": faults,
        "flagged": sum("flagged"),
        "modelCalls": sum("modelCalls"),
        "violations": violations,
        "mutantsCaught": mutants,
        "sections": sections,
    })
}
