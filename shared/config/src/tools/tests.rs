use chela_core::agent_id::AgentId;
use chela_core::tool_policy::{Limit, Who, decide};

use crate::check::check;
use crate::{ChannelKeys, Config, MissingVariable, Surroundings};

fn read(text: &str) -> (Option<Config>, Vec<String>, Vec<String>) {
    let channels = ["telegram", "slack"].map(|id| ChannelKeys { id: id.into(), secrets: vec![], options: vec![] });
    let surroundings = Surroundings { variables: &|_| None, missing: MissingVariable::Defer, channels: &channels };
    let checked = check("chela.json5", text, &|_| None, &surroundings);
    let said = |found: &[crate::Finding]| {
        found.iter().map(|it| format!("{}:{} {}; {}", it.line, it.path, it.message, it.fix)).collect()
    };
    (checked.config, said(&checked.report.errors), said(&checked.report.warnings))
}

/// The first layer that refuses a tool in a turn of these people.
fn refused(config: &Config, tool: &str, room: Option<&str>, sender: &str) -> Option<String> {
    let mut limit = Limit::default();
    limit.add_who(Who {
        channel: "telegram".into(),
        account: "default".into(),
        rooms: room.into_iter().map(str::to_owned).collect(),
        senders: vec![sender.to_owned()],
    });
    limit.add_step(&AgentId::new("main"), Some("anthropic/claude"));
    decide(tool, &config.tool_policy().layers(&limit, 0)).err().map(|refused| refused.key)
}

#[test]
fn a_typo_in_deny_is_an_error_with_line_and_fix() {
    let (config, errors, _) = read("{ tools: {\n  deny: [\n 'exce', 'group:runtme', 'web_*'] } }");
    assert!(config.is_none());
    assert_eq!(
        errors,
        [
            "3:tools.deny[0] there is no such tool or group, so nothing is denied; did you mean \"exec\"?",
            "3:tools.deny[1] there is no such tool or group, so nothing is denied; did you mean \"group:runtime\"?",
        ]
    );
    for place in [
        "tools: { byProvider: { openai: { deny: ['exce'] } } }",
        "tools: { toolsBySender: { '*': { deny: ['exce'] } } }",
        "tools: { subagents: { tools: { deny: ['exce'] } } }",
        "agents: { entries: { main: { tools: { deny: ['exce'] } } } }",
        "agents: { list: [{ id: 'main', tools: { toolsBySender: { 'id:7': { deny: ['exce'] } } } }] }",
        "channels: { telegram: { tools: { deny: ['exce'] } } }",
        "channels: { telegram: { accounts: { a: { groups: { '-1': { tools: { deny: ['exce'] } } } } } } }",
        "channels: { telegram: { groups: { '-1': { toolsBySender: { 'id:7': { deny: ['exce'] } } } } } }",
    ] {
        let (config, errors, _) = read(&format!("{{ {place} }}"));
        assert!(
            config.is_none() && errors.iter().any(|text| text.contains("did you mean \"exec\"")),
            "{place}: {errors:?}"
        );
    }
}

#[test]
fn a_word_that_allows_nothing_is_a_warning_and_openclaws_own_tools_may_be_denied() {
    let (config, errors, warnings) = read(
        "{ tools: { allow: ['raed', 'canvas', 'group:fs'], deny: ['canvas', 'x_search', 'bundle-mcp', 'bash'] } }",
    );
    assert!(config.is_some() && errors.is_empty(), "{errors:?}");
    assert!(warnings[0].contains("so nothing is allowed; did you mean \"read\"?"), "{warnings:?}");
    assert!(warnings[1].contains("OpenClaw has this tool"), "{warnings:?}");
    assert_eq!(warnings.len(), 2, "{warnings:?}");
    let (_, _, warnings) = read("{ tools: { allow: [] } }");
    assert!(warnings[0].contains("allows no tool at all"), "{warnings:?}");
}

#[test]
fn tools_of_servers_are_known_by_their_server() {
    let servers = "mcp: { servers: { outlook: { command: 'x' } } }";
    let (_, errors, _) =
        read(&format!("{{ {servers}, tools: {{ deny: ['outlook__send*', 'outlok__*', '*__delete'] }} }}"));
    assert_eq!(errors.len(), 1, "{errors:?}");
    assert!(errors[0].contains("tools.deny[1]") && errors[0].contains("did you mean \"outlook__\"?"), "{errors:?}");
}

/// A rule that nobody would be held to must not look like one.
#[test]
fn senders_are_never_known_by_their_names() {
    for key in ["name:Mallory", "username:@mallory", "id:", "channel:telegram", "e164:none"] {
        let (config, errors, _) =
            read(&format!("{{ tools: {{ toolsBySender: {{ '{key}': {{ deny: ['exec'] }} }} }} }}"));
        assert!(config.is_none() && errors.len() == 1, "{key}: {errors:?}");
    }
    let keys = "'id:7': {}, '8': {}, 'channel:tg:9': {}, 'e164:+49 30 1': {}, '*': {}";
    let (config, errors, _) = read(&format!("{{ tools: {{ toolsBySender: {{ {keys} }} }} }}"));
    assert!(config.is_some(), "{errors:?}");
}

/// What OpenClaw's documentation shows means here what it means there.
#[test]
fn a_configuration_of_openclaw_keeps_its_meaning() {
    let (config, errors, warnings) = read(
        r#"{
          tools: {
            profile: "coding",
            alsoAllow: ["browser"],
            byProvider: { anthropic: { deny: ["group:web"] }, "openai/gpt-5.4": { allow: ["group:fs"] } },
            toolsBySender: {
              "channel:telegram:42": { alsoAllow: ["group:fs"] },
              "id:guest-user-id": { deny: ["group:runtime", "group:fs"] },
              "*": { deny: ["exec", "process", "write", "edit", "apply_patch"] },
            },
          },
          agents: { entries: { main: { tools: { deny: ["memory_save"] } } } },
          channels: { telegram: { groupAllowFrom: ["*"], groups: {
            "*": { tools: { deny: ["grep"] } },
            "-1001234567890": {
              tools: { deny: ["exec", "read", "write"] },
              toolsBySender: { "id:42": { alsoAllow: ["exec"] } },
            },
          } } },
        }"#,
    );
    assert!(errors.is_empty() && warnings.is_empty(), "{errors:?} {warnings:?}");
    let config = config.unwrap();
    let direct = |tool, sender| refused(&config, tool, None, sender);
    assert_eq!(direct("exec", "42"), None);
    assert_eq!(direct("browser", "42"), None);
    assert_eq!(direct("message", "42").as_deref(), Some("tools.profile"));
    assert_eq!(direct("web_fetch", "42").as_deref(), Some("tools.byProvider.anthropic.deny"));
    assert_eq!(direct("memory_save", "42").as_deref(), Some("agents.entries.main.tools.deny"));
    assert_eq!(direct("read", "guest-user-id").as_deref(), Some("tools.toolsBySender.id:guest-user-id.deny"));
    assert_eq!(direct("exec", "7").as_deref(), Some("tools.toolsBySender.*.deny"));
    assert_eq!(direct("read", "7"), None);
    let known = Some("-1001234567890");
    assert_eq!(
        refused(&config, "exec", known, "42"),
        None,
        "what is said of the sender stands for what is said of the room"
    );
    assert_eq!(refused(&config, "read", known, "7").unwrap(), "channels.telegram.groups.-1001234567890.tools.deny");
    assert_eq!(refused(&config, "grep", Some("-5"), "42").unwrap(), "channels.telegram.groups.*.tools.deny");
    assert_eq!(refused(&config, "grep", known, "7"), None, "a room that has rules is none of the others");
}

#[test]
fn what_an_account_says_counts_instead_of_what_its_channel_says() {
    let (config, errors, _) = read(
        "{ channels: { telegram: { tools: { deny: ['exec'] }, accounts: { default: { tools: { deny: ['read'] } }, b: {} } } } }",
    );
    let config = config.unwrap_or_else(|| panic!("{errors:?}"));
    assert_eq!(refused(&config, "read", None, "7").unwrap(), "channels.telegram.accounts.default.tools.deny");
    assert_eq!(refused(&config, "exec", None, "7"), None);
    let (config, _, _) = read("{ channels: { telegram: { tools: { deny: ['exec'] } } } }");
    assert_eq!(refused(&config.unwrap(), "exec", None, "7").unwrap(), "channels.telegram.tools.deny");
}
