//! What OpenClaw's own functions answered, and what ours answer. The `generated_` files are a larger sample, made by
//! running the functions of openclaw 2026.9.6 over random input of the same shape.

use chela_core::explain::{self, ExplainError};
use serde_json::Value;

fn agrees(file: &str, explain: fn(&Value) -> Result<(Value, String), ExplainError>) {
    let path = format!("{}/../../tests/fixtures/openclaw/{file}", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).unwrap();
    let mut lines = 0;
    for (number, line) in text.lines().enumerate() {
        let line: Value = serde_json::from_str(line).unwrap();
        let explained = explain(&line["input"]);
        lines += 1;
        if line["output"] == serde_json::json!({"throws": true}) {
            assert!(matches!(explained, Err(ExplainError::Route(_))), "{file}:{}: OpenClaw refuses it", number + 1);
            continue;
        }
        let (output, reason) = explained.unwrap();
        assert_eq!(output, line["output"], "{file}:{} for {}", number + 1, line["input"]);
        assert!(!reason.is_empty());
    }
    assert!(lines > 0, "{file} is empty");
}

#[test]
fn routes() {
    agrees("routes.jsonl", explain::route);
    agrees("generated_routes.jsonl", explain::route);
}

#[test]
fn session_keys() {
    agrees("session_keys.jsonl", explain::session_key);
    agrees("generated_session_keys.jsonl", explain::session_key);
}

#[test]
fn parsed_keys() {
    agrees("parse_keys.jsonl", explain::parse_key);
    agrees("generated_parse_keys.jsonl", explain::parse_key);
}

#[test]
fn agent_and_account_ids() {
    agrees("agent_ids.jsonl", explain::agent_id);
    agrees("generated_agent_ids.jsonl", explain::agent_id);
}

#[test]
fn chunks() {
    agrees("chunks.jsonl", explain::chunk);
    agrees("generated_chunks.jsonl", explain::chunk);
}
