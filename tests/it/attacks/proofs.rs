//! Where secrets are compared.

use std::fs;
use std::path::{Path, PathBuf};

use crate::architecture::root;

/// What stands behind a door: whoever comes in through HTTP is judged by one of these.
const DOORS: [&str; 6] = ["shared/channels", "shared/meta", "shared/channel-kit", "shared/app", "functions", "cli"];

/// The only files that may call a request genuine.
const JUDGES: [&str; 2] = ["shared/channel-kit/src/proof.rs", "shared/channel-kit/src/jwt/verify.rs"];

/// Unsigned by its platform; the answer is a constant, and so is what goes on from there.
const UNSIGNED: (&str, &str) = ("shared/channels/slack/src/verify.rs", "return Ok(nothing_said.prove());");

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if path.is_dir() && !["tests", "benches"].contains(&name.as_str()) {
            sources(&path, found);
        } else if name.ends_with(".rs") && !["tests.rs", "simulator.rs"].contains(&name.as_str()) {
            found.push(path);
        }
    }
}

/// The lines that are compiled into the house, without comments.
fn code(path: &Path) -> Vec<String> {
    let text = fs::read_to_string(path).unwrap();
    let own = text.split("#[cfg(test)]\nmod tests {").next().unwrap().lines();
    own.map(str::trim).filter(|line| !line.starts_with("//")).map(str::to_owned).collect()
}

/// Time cannot be measured well enough by a test, so this looks at who compares what: in one place, digests or MACs, which
/// have one length, in constant time.
#[test]
fn w03_secrets_are_compared_in_one_place_by_their_digests_in_constant_time() {
    let mut files = Vec::new();
    DOORS.iter().for_each(|door| sources(&root().join(door), &mut files));
    assert!(files.len() > 200, "{}", files.len());
    let mut judged = 0;
    for file in files {
        let name = file.strip_prefix(root()).unwrap().display().to_string();
        let judge = JUDGES.contains(&name.as_str());
        for line in code(&file) {
            let proves = line.contains(".prove()") && !line.contains(".await");
            let words = ["ct_eq", "constant_time", "verify_slice", "verify_truncated", "hmac::verify"];
            let compares = words.iter().any(|word| line.contains(word));
            let constant = (name.as_str(), line.as_str()) == UNSIGNED;
            assert!(judge || constant || !(proves || compares), "{name} judges by itself: {line}");
            judged += usize::from(proves);
            // A secret, or what was made with one, under `==` ends at the first byte that differs.
            let plain = ["== ", "!= ", ".eq("];
            let equal = plain.iter().any(|word| line.contains(word));
            let secret = [".expose()", "finalize()", ".newest()", "keys.all()"];
            let shape = [".expose().is_empty()", ".expose().trim().is_empty()", ".count()"];
            let shape = shape.iter().any(|word| line.contains(word));
            assert!(!equal || shape || !secret.iter().any(|word| line.contains(word)), "{name} compares: {line}");
        }
    }
    assert!(judged >= 4, "{judged} proofs");
    // A MAC is as long as every other; a word is not, and is hashed before.
    let proof = code(&root().join(JUDGES[0]));
    let constant: Vec<&String> = proof.iter().filter(|line| line.contains("ct_eq(")).collect();
    assert_eq!(constant.len(), 2, "{constant:#?}");
    assert!(
        constant.iter().all(|line| line.contains("own.ct_eq(&mac.0)") || line.matches("Sha256::digest(").count() == 2)
    );
}
