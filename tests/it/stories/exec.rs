//! Commands: the owner sees what would run, agrees, and it runs in the real jail with files that go in and come back.

use std::path::PathBuf;

use serde_json::{Value, json};

use super::house::{House, Plan};
use super::provider::{Line, Speaks, calls, says};
use crate::architecture::root;

/// Programs as they are found where bubblewrap is installed.
pub(super) fn with_bubblewrap() -> std::ffi::OsString {
    let ours = root().join(".tools/bubblewrap/bin");
    let path = std::env::var_os("PATH").unwrap();
    std::env::join_paths([ours].into_iter().chain(std::env::split_paths(&path))).unwrap()
}

pub(super) async fn house(path: std::ffi::OsString, config: Value) -> House {
    let house = Plan::new().provider("claude", Speaks::Anthropic).with(config).finding(path).open().await;
    std::fs::write(notes(&house, "notes.txt"), "one\ntwo\nthree\n").unwrap();
    house
}

pub(super) fn notes(house: &House, name: &str) -> PathBuf {
    house.file("agents/main").join(name)
}

/// A program with its arguments, and what it reads.
pub(super) fn exec_argv(id: &str, argv: &[&str], stdin: &str) -> Line {
    calls(id, "exec", &json!({"argv": argv, "stdin": stdin}))
}

fn exec(id: &str, command: &str) -> Line {
    calls(id, "exec", &json!({"command": command}))
}

#[tokio::test]
async fn a_command_is_shown_whole_and_runs_once_the_owner_agreed() {
    let house = house(with_bubblewrap(), json!({})).await;
    let (ada, bob, claude) = (house.ada().in_room(), house.bob().in_room(), house.provider("claude"));
    let command = "wc -l < notes.txt > counted.txt && cat notes.txt; id -u; cat /etc/shadow; env | grep -c KEY";
    claude.will([calls("1", "tool_search", &json!({"query": "exec"})), exec("2", command), says("There are three.")]);
    ada.writes("How many notes are there?").await;
    let asked = ada.sees(1).await.remove(0);
    assert!(asked.text.contains(&command.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")), "{asked:?}");
    assert_eq!(asked.labels(), ["Allow once", "Deny"], "nobody can tell for sure what a redirection writes");

    bob.presses("Allow once", &asked).await;
    let refused = ada.sees(2).await.remove(1);
    assert!(refused.text.contains("my owner"), "{refused:?}");
    assert_eq!(claude.asked().len(), 2);
    assert!(!notes(&house, "counted.txt").exists(), "it waits");

    ada.presses("Allow once", &asked).await;
    let shown = ada.sees(4).await;
    assert!(shown[2].text.starts_with("Allowed once") && shown[3].text == "There are three.", "{shown:?}");
    let told = claude.last().result().unwrap();
    assert!(told.contains("stdout:\none\ntwo\nthree\n1000\n0\n"), "in a jail, with files and without secrets: {told}");
    assert!(
        told.contains("/etc/shadow: No such file") && told.contains("Files made or changed: counted.txt."),
        "{told}"
    );
    assert_eq!(std::fs::read_to_string(notes(&house, "counted.txt")).unwrap(), "3\n");

    ada.presses("Allow once", &asked).await;
    assert!(ada.sees(5).await[4].text.contains("each approval is for one run"));
    assert_eq!(claude.asked().len(), 3, "and it does not run again");
}

/// The one-time schedule of the request is the only thing that wakes the house here: nobody writes, looks or clicks.
#[tokio::test]
async fn x18_what_nobody_answers_is_told_by_itself_and_a_late_click_runs_nothing() {
    const SHORTEST: u64 = 60;
    let patience = json!({"approvals": {"exec": {"timeoutSeconds": SHORTEST}}});
    let house = house(with_bubblewrap(), patience).await;
    let (ada, claude) = (house.ada(), house.provider("claude"));
    claude.will([exec("1", "touch late.txt"), says("Nobody agreed, so I left it.")]);
    ada.writes("Touch it.").await;
    let asked = ada.sees(1).await.remove(0);
    tokio::time::sleep(std::time::Duration::from_secs(SHORTEST)).await;
    assert_eq!(ada.sees(2).await[1].text, "Nobody agreed, so I left it.");
    let told = claude.last().result().unwrap();
    assert!(told.contains("its time is over, so it counts as denied"), "{told}");
    ada.presses("Allow once", &asked).await;
    let late = ada.sees(3).await.remove(2);
    assert!(late.text.contains("its time is over"), "{late:?}");
    assert_eq!(claude.asked().len(), 2);
    assert!(!notes(&house, "late.txt").exists());
}

#[tokio::test]
async fn what_is_listed_runs_unasked_and_nothing_beside_it() {
    let listed = json!({"tools": {"exec": {"allowlist": [["wc", "-l", "*"]]}}});
    let house = house(with_bubblewrap(), listed).await;
    let (ada, claude) = (house.ada(), house.provider("claude"));
    claude.will([exec("1", "wc -l notes.txt"), says("Three.")]);
    assert_eq!(ada.asks("How many?").await, "Three.");
    let told = claude.last().result().unwrap();
    assert!(told.starts_with("exit code 0") && told.contains("stdout:\n3 notes.txt\n"), "{told}");
    for (id, command) in [("2", "wc -l notes.txt; id"), ("3", "wc -l `id`"), ("4", "env wc -l notes.txt")] {
        claude.will([exec(id, command)]);
        let before = ada.shown().len();
        ada.writes("And now?").await;
        let asked = ada.sees(before + 1).await.remove(before);
        assert!(asked.labels().iter().any(|label| label == "Deny"), "{command}: {asked:?}");
    }
}

#[tokio::test]
async fn without_bubblewrap_nobody_is_asked_and_the_answer_says_how_to_get_it() {
    let nothing = tempfile::tempdir().unwrap();
    let house = house(nothing.path().into(), json!({})).await;
    let (ada, claude) = (house.ada(), house.provider("claude"));
    claude.will([exec("1", "touch here"), says("I cannot.")]);
    assert_eq!(ada.asks("Touch it.").await, "I cannot.");
    let told = claude.last().result().unwrap();
    assert!(told.contains("apt install bubblewrap"), "{told}");
    assert!(!notes(&house, "here").exists());
}
