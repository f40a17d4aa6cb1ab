//! `chela explain` agrees with every line that OpenClaw's own functions wrote.

use std::io::Write as _;
use std::process::Stdio;

use serde_json::Value;

use crate::architecture::root;
use crate::binaries::chela;

fn agrees(subject: &str, file: &str) {
    let text = std::fs::read_to_string(root().join("tests/fixtures/openclaw").join(file)).unwrap();
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let inputs: String = lines.iter().map(|line| format!("{}\n", line["input"])).collect();
    let mut process =
        chela().args(["explain", subject, "--jsonl"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut stdin = process.stdin.take().unwrap();
    let feed = std::thread::spawn(move || stdin.write_all(inputs.as_bytes()).unwrap());
    let output = process.wait_with_output().unwrap();
    feed.join().unwrap();
    let answers: Vec<Value> =
        String::from_utf8(output.stdout).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(answers.len(), lines.len());
    for (number, (line, answer)) in lines.iter().zip(&answers).enumerate() {
        assert_eq!(answer["output"], line["output"], "{file}:{}: {}", number + 1, line["input"]);
        assert!(!answer["reason"].as_str().unwrap().is_empty());
    }
}

#[test]
fn routes_and_keys_are_those_of_openclaw() {
    agrees("route", "routes.jsonl");
    agrees("session-key", "session_keys.jsonl");
    agrees("session-key", "parse_keys.jsonl");
    agrees("parse-key", "parse_keys.jsonl");
    agrees("agent-id", "agent_ids.jsonl");
}

#[test]
fn long_texts_are_cut_as_by_openclaw() {
    agrees("chunk", "chunks.jsonl");
}

#[test]
fn a_line_that_cannot_be_explained_is_answered_too() {
    let mut process =
        chela().args(["explain", "route", "--jsonl"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    process.stdin.take().unwrap().write_all(b"{\n{\"peer\": 7}\n{}\n").unwrap();
    let output = String::from_utf8(process.wait_with_output().unwrap().stdout).unwrap();
    let lines: Vec<&str> = output.lines().collect();
    assert_eq!(lines.len(), 3);
    assert!(lines[0].contains("line 1") && lines[1].contains("error"), "{output}");
}
