use serde_json::json;

use super::*;

/// What `/work *` sends to another agent, and what that agent reads of it.
#[test]
fn a_prefix_picks_the_agent_who_need_not_read_it() {
    let config: RoutingConfig = serde_json::from_value(json!({
        "agents": { "entries": { "main": { "default": true }, "work": {} } },
        "bindings": [{ "agentId": "work", "match": { "channel": "telegram", "text": "/work *" }, "stripPrefix": true }],
    }))
    .unwrap();
    let table = RoutingTable::new(&config);
    let routed = |text: &str| {
        let input = RouteInput { channel: Some("telegram".into()), text: Some(text.into()), ..RouteInput::default() };
        let route = resolve_route(&table, &input).unwrap();
        (route.agent_id.as_str().to_owned(), route.text_of(text).to_owned())
    };
    assert_eq!(routed("/work what is due?"), ("work".into(), "what is due?".into()));
    assert_eq!(routed("  /WORK  /status"), ("work".into(), "/status".into()));
    assert_eq!(routed("/workshop today"), ("main".into(), "/workshop today".into()));
    assert_eq!(routed("hello /work x"), ("main".into(), "hello /work x".into()));
    assert_eq!(routed("/work"), ("main".into(), "/work".into()));
}

#[test]
fn without_being_asked_nothing_is_taken_from_the_text() {
    let mut rule = json!({ "agentId": "main", "match": { "channel": "telegram", "text": "é? *" } });
    let text_of = |rule: &serde_json::Value, text: &str| {
        let config: RoutingConfig = serde_json::from_value(json!({ "bindings": [rule] })).unwrap();
        let input = RouteInput { channel: Some("telegram".into()), text: Some(text.into()), ..RouteInput::default() };
        resolve_route(&RoutingTable::new(&config), &input).unwrap().text_of(text).to_owned()
    };
    assert_eq!(text_of(&rule, "é! x"), "é! x");
    rule["stripPrefix"] = json!(true);
    assert_eq!(text_of(&rule, "É! x"), "! x", "what the question mark stands for is the message's own");
    rule["match"]["text"] = json!("/all");
    assert_eq!(text_of(&rule, "/all"), "/all", "nothing would be left");
}
