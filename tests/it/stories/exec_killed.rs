//! `chela run`, killed while a command runs, before, and after it ran but before that was stored: the command is not run a
//! second time, the model is told that nobody knows, and nothing of the jail is left.

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::json;

use super::exec::{exec_argv, house, notes, with_bubblewrap};
use super::house::House;
use super::provider::says;
use crate::binaries::{Gateway, chela};
use crate::local::PATIENCE;

const UNKNOWN: &str = "The outcome of this call is unknown";

/// How many processes of this machine have this word among their arguments.
fn alive(word: &str) -> usize {
    let has = |folder: &Path| {
        let said = std::fs::read(folder.join("cmdline")).unwrap_or_default();
        said.split(|byte| *byte == 0).any(|argument| argument == word.as_bytes())
    };
    std::fs::read_dir("/proc").unwrap().flatten().filter(|entry| has(&entry.path())).count()
}

async fn until(what: &str, holds: impl Fn() -> bool) {
    let patience = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < patience, "{what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// The same house, started again; dying at a point if one is named.
async fn again(mut house: House, point: Option<&str>) -> House {
    house.gateway.kill();
    let mut command = chela();
    command.env("PATH", with_bubblewrap()).envs(point.map(|point| ("CHELA_KILL_AT", point)));
    house.gateway = Gateway::start_with(house.folder.path(), command).await;
    house
}

#[tokio::test]
async fn a_command_dies_with_its_gateway_and_is_not_begun_again() {
    let house = house(with_bubblewrap(), json!({"tools": {"exec": {"allowlist": [["sleep", "*"]]}}})).await;
    let word = format!("300.{}", std::process::id());
    house.provider("claude").will([exec_argv("1", &["sleep", &word], "")]);
    house.ada().writes("Wait a bit.").await;
    until("the command runs", || alive(&word) > 0).await;

    house.provider("claude").will([says("I do not know.")]);
    let mut house = house;
    house.gateway.kill();
    until("the jail ended with its gateway", || alive(&word) == 0).await;
    let house = again(house, None).await;
    let seen = std::cell::Cell::new(0);
    until("an answer", || {
        seen.set(seen.get() + alive(&word));
        !house.ada().shown().is_empty()
    })
    .await;
    assert_eq!(house.ada().sees(1).await[0].text, "I do not know.");
    assert_eq!((seen.get(), alive(&word)), (0, 0), "it ran again");
    let told = house.provider("claude").last().result().unwrap();
    assert!(told.starts_with(UNKNOWN), "{told}");
}

#[tokio::test]
async fn a_command_whose_end_was_not_stored_is_not_run_again() {
    for (point, wrote) in [("running.before", ""), ("running.after", "once\n")] {
        let listed = json!({"tools": {"exec": {"allowlist": [["tee", "-a", "ran.txt"]]}}});
        let mut house = again(house(with_bubblewrap(), listed).await, Some(point)).await;
        let (ran, claude) = (notes(&house, "ran.txt"), house.provider("claude").clone());
        claude.will([exec_argv("1", &["tee", "-a", "ran.txt"], "once\n"), says("I do not know.")]);
        house.ada().writes("Note it.").await;
        let ended = house.gateway.ended(PATIENCE).await;
        assert!(ended.contains("signal: 9"), "{point} was never reached: {ended}");
        assert_eq!(std::fs::read_to_string(&ran).unwrap_or_default(), wrote, "{point}");

        let house = again(house, None).await;
        assert_eq!(house.ada().sees(1).await[0].text, "I do not know.", "{point}");
        let told = claude.last().result().unwrap();
        assert!(told.starts_with(UNKNOWN), "{point}: {told}");
        assert_eq!(std::fs::read_to_string(&ran).unwrap_or_default(), wrote, "{point}: it ran again");
    }
}
