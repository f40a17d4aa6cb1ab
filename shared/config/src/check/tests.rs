use std::collections::BTreeMap;

use chela_core::gate::{DmPolicy, Gate, GroupPolicy};
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::secrets::SecretInput;
use crate::settings::QueueMode;
use crate::shape::SecretKey;

fn channels() -> Vec<ChannelKeys> {
    let secret = |key: &str, env: &str, required| SecretKey { key: key.into(), env: env.into(), required };
    vec![
        ChannelKeys {
            id: "telegram".into(),
            secrets: vec![
                secret("botToken", "TELEGRAM_BOT_TOKEN", true),
                secret("webhookSecret", "TELEGRAM_WEBHOOK_SECRET", true),
            ],
            options: vec!["apiBaseUrl".into()],
        },
        ChannelKeys {
            id: "webhook".into(),
            secrets: vec![secret("secret", "WEBHOOK_SECRET", true)],
            options: vec!["url".into()],
        },
    ]
}

fn variables(name: &str) -> Option<String> {
    match name {
        "TELEGRAM_BOT_TOKEN" => Some("123456:HUNTER-bot".into()),
        "TELEGRAM_WEBHOOK_SECRET" => Some("HUNTER-webhook".into()),
        "PORT_TEXT" => Some("HUNTER-port".into()),
        _ => None,
    }
}

fn checked(text: &str) -> Checked {
    let channels = channels();
    let surroundings = Surroundings { variables: &variables, missing: MissingVariable::Refuse, channels: &channels };
    check("chela.json5", text, &|_| None, &surroundings)
}

fn loose(text: &str) -> Checked {
    let surroundings = Surroundings { variables: &|_| None, missing: MissingVariable::Defer, channels: &[] };
    check("chela.json5", text, &|_| None, &surroundings)
}

fn said(findings: &[Finding]) -> Vec<String> {
    findings.iter().map(|f| format!("{}:{} {}: {} → {}", f.line, f.column, f.path, f.message, f.fix)).collect()
}

fn errors(text: &str) -> Vec<String> {
    said(&checked(text).report.errors)
}

fn warnings(text: &str) -> Vec<String> {
    let Checked { report, .. } = checked(text);
    assert_eq!(said(&report.errors), Vec::<String>::new(), "{text}");
    said(&report.warnings)
}

fn config(text: &str) -> Config {
    let Checked { report, config, .. } = checked(text);
    config.unwrap_or_else(|| panic!("{}", report.render()))
}

#[test]
fn an_empty_file_is_the_default() {
    assert_eq!(config("{}"), Config::default());
    assert!(checked("{}").report.is_clean());
}

#[test]
fn the_reference_manual_is_the_default_and_needs_no_warning() {
    let Checked { report, config, .. } = checked(crate::DEFAULT_TEXT);
    assert!(report.is_clean(), "{}", report.render());
    let config = config.unwrap();
    assert_eq!(config.routing.agents.ids(), ["main"], "an empty list of agents is no list");
    assert_eq!(config, Config { routing: config.routing.clone(), ..Config::default() });
}

#[test]
fn a_configuration_of_openclaw_is_read_with_warnings_only() {
    let text = r#"{
      agents: { defaults: { workspace: "~/.openclaw/workspace", model: { primary: "anthropic/claude", fallbacks: [] },
                            heartbeat: { every: "30m", target: "last" } },
                entries: { main: { identity: { name: "Samantha" }, groupChat: { mentionPatterns: ["@claw"] } } } },
      bindings: [{ agentId: "main", comment: "all", match: { channel: "telegram", peer: { kind: "direct", id: "1" } } }],
      session: { dmScope: "per-peer", identityLinks: { ada: ["telegram:1"] }, reset: { mode: "daily" } },
      channels: {
        telegram: { enabled: true, botToken: { source: "env", provider: "default", id: "TELEGRAM_BOT_TOKEN" },
                    dmPolicy: "pairing", allowFrom: [123, "tg:456"], linkPreview: true,
                    groups: { "*": { requireMention: true, topics: {} } }, streaming: { mode: "partial", block: {} } },
        whatsapp: { allowFrom: ["+15555550123"] },
      },
      messages: { queue: { mode: "steer", drop: "summarize" }, ackReaction: "x" },
      gateway: { port: 18789, bind: "loopback", auth: { mode: "token", token: "0123456789abcdef01234567" } },
      plugins: {}, hooks: {},
    }"#;
    let found = checked(text);
    let keys: Vec<_> = found.report.warnings.iter().map(|f| f.path.as_str()).collect();
    let expected = [
        "agents.defaults.workspace",
        "agents.defaults.heartbeat.target",
        "bindings[0].comment",
        "session.reset",
        "channels.telegram.linkPreview",
        "channels.telegram.groups.*.topics",
        "channels.whatsapp",
        "messages.queue.drop",
        "gateway.port",
        "gateway.bind",
        "gateway.auth.mode",
        "plugins",
        "hooks",
    ];
    assert_eq!((keys, said(&found.report.errors)), (expected.to_vec(), Vec::new()));
    let config = found.config.unwrap();
    let account = config.account("telegram", "default").unwrap();
    assert_eq!(account.gate.allow_from, ["123", "tg:456"]);
    assert_eq!(config.messages.queue.mode, QueueMode::Steer);
    assert_eq!(config.agents.models_of("main"), ["anthropic/claude"]);
    assert_eq!(config.mention_patterns("main"), ["@claw"]);
    assert_eq!(config.routing.bindings.len(), 1);
    assert_eq!(config.routing.agents.ids(), ["main"]);
    assert_eq!(found.secrets.first().unwrap().path, "channels.telegram.botToken");
}

#[test]
fn every_mistake_is_found_at_once_with_its_place_and_a_fix() {
    let text = "{\n  chanels: {},\n  channels: { telegram: { dmPolcy: 'open', enabled: 'yes',\n    groupPolicy: 'allowlst', textChunkLimit: 5 } },\n  messages: { queue: { cap: 'many' } },\n  cron: { jobs: [{ name: 'a' }] },\n  session: { dmScope: 'HUNTER' },\n  sesion: 1,\n}";
    let expected = [
        "2:3 chanels: there is no such key → did you mean \"channels\"?",
        "3:27 channels.telegram.dmPolcy: there is no such key → did you mean \"dmPolicy\"?",
        "3:53 channels.telegram.enabled: must be true or false, not a text → write true or false without quotes",
        "4:18 channels.telegram.groupPolicy: \"allowlst\" is not one of \"allowlist\", \"open\", \"disabled\" → did you mean \"allowlist\"?",
        "4:46 channels.telegram.textChunkLimit: must be at least 200 and at most 100000 → choose a number within these bounds",
        "5:29 messages.queue.cap: must be a whole number, not a text → remove the quotes",
        "6:18 cron.jobs[0]: \"expression\" is missing → add expression: …",
        "6:18 cron.jobs[0]: \"prompt\" is missing → add prompt: …",
        "7:23 session.dmScope: is not one of \"main\", \"per-peer\", \"per-channel-peer\", \"per-account-channel-peer\" → write one of them",
        "8:3 sesion: there is no such key → did you mean \"session\"?",
    ];
    assert_eq!(errors(text), expected);
}

#[test]
fn a_report_shows_the_line_without_its_values() {
    let text = "{\n  channels: {\n    telegram: { botToken: 'HUNTER', dmPolcy: 'open' }, // HUNTER\n  },\n}";
    let report = checked(text).report;
    insta::assert_snapshot!(report.render(), @r#"
    chela.json5:3:37: error: channels.telegram.dmPolcy: there is no such key
     3 | telegram: { botToken: …, dmPolcy: … }, …
       |                          ^
       = fix: did you mean "dmPolicy"?
    "#);
    let json = serde_json::to_value(&report).unwrap();
    let expected = json!({
        "severity": "error", "path": "channels.telegram.dmPolcy", "file": "chela.json5", "line": 3, "column": 37,
        "message": "there is no such key", "fix": "did you mean \"dmPolicy\"?",
    });
    assert_eq!(json, json!({ "errors": [expected], "warnings": [] }));
}

#[test]
fn channels_and_their_keys_are_known_ones() {
    assert_eq!(
        errors("{ channels: { telegrm: {} } }"),
        ["1:15 channels.telegrm: there is no such channel → did you mean \"telegram\"?"]
    );
    assert_eq!(
        errors("{ channels: { minitel: {} } }"),
        ["1:15 channels.minitel: there is no such channel → channels are: telegram, webhook"]
    );
    let wrong = "{ channels: { telegram: { accounts: { a: { botTokn: 'x', webhookSecret: 'x' } } } } }";
    assert!(errors(wrong).first().unwrap().ends_with("botTokn: there is no such key → did you mean \"botToken\"?"));
    // Where nobody described the channels, only misspelt common keys are mistakes.
    assert!(loose("{ channels: { minitel: { line: 3615 } } }").report.is_clean());
    assert_eq!(loose("{ channels: { minitel: { dmpolicy: 'open' } } }").report.errors.len(), 1);
}

#[test]
fn a_required_secret_must_be_somewhere() {
    let all = "{ channels: { telegram: {} } }";
    assert_eq!(warnings(all), Vec::<String>::new(), "both variables are set");
    assert!(
        errors("{ channels: { webhook: {} } }").first().unwrap().contains("channels.webhook.secret: secret is missing")
    );
    assert_eq!(warnings("{ channels: { webhook: { secret: { source: 'ssm', id: '/x' } } } }"), Vec::<String>::new());
    assert!(errors("{ channels: { webhook: { secret: ' ' } } }").first().unwrap().contains("secret is empty"));
    let named = "{ channels: { telegram: { accounts: { second: { botToken: 'x' } } } } }";
    assert!(
        errors(named).first().unwrap().contains("webhookSecret is missing"),
        "a variable belongs to the default account"
    );
    assert_eq!(warnings("{ channels: { webhook: { enabled: false } } }"), Vec::<String>::new());
}

#[test]
fn open_needs_a_star_and_lists_need_ids() {
    let telegram = |keys: &str| format!("{{ channels: {{ telegram: {{ {keys} }} }} }}");
    let wrong = errors(&telegram("dmPolicy: 'open', allowFrom: [1]"));
    assert!(
        wrong.first().unwrap().starts_with("1:37 channels.telegram.dmPolicy: \"open\" lets everybody in"),
        "{wrong:?}"
    );
    let warned = [
        ("dmPolicy: 'open', allowFrom: ['*']", "channels.telegram.allowFrom: anybody can write"),
        ("dmPolicy: 'allowlist'", "channels.telegram.dmPolicy: the list of senders is empty"),
        ("dmPolicy: 'allowlist', allowFrom: []", "channels.telegram.dmPolicy: the list of senders is empty"),
        ("allowFrom: ['@ada']", "channels.telegram.allowFrom: an entry of this list is no id"),
        ("allowFrom: ['ada']", "channels.telegram.allowFrom: an entry of this list is no id"),
        ("groups: { r: {} }", "channels.telegram.groups: rooms are listed, but no sender"),
        ("allowFrom: [1], groups: { r: { allowFrom: ['Ada L'] } }", "channels.telegram.groups.r.allowFrom: an entry"),
        ("mentionPatterns: ['\\\\bclaw\\\\b']", "channels.telegram.mentionPatterns: a pattern looks like a regular"),
    ];
    for (keys, expected) in warned {
        let warnings = warnings(&telegram(keys));
        assert!(warnings.len() == 1 && warnings.first().unwrap().contains(expected), "{keys}: {warnings:?}");
    }
    for fine in
        ["allowFrom: [1]", "dmPolicy: 'disabled'", "groupAllowFrom: [1], groups: { r: {} }", "allowFrom: ['tg:1', -7]"]
    {
        assert_eq!(warnings(&telegram(fine)), Vec::<String>::new(), "{fine}");
    }
    let matrix = "{ channels: { matrix: { allowFrom: ['@ada:server.org'] } } }";
    assert!(!warnings(matrix).iter().any(|warning| warning.contains("is no id")));
}

#[test]
fn the_api_is_not_opened_by_accident() {
    assert!(errors("{ gateway: { listen: '0.0.0.0:80' } }").first().unwrap().contains("without a key"));
    assert!(
        errors("{ gateway: { listen: '[::]:80', auth: { token: ' ' } } }").first().unwrap().contains("without a key")
    );
    assert_eq!(
        warnings("{ gateway: { listen: '0.0.0.0:80', auth: { token: '0123456789abcdef01234567' } } }"),
        Vec::<String>::new()
    );
    assert_eq!(warnings("{ gateway: { listen: '[::1]:80' } }"), Vec::<String>::new());
    assert!(warnings("{ gateway: { auth: { token: 'short' } } }").first().unwrap().contains("guessed"));
    let wrong = errors("{ gateway: { listen: 'HUNTER', publicOrigin: 'chela.example.com' } }");
    assert_eq!(
        wrong,
        [
            "1:22 gateway.listen: must be an address and a port, such as \"127.0.0.1:18789\" → compare it with docs/configuration.md"
        ]
    );
}

#[test]
fn schedules_are_checked_before_anything_is_deployed() {
    let job = |keys: &str| format!("{{ channels: {{ telegram: {{}} }}, cron: {{ jobs: [{{ {keys} }}] }} }}");
    let good = "name: 'a', prompt: 'p', expression: 'rate(1 hour)'";
    assert_eq!(warnings(&job(good)), Vec::<String>::new());
    let wrong = [
        ("name: 'a b', prompt: 'p', expression: 'rate(1 hour)'", "name: is not a name"),
        ("name: 'a', prompt: 'p', expression: 'rate(0 hours)'", "expression: has not the form rate"),
        ("name: 'a', prompt: 'p', expression: 'every 5m'", "expression: is none of"),
        ("name: 'a', prompt: 'p', expression: 'cron(0 8 * * *)'", "expression: has not the six fields"),
        ("name: 'a', prompt: 'p', expression: 'at(tomorrow)'", "expression: has no time"),
        ("name: 'a', prompt: 'p', expression: 'rate(1 hour'", "expression: lacks its closing"),
        ("name: 'a', prompt: 'p', expression: 'rate(1 hour)', timezone: 'Berlin'", "timezone: is not a time zone"),
        ("name: 'a', prompt: 'p', expression: 'rate(1 hour)', agent: 'x'", "agent: there is no such agent"),
        (
            "name: 'a', prompt: 'p', expression: 'rate(1 hour)', deliverTo: { channel: 'slack', to: 'C' }",
            "channel: this channel",
        ),
        (
            "name: 'a', prompt: 'p', expression: 'rate(1 hour)', deliverTo: { channel: 'telegram', account: 'x', to: 1 }",
            "account: the channel has no such account",
        ),
        (
            "name: 'a', prompt: 'p', expression: 'rate(1 hour)' }, { name: 'A', prompt: 'p', expression: 'rate(1 hour)'",
            "name: another schedule",
        ),
    ];
    for (keys, expected) in wrong {
        let errors = errors(&job(keys));
        assert!(errors.len() == 1 && errors.first().unwrap().contains(expected), "{keys}: {errors:?}");
    }
    let beat = |every: &str| errors(&format!("{{ agents: {{ defaults: {{ heartbeat: {{ every: '{every}' }} }} }} }}"));
    assert_eq!(beat("soon").len(), 1);
    assert_eq!(beat("0m").len(), 0);
}

#[test]
fn schedules_and_heartbeats_make_one_plan() {
    let config = config(
        "{ channels: { telegram: {} }, agents: { defaults: { userTimezone: 'Europe/Berlin', heartbeat: { every: '30m', deliverTo: { channel: 'telegram', to: -100 } } },
           entries: { main: {}, Ops: { heartbeat: { every: '1h', prompt: 'Look.' } }, calm: { heartbeat: { every: '0m' } } } },
           cron: { jobs: [{ name: 'morning', prompt: 'Hi', expression: 'cron(0 8 * * ? *)', agent: 'ops' }, { name: 'off', prompt: 'p', expression: 'rate(1 day)', timezone: 'UTC', enabled: false }] } }",
    );
    let plan: Vec<_> = config
        .plan()
        .into_iter()
        .map(|p| (p.schedule.name, p.schedule.expression.0, p.schedule.timezone, p.schedule.enabled, p.agent))
        .collect();
    let text = String::from;
    let expected = [
        (text("morning"), text("cron(0 8 * * ? *)"), text("Europe/Berlin"), true, Some(text("ops"))),
        (text("off"), text("rate(1 day)"), text("UTC"), false, None),
        (text("heartbeat-ops"), text("rate(1 hour)"), text("Europe/Berlin"), true, Some(text("ops"))),
        (text("heartbeat-main"), text("rate(30 minutes)"), text("Europe/Berlin"), true, Some(text("main"))),
    ];
    for wanted in expected {
        assert!(plan.contains(&wanted), "{wanted:?} in {plan:?}");
    }
    assert_eq!(plan.len(), 4, "\"0m\" is never");
    assert_eq!(
        config.plan().into_iter().find(|p| p.agent.as_deref() == Some("main")).unwrap().deliver_to.unwrap().to,
        "-100"
    );
    let stopped = config_of_stopped();
    assert!(stopped.plan().iter().all(|planned| !planned.schedule.enabled) && !stopped.plan().is_empty());
}

fn config_of_stopped() -> Config {
    config(
        "{ cron: { enabled: false, jobs: [{ name: 'a', prompt: 'p', expression: 'rate(1 day)' }] }, agents: { defaults: { heartbeat: { every: '5m' } } } }",
    )
}

#[test]
fn what_an_account_says_counts_instead_of_what_its_channel_says() {
    let config = config(
        "{ channels: { defaults: { groupPolicy: 'open' }, telegram: {
            dmPolicy: 'allowlist', allowFrom: [1], requireMention: false, groups: { r: {} }, botToken: 'base', webhookSecret: 'base', apiBaseUrl: 'http://base',
            accounts: { a: { allowFrom: [2], groups: {}, botToken: 'own' }, b: { dmPolicy: 'disabled', groupPolicy: 'disabled', enabled: false } } } },
           messages: { groupChat: { mentionPatterns: ['claw'] } } }",
    );
    let a = config.account("telegram", "a").unwrap();
    assert_eq!(a.gate.dm_policy, DmPolicy::Allowlist);
    assert_eq!(a.gate.allow_from, ["2"]);
    assert_eq!(a.gate.groups, BTreeMap::new());
    assert_eq!(a.gate.group_policy, GroupPolicy::Open);
    assert!(!a.gate.require_mention);
    assert_eq!(a.gate.mention_patterns, ["claw"]);
    assert_eq!(a.own.secret("botToken"), SecretInput::from_json(&json!("own")));
    assert_eq!(a.own.secret("webhookSecret"), SecretInput::from_json(&json!("base")));
    assert_eq!(Value::Object(a.own.options(&["botToken", "webhookSecret"])), json!({ "apiBaseUrl": "http://base" }));
    let b = config.account("telegram", "b").unwrap();
    assert_eq!(
        (b.gate.dm_policy, b.gate.group_policy, b.gate.enabled),
        (DmPolicy::Disabled, GroupPolicy::Disabled, false)
    );
    assert_eq!(b.gate.allow_from, ["1"]);
    assert!(config.account("telegram", "default").is_none(), "the channel has named accounts only");
    assert!(config.account("slack", "default").is_none());
    assert_eq!(config.accounts().iter().map(|account| account.id.as_str()).collect::<Vec<_>>(), ["a", "b"]);
}

#[test]
fn a_channel_that_is_off_takes_its_accounts_with_it() {
    let config =
        config("{ channels: { webhook: { enabled: false, accounts: { a: { enabled: true, secret: 'x' } } } } }");
    assert!(!config.account("webhook", "a").unwrap().gate.enabled);
}

#[test]
fn slack_names_of_lists_are_read() {
    let found = loose("{ channels: { slack: { channels: { C1: { users: ['U1'] } } } } }");
    let account = found.config.unwrap().account("slack", "default").unwrap();
    assert_eq!(account.gate.groups.get("C1").unwrap().allow_from, Some(vec!["U1".to_owned()]));
    assert!(found.report.is_clean());
}

#[test]
fn accounts_have_no_accounts_and_do_not_widen_in_silence() {
    let nested =
        errors("{ channels: { telegram: { accounts: { a: { botToken: 'x', webhookSecret: 'x', accounts: {} } } } } }");
    assert!(nested.first().unwrap().contains("accounts.a.accounts: an account cannot have accounts"), "{nested:?}");
    let wide = warnings(
        "{ channels: { telegram: { allowFrom: [1], accounts: { a: { botToken: 'x', webhookSecret: 'x', allowFrom: ['*'] } } } } }",
    );
    assert!(wide.iter().any(|text| text.contains("opens to everybody what its channel keeps")), "{wide:?}");
}

#[test]
fn bindings_name_agents_and_channels_that_exist() {
    let found = warnings("{ bindings: [{ agentId: 'ghost', match: { channel: 'telegram' } }] }");
    assert!(found.first().unwrap().contains("bindings[0].agentId: there is no such agent"));
    assert!(found.get(1).unwrap().contains("match.channel: this channel is not configured"));
    assert!(errors("{ bindings: [{ agentId: 'main', match: {} }] }").first().unwrap().contains("matches nothing"));
}

#[test]
fn tools_must_pass_both_policies() {
    let config = config(
        "{ tools: { deny: ['write'] }, agents: { entries: { a: { tools: { allow: ['read', 'write'] } }, b: { tools: { deny: ['*'] } }, c: {} } } }",
    );
    let policy = config.tool_policy();
    let allowed = |agent: &str, tool: &str| policy.ever(&chela_core::agent_id::AgentId::new(agent), tool);
    assert!(allowed("a", "read") && !allowed("a", "write") && !allowed("a", "edit"));
    assert!(!allowed("b", "read") && allowed("c", "read") && !allowed("c", "write"));
    assert!(!allowed("nobody", "read"));
}

#[test]
fn secrets_never_leave_in_reports_or_debug_output() {
    let text = r#"{
      channels: { telegram: { botToken: "HUNTER1", webhookSecret: "${TELEGRAM_WEBHOOK_SECRET}", apiBaseUrl: "http://HUNTER2", groups: { r: {} } } },
      models: { providers: { p: { apiKey: "HUNTER3", headers: { "x-key": "HUNTER4" } } } },
      gateway: { auth: { token: "HUNTER5" } },
    }"#;
    let found = checked(text);
    let config = found.config.unwrap();
    let shown = format!("{config:?}{:?}{:?}{}", config.accounts(), found.secrets, found.report.render());
    assert!(shown.contains("botToken") && !shown.contains("HUNTER"), "{shown}");
}

#[test]
fn variables_reach_the_configuration_and_missing_ones_are_named() {
    let found = config("{ channels: { telegram: { botToken: '${TELEGRAM_BOT_TOKEN}' } } }");
    let token = found.account("telegram", "default").unwrap().own.secret("botToken").unwrap();
    assert_eq!(token, SecretInput::from_json(&json!("123456:HUNTER-bot")).unwrap());
    let wrong = errors("{ models: { providers: { p: {\n apiKey: '${NOT_SET}' } } } }");
    assert_eq!(
        wrong,
        [
            "2:10 models.providers.p.apiKey: the variable NOT_SET is not set → set NOT_SET where Chela runs, or write $${NOT_SET} if you mean the text itself"
        ]
    );
    let deferred = loose("{ models: { providers: { p: { apiKey: '${NOT_SET}' } } } }");
    assert_eq!(deferred.secrets.len(), 1);
    assert!(matches!(deferred.config.unwrap().models.providers.get("p").unwrap().api_key, Some(SecretInput::Ref(_))));
}

#[test]
fn a_broken_text_is_one_error_with_its_place() {
    assert_eq!(errors("{ a: 1"), ["1:1 the configuration: this object is not closed → add the missing }"]);
}

#[test]
fn a_thousand_mistakes_are_not_a_thousand_findings() {
    let text = format!("{{ {} }}", (0..1000).map(|i| format!("wrong{i}: 1")).collect::<Vec<_>>().join(","));
    assert_eq!(checked(&text).report.errors.len(), MAX_FINDINGS);
}

#[test]
fn the_account_of_a_reply_is_gated_by_the_decision_of_core() {
    let config = config("{ channels: { telegram: { dmPolicy: 'allowlist', allowFrom: ['telegram:7'] } } }");
    let reply_to = json!({ "channel": "telegram", "account": "default", "to": "7" });
    let inbound = json!({
        "channel": "telegram", "account": "default", "event_id": "1", "peer": { "kind": "direct", "id": "7" },
        "sender": { "id": "7" }, "text": "hi", "sent_at": 0, "reply_to": reply_to,
    });
    let inbound = serde_json::from_value(inbound).unwrap();
    let gate = config.account("telegram", "default").unwrap().gate;
    assert!(matches!(chela_core::gate::decide(&gate, &inbound), Gate::Allow(_)));
}

/// Values with a canary in every place a secret could stand.
fn any_config() -> impl Strategy<Value = Value> {
    let word = prop_oneof![
        Just("channels"),
        Just("telegram"),
        Just("botToken"),
        Just("accounts"),
        Just("groups"),
        Just("allowFrom"),
        Just("agents"),
        Just("defaults"),
        Just("model"),
        Just("gateway"),
        Just("auth"),
        Just("token"),
        Just("cron"),
        Just("jobs"),
        Just("dmPolicy"),
        Just("models"),
        Just("providers"),
        Just("apiKey"),
        Just("session"),
        Just("dmScope"),
        Just("bindings"),
        Just("match"),
        Just("enabled"),
        Just("listen"),
        Just("source"),
        Just("id"),
    ];
    let leaf = prop_oneof![
        Just(json!("HUNTER")),
        Just(json!("${PORT_TEXT}")),
        Just(json!("${NO}HUNTER")),
        Just(json!(true)),
        Just(json!(7)),
        Just(json!(null)),
        Just(json!(1.5)),
    ];
    leaf.prop_recursive(6, 40, 5, move |inner| {
        prop_oneof![
            4 => proptest::collection::vec((word.clone(), inner.clone()), 0..5)
                .prop_map(|entries| Value::Object(entries.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())),
            1 => proptest::collection::vec(inner, 0..3).prop_map(Value::from),
        ]
    })
}

proptest! {
    #[test]
    fn whatever_is_written_is_read_or_refused_and_never_repeated(value in any_config()) {
        let found = checked(&serde_json::to_string_pretty(&value).unwrap());
        prop_assert_eq!(found.config.is_some(), found.report.is_usable());
        let shown = format!("{}{}", found.report.render(), serde_json::to_string(&found.report).unwrap());
        prop_assert!(!shown.contains("HUNTER"), "{shown}");
    }

    #[test]
    fn no_text_makes_the_check_panic(text in "[{}\\[\\]:,'\"a-z$/ \\n]{0,60}") {
        let found = checked(&text);
        prop_assert_eq!(found.config.is_some(), found.report.is_usable());
    }
}

#[test]
fn owners_are_named_by_id_and_disabled_commands_exist() {
    let said = errors(r#"{commands: {ownerAllowFrom: ["telegram:7", "*"], disabled: ["export", "/model", "fly"]}}"#);
    assert_eq!(said.len(), 2, "{said:?}");
    assert!(said[0].contains("commands.ownerAllowFrom") && said[0].contains("everybody"), "{said:?}");
    assert!(said[1].contains("commands.disabled[2]") && said[1].contains("docs/commands.md"), "{said:?}");
    let said = warnings(r#"{commands: {ownerAllowFrom: ["@ada"]}}"#);
    assert!(said[0].contains("commands.ownerAllowFrom") && said[0].contains("no id"), "{said:?}");
    assert!(warnings("{commands: {ownerAllowFrom: []}}")[0].contains("nobody is an owner"));
    assert!(warnings(r#"{commands: {allowFrom: {"*": ["7"]}}}"#)[0].contains("ownerAllowFrom"));
}

#[test]
fn every_account_knows_the_owners() {
    let text = r#"{channels: {telegram: {botToken: "${TELEGRAM_BOT_TOKEN}", webhookSecret: "${TELEGRAM_WEBHOOK_SECRET}"}},
                   commands: {ownerAllowFrom: [7, "slack:U1"], native: false, text: false}}"#;
    let config = checked(text).config.unwrap();
    let gate = config.account("telegram", "default").unwrap().gate;
    assert_eq!(gate.owners.as_deref(), Some(&["7".to_owned(), "slack:U1".to_owned()][..]));
    assert!(!config.commands.text && !config.commands.native.is_on());
    let usual = checked("{commands: {native: \"auto\"}}").config.unwrap().commands;
    assert!(usual.text && usual.native.is_on() && usual.owner_allow_from.is_none());
}

#[test]
fn every_mode_of_the_queue_has_its_name() {
    let modes = ["collect", "followup", "steer", "interrupt"].map(|name| QueueMode::named(name).unwrap());
    assert_eq!(modes, [QueueMode::Collect, QueueMode::Followup, QueueMode::Steer, QueueMode::Interrupt]);
    assert_eq!(QueueMode::named("drop"), None);
}

#[test]
fn media_that_contradicts_itself_is_named() {
    let cases = [
        ("{ tts: { auto: \"always\" } }", "1:8 tts.provider"),
        ("{ tts: { provider: \"x\", providers: { x: { baseUrl: \"nowhere\" } } } }", "tts.providers.x.baseUrl"),
        ("{ tools: { media: { models: [{ capabilities: [\"audio\"] }] } } }", "tools.media.models[0].provider"),
        (
            "{ tools: { media: { models: [{ provider: \"a\", baseUrl: \"x\", capabilities: [\"audio\"] }] } } }",
            "tools.media.models[0].baseUrl",
        ),
        (
            "{ tools: { media: { audio: { echoTranscript: true, echoFormat: \"x\" } } } }",
            "tools.media.audio.echoFormat",
        ),
        ("{ agents: { defaults: { mediaModels: { image: \"gpt-image-1\" } } } }", "agents.defaults.mediaModels.image"),
        ("{ tts: { maxTextLength: 0 } }", "tts.maxTextLength"),
    ];
    for (text, place) in cases {
        let errors = errors(text);
        assert!(errors.len() == 1 && errors[0].contains(place), "{text}: {errors:?}");
    }
    let unused = warnings("{ tools: { media: { models: [{ provider: \"groq\" }] } } }");
    assert!(unused.len() == 1 && unused[0].contains("tools.media.models[0].capabilities"), "{unused:?}");
}

#[test]
fn media_is_read_in_openclaws_words() {
    let config = config(
        "{ tools: { media: { models: [{ provider: \"groq\", capabilities: [\"audio\"] },\
           { provider: \"ollama\", capabilities: [\"image\"] }], audio: { language: \"de\" } } },\
           tts: { provider: \"elevenlabs\", providers: { elevenlabs: { modelId: \"m\", voiceId: \"v\" } } },\
           agents: { defaults: { mediaModels: { image: { primary: \"a/b\", fallbacks: [\"c/d\"] } } } } }",
    );
    let ears: Vec<_> = config.tools.media.ears().map(|(at, model)| (at, model.provider.as_str())).collect();
    assert_eq!(ears, [(0, "groq")]);
    let (id, speaker) = config.tts.speaker().unwrap();
    assert_eq!((id, speaker.model.as_deref(), speaker.speaker_voice.as_deref()), ("elevenlabs", Some("m"), Some("v")));
    assert_eq!(config.agents.defaults.media_models.image.unwrap().in_order(), ["a/b", "c/d"]);
}

#[test]
fn commands_without_walls_are_warned_about() {
    for where_to in ["tools: {exec: {host: 'gateway'}}", "agents: {entries: {fox: {tools: {exec: {host: 'gateway'}}}}}"]
    {
        assert!(warnings(&format!("{{ {where_to} }}"))[0].contains("without walls"), "{where_to}");
    }
    assert_eq!(warnings("{ tools: {exec: {host: 'sandbox'}} }"), Vec::<String>::new());
}
