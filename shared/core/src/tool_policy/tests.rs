#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use proptest::prelude::*;

use super::*;

fn list(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

fn allow(words: &[&str]) -> ToolRules {
    ToolRules { allow: Some(list(words)), ..ToolRules::default() }
}

fn deny(words: &[&str]) -> ToolRules {
    ToolRules { deny: list(words), ..ToolRules::default() }
}

fn all(rules: ToolRules) -> ToolPolicy {
    ToolPolicy { all: Scope { at: "tools".into(), rules, ..Scope::default() }, ..ToolPolicy::default() }
}

/// A turn of one sender with one agent.
fn turn(agent: &str, model: &str, who: Who) -> Limit {
    let mut limit = Limit { who: vec![who], ..Limit::default() };
    limit.add_step(&AgentId::new(agent), Some(model));
    limit
}

fn direct(sender: &str) -> Who {
    Who { channel: "telegram".into(), account: "default".into(), rooms: vec![], senders: list(&[sender]) }
}

fn refused(policy: &ToolPolicy, limit: &Limit, tool: &str) -> Option<String> {
    decide(tool, &policy.layers(limit, 0)).err().map(|refused| refused.key)
}

fn ada() -> Limit {
    turn("main", "anthropic/claude", direct("7"))
}

#[test]
fn without_a_word_everything_may_be_used() {
    for tool in ["exec", "server__tool", "anything"] {
        assert_eq!(refused(&ToolPolicy::default(), &ada(), tool), None);
        assert_eq!(refused(&ToolPolicy::default(), &Limit::unknown(), tool), None);
    }
}

#[test]
fn deny_wins_whatever_allows() {
    let rules = ToolRules { allow: Some(list(&["*"])), also_allow: list(&["exec"]), deny: list(&["EXEC"]) };
    assert_eq!(refused(&all(rules), &ada(), "exec").unwrap(), "tools.deny");
    assert_eq!(refused(&all(deny(&["*"])), &ada(), "read").unwrap(), "tools.deny");
    let servers = all(deny(&["github__createissue"]));
    assert!(refused(&servers, &ada(), "GitHub__createIssue").is_some(), "a server writes its names as it likes");
}

#[test]
fn an_empty_list_allows_nothing() {
    assert_eq!(refused(&all(allow(&[])), &ada(), "read").unwrap(), "tools.allow");
    assert_eq!(refused(&all(allow(&["", " "])), &ada(), "read").unwrap(), "tools.allow");
}

#[test]
fn groups_globs_and_second_names_stand_for_tools() {
    let cases: &[(&str, &[&str], &[&str])] = &[
        ("group:fs", &["read", "write", "edit", "apply_patch", "ls", "find", "grep"], &["exec", "memory_get"]),
        ("group:runtime", &["exec", "process"], &["read"]),
        ("Group:Memory", &["memory_save", "memory_graph"], &["read"]),
        ("group:mcp", &["github__create_issue", "GitHub__x"], &["read", "_", "memory_get"]),
        ("bundle-mcp", &["a__b"], &["read"]),
        ("group:plugins", &["a__b"], &["read"]),
        ("group:openclaw", &["browser", "cron", "web_fetch"], &["exec", "write", "a__b"]),
        ("bash", &["exec"], &["bash__x", "process"]),
        ("automations", &["cron"], &["gateway"]),
        ("apply-patch", &["apply_patch"], &["edit"]),
        ("memory_*", &["memory_get", "memory_save"], &["memory", "xmemory_get"]),
        ("*_search", &["web_search", "memory_search"], &["web_fetch"]),
        ("git*__*_issue", &["github__create_issue"], &["github__delete"]),
        ("write", &["write"], &["apply_patch", "edit"]),
    ];
    for (word, in_it, outside) in cases {
        for tool in *in_it {
            assert_eq!(refused(&all(deny(&[word])), &ada(), tool).unwrap(), "tools.deny", "{word} {tool}");
            assert_eq!(refused(&all(allow(&[word])), &ada(), tool), None, "{word} {tool}");
        }
        for tool in *outside {
            assert_eq!(refused(&all(deny(&[word])), &ada(), tool), None, "{word} {tool}");
            assert_eq!(refused(&all(allow(&[word])), &ada(), tool).unwrap(), "tools.allow", "{word} {tool}");
        }
    }
}

#[test]
fn profiles_are_openclaws() {
    let may = |profile: Profile, tool: &str| {
        let mut policy = all(ToolRules::default());
        policy.all.profile = Some(profile);
        refused(&policy, &ada(), tool)
    };
    assert_eq!(may(Profile::Minimal, "session_status"), None);
    assert_eq!(may(Profile::Minimal, "read").unwrap(), "tools.profile");
    assert_eq!(may(Profile::Minimal, "a__b").unwrap(), "tools.profile");
    for tool in ["read", "exec", "web_fetch", "memory_save", "sessions_spawn", "cron", "a__b", "image_generate"] {
        assert_eq!(may(Profile::Coding, tool), None, "{tool}");
    }
    for tool in ["message", "browser", "tts", "agents_list"] {
        assert_eq!(may(Profile::Coding, tool).unwrap(), "tools.profile", "{tool}");
    }
    for tool in ["message", "sessions_send", "session_status", "a__b"] {
        assert_eq!(may(Profile::Messaging, tool), None, "{tool}");
    }
    for tool in ["read", "exec", "cron", "memory_save", "web_fetch"] {
        assert_eq!(may(Profile::Messaging, tool).unwrap(), "tools.profile", "{tool}");
    }
    assert_eq!(may(Profile::Full, "whatever"), None);
}

/// The whole house: every layer says something.
fn house() -> ToolPolicy {
    let by_sender = |key: &str, rules| BTreeMap::from([(key.to_owned(), rules)]);
    let mut policy = all(deny(&["tts"]));
    policy.all.profile = Some(Profile::Messaging);
    policy.all.by_sender = by_sender("*", deny(&["message"]));
    policy.all.by_provider = BTreeMap::from([
        ("openai".into(), ModelToolRules { deny: list(&["exec"]), ..ModelToolRules::default() }),
        ("openai/small".into(), ModelToolRules { profile: Some(Profile::Minimal), ..ModelToolRules::default() }),
    ]);
    let worker = Scope {
        at: "agents.entries.worker.tools".into(),
        profile: Some(Profile::Coding),
        rules: ToolRules { also_allow: list(&["browser"]), deny: list(&["write"]), ..ToolRules::default() },
        by_sender: by_sender("id:7", ToolRules::default()),
        ..Scope::default()
    };
    policy.agents.insert(AgentId::new("worker"), worker);
    policy.agents.insert(AgentId::new("main"), Scope::default());
    let room = Room {
        at: "channels.telegram.groups.-1".into(),
        rules: Some(deny(&["group:fs"])),
        by_sender: by_sender("channel:telegram:7", deny(&["edit"])),
    };
    let others = Room { at: "channels.telegram.groups.*".into(), rules: Some(allow(&["read"])), ..Room::default() };
    let place = Place {
        at: "channels.telegram.tools".into(),
        rules: deny(&["process"]),
        rooms: BTreeMap::from([("-1".into(), room), ("*".into(), others)]),
    };
    policy.places.insert(("telegram".into(), "default".into()), place);
    policy.subagents = deny(&["web_fetch"]);
    policy
}

#[test]
fn every_layer_takes_away_and_says_so() {
    let house = house();
    let room = |id: &str, sender: &str| Who { rooms: list(&[id]), ..direct(sender) };
    let cases: &[(Limit, &str, Option<&str>)] = &[
        (turn("main", "x/y", direct("7")), "read", Some("tools.profile")),
        (turn("main", "x/y", direct("7")), "message", Some("tools.toolsBySender.*.deny")),
        (turn("worker", "x/y", direct("7")), "read", None),
        (turn("worker", "x/y", direct("7")), "browser", None),
        (turn("worker", "x/y", direct("7")), "message", Some("agents.entries.worker.tools.profile")),
        (turn("worker", "x/y", direct("7")), "write", Some("agents.entries.worker.tools.deny")),
        (turn("worker", "x/y", direct("7")), "process", Some("channels.telegram.tools.deny")),
        (turn("worker", "openai/big", direct("7")), "exec", Some("tools.byProvider.openai.deny")),
        (turn("worker", "openai/small", direct("7")), "read", Some("tools.byProvider.openai/small.profile")),
        (turn("worker", "openai/small", direct("7")), "session_status", None),
        (turn("worker", "x/y", room("-1", "8")), "read", Some("channels.telegram.groups.-1.tools.deny")),
        (turn("worker", "x/y", room("-1", "7")), "read", None),
        (
            turn("worker", "x/y", room("-1", "7")),
            "edit",
            Some("channels.telegram.groups.-1.toolsBySender.channel:telegram:7.deny"),
        ),
        (turn("worker", "x/y", room("-2", "7")), "grep", Some("channels.telegram.groups.*.tools.allow")),
        // A thread that is a room of its own is in the room around it.
        (
            turn("worker", "x/y", Who { rooms: list(&["t", "-1"]), ..direct("8") }),
            "ls",
            Some("channels.telegram.groups.-1.tools.deny"),
        ),
    ];
    for (limit, tool, key) in cases {
        assert_eq!(refused(&house, limit, tool).as_deref(), *key, "{limit:?} {tool}");
    }
    let layers = house.layers(&turn("worker", "x/y", direct("7")), 1);
    assert_eq!(decide("web_fetch", &layers).unwrap_err().key, "tools.subagents.tools.deny");
    for tool in NOT_FOR_SUBAGENTS {
        assert!(decide(tool, &ToolPolicy::default().layers(&ada(), 1)).is_err(), "{tool}");
        assert!(decide(tool, &ToolPolicy::default().layers(&ada(), 0)).is_ok(), "{tool}");
    }
}

#[test]
fn of_several_senders_each_is_heeded() {
    let mut policy = all(ToolRules::default());
    policy.all.by_sender = BTreeMap::from([("id:7".into(), ToolRules::default()), ("*".into(), deny(&["exec"]))]);
    let limit = |senders: &[&str]| turn("main", "x/y", Who { senders: list(senders), ..direct("") });
    assert_eq!(refused(&policy, &limit(&["7"]), "exec"), None);
    assert!(refused(&policy, &limit(&["7", "8"]), "exec").is_some());
    // Nobody in particular is everybody else, as in OpenClaw.
    assert!(refused(&policy, &limit(&[]), "exec").is_some());
}

#[test]
fn the_narrowest_key_means_a_sender_and_a_number_is_a_telephone_number_only_where_ids_are() {
    let mut policy = all(ToolRules::default());
    let keys = [("channel:telegram:7", "a"), ("id:7", "b"), ("8", "c"), ("e164:+49 1", "d"), ("*", "e")];
    policy.all.by_sender = keys.iter().map(|(key, tool)| ((*key).to_owned(), deny(&[tool]))).collect();
    let denied = |channel: &str, sender: &str| {
        let limit = turn("main", "x/y", Who { channel: channel.into(), ..direct(sender) });
        ["a", "b", "c", "d", "e"].into_iter().find(|tool| refused(&policy, &limit, tool).is_some()).unwrap()
    };
    assert_eq!((denied("telegram", "7"), denied("slack", "7"), denied("slack", "8")), ("a", "b", "c"));
    assert_eq!((denied("whatsapp", "491"), denied("whatsapp", "+491"), denied("telegram", "491")), ("d", "d", "e"));
    assert_eq!(denied("telegram", ""), "e", "a sender without an id is nobody");
    assert_eq!(SenderKey::parse("name:Ada"), Err(SenderKeyError::Name));
    assert_eq!(SenderKey::parse("channel:7"), Err(SenderKeyError::Nobody));
}

#[test]
fn what_each_agent_says_of_a_sender_holds_for_what_went_through_it() {
    let mut policy = all(ToolRules::default());
    let of_fox = Scope { by_sender: BTreeMap::from([("id:7".into(), deny(&["exec"]))]), ..Scope::default() };
    policy.agents = BTreeMap::from([(AgentId::new("main"), Scope::default()), (AgentId::new("fox"), of_fox)]);
    let mut limit = ada();
    assert_eq!(refused(&policy, &limit, "exec"), None);
    limit.add_step(&AgentId::new("fox"), Some("anthropic/claude"));
    assert!(refused(&policy, &limit, "exec").is_some());
}

/// Of work whose beginner nobody knows any more, everything that is said of anybody holds.
#[test]
fn in_doubt_every_rule_about_people_and_places_holds() {
    let limit = Limit { unknown: true, ..turn("worker", "x/y", direct("7")) };
    let house = house();
    for tool in ["edit", "message", "process", "read"] {
        assert!(refused(&house, &limit, tool).is_some(), "{tool}");
    }
    let old: Limit = serde_json::from_str::<crate::queue::MadeFor>("{}").unwrap().limit;
    assert_eq!(old, Limit::unknown(), "what was stored before there were limits");
}

/// The agent, or the account, is not configured any more when the work comes up.
#[test]
fn what_is_gone_allows_nothing() {
    let house = house();
    let gone = turn("ghost", "x/y", direct("7"));
    assert_eq!(refused(&house, &gone, "session_status").unwrap(), "agents.entries.ghost.tools.allow");
    let account = Who { account: "second".into(), ..direct("7") };
    for tool in ["edit", "message", "process"] {
        assert!(refused(&house, &turn("worker", "x/y", account.clone()), tool).is_some(), "{tool}");
    }
    let api = Who { channel: crate::turn::COLLECTED.into(), ..direct("7") };
    assert_eq!(refused(&house, &turn("worker", "x/y", api), "edit"), None);
}

#[test]
fn a_limit_stays_small_and_what_does_not_fit_is_in_doubt() {
    let mut limit = ada();
    for n in 0..200 {
        limit.add_sender("telegram", &format!("{n}00000000"));
        limit.add_step(&AgentId::new(&format!("agent-{}", n % 9)), Some(&format!("provider/model-{n}")));
    }
    assert!(limit.unknown && limit.through.len() <= 25, "{limit:?}");
    assert!((0..9).all(|n| limit.through.iter().any(|step| step.agent.as_str() == format!("agent-{n}"))));
    assert!(serde_json::to_string(&limit).unwrap().len() < 2_000);
    let (mut people, mut steps) = (ada(), ada());
    for n in 0..20 {
        people.add_sender("telegram", &format!("10{n}"));
    }
    for n in 0..24 {
        steps.add_step(&AgentId::new(&format!("agent-{n}")), Some("provider/model"));
    }
    assert!(people.unknown && steps.unknown, "one too many, and nobody after it: {people:?} {steps:?}");
    let mut limit = ada();
    limit.add_sender("slack", "9");
    assert!(limit.unknown, "somebody whose place is not known");
}

/// What nobody in particular began stays bound by the rules for everybody else, whoever speaks later.
#[test]
fn a_sender_who_comes_later_adds_no_tool() {
    let mut policy = all(ToolRules::default());
    policy.all.by_sender = BTreeMap::from([("id:7".into(), ToolRules::default()), ("*".into(), deny(&["exec"]))]);
    let mut limit = turn("main", "x/y", Who { senders: vec![], ..direct("") });
    assert!(refused(&policy, &limit, "exec").is_some());
    limit.add_sender("telegram", "7");
    assert!(refused(&policy, &limit, "exec").is_some());
}

#[test]
fn a_step_is_named_once() {
    let mut limit = Limit::default();
    let main = AgentId::new("main");
    limit.add_step(&main, None);
    limit.add_step(&main, Some("a/b"));
    limit.add_step(&main, Some("a/b"));
    limit.add_step(&main, None);
    assert_eq!(limit.through, [Step { agent: main, model: Some("a/b".into()) }]);
}

#[test]
fn every_word_of_the_catalog_is_known_and_no_other() {
    for word in words() {
        assert_eq!(known(word), Known::Here, "{word}");
    }
    assert_eq!(known("web_*"), Known::Here);
    assert_eq!(known("*"), Known::Here);
    assert_eq!(known("canvas"), Known::Elsewhere);
    assert_eq!(known("a__*"), Known::Server);
    for word in ["", "exce", "group:fss", "webs_*", "group:a__b"] {
        assert_eq!(known(word), Known::Unknown, "{word}");
    }
    let mut names: Vec<&str> = CATALOG.iter().map(|entry| entry.name).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), CATALOG.len());
}

const TOOLS: &[&str] = &["read", "write", "exec", "message", "cron", "web_fetch", "sessions_spawn", "a__b", "tts"];

fn any_words() -> impl Strategy<Value = Vec<String>> {
    let words = ["read", "write", "exec", "group:fs", "group:runtime", "web_*", "*", "bundle-mcp", "message", "cron"];
    prop::collection::vec(prop::sample::select(words.to_vec()).prop_map(str::to_owned), 0..4)
}

fn any_rules() -> impl Strategy<Value = ToolRules> {
    (prop::option::of(any_words()), any_words(), any_words()).prop_map(|(allow, also_allow, deny)| ToolRules {
        allow,
        also_allow,
        deny,
    })
}

fn any_by_sender() -> impl Strategy<Value = BTreeMap<String, ToolRules>> {
    let key = prop::sample::select(vec!["id:7", "id:8", "channel:telegram:7", "*"]).prop_map(str::to_owned);
    prop::collection::btree_map(key, any_rules(), 0..3)
}

fn any_scope(at: &'static str) -> impl Strategy<Value = Scope> {
    let profile = || prop::option::of(prop::sample::select(Profile::ALL.to_vec()));
    let of_model = (profile(), any_rules()).prop_map(|(profile, rules)| ModelToolRules {
        profile,
        allow: rules.allow,
        also_allow: rules.also_allow,
        deny: rules.deny,
    });
    let key = prop::sample::select(vec!["anthropic", "openai", "openai/small"]).prop_map(str::to_owned);
    (profile(), any_rules(), prop::collection::btree_map(key, of_model, 0..3), any_by_sender()).prop_map(
        move |(profile, rules, by_provider, by_sender)| Scope {
            at: at.to_owned(),
            profile,
            rules,
            by_provider,
            by_sender,
        },
    )
}

fn any_policy() -> impl Strategy<Value = ToolPolicy> {
    let room = (prop::option::of(any_rules()), any_by_sender()).prop_map(|(rules, by_sender)| Room {
        at: "room".into(),
        rules,
        by_sender,
    });
    let rooms = prop::collection::btree_map(prop::sample::select(vec!["-1", "*"]).prop_map(str::to_owned), room, 0..3);
    (any_scope("tools"), any_scope("agents.a"), any_rules(), rooms, any_rules()).prop_map(
        |(all, own, of_channel, rooms, subagents)| {
            let place = Place { at: "channel".into(), rules: of_channel, rooms };
            ToolPolicy {
                all,
                agents: BTreeMap::from([(AgentId::new("a"), own)]),
                places: BTreeMap::from([(("telegram".into(), "default".into()), place)]),
                subagents,
            }
        },
    )
}

fn any_step() -> impl Strategy<Value = (AgentId, Option<&'static str>)> {
    let agent = prop::sample::select(vec!["a", "b"]).prop_map(AgentId::new);
    (agent, prop::option::of(prop::sample::select(vec!["anthropic/claude", "openai/small", "openai/big"])))
}

fn any_who() -> impl Strategy<Value = Who> {
    let senders = prop::collection::vec(prop::sample::select(vec!["7", "8", "9"]).prop_map(str::to_owned), 0..3);
    let rooms = prop::collection::vec(prop::sample::select(vec!["-1", "-2"]).prop_map(str::to_owned), 0..2);
    (senders, rooms).prop_map(|(senders, rooms)| Who { rooms, senders, ..direct("") })
}

fn may(layers: &[Layer]) -> Vec<&'static str> {
    TOOLS.iter().copied().filter(|tool| decide(tool, layers).is_ok()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn a_layer_more_never_adds_a_tool(policy in any_policy(), who in any_who(), step in any_step(), more in any_rules(), at in 0usize..9) {
        let mut limit = Limit { who: vec![who], ..Limit::default() };
        limit.add_step(&step.0, step.1);
        let mut layers = policy.layers(&limit, 0);
        let before = may(&layers);
        layers.insert(at.min(layers.len()), Layer::of("more".into(), &more).unwrap_or(Layer::nothing("more".into())));
        prop_assert!(may(&layers).iter().all(|tool| before.contains(tool)));
    }

    /// Whatever is handed on, over however many agents and models: never more than before.
    #[test]
    fn a_child_has_no_tool_its_parent_lacks(
        policy in any_policy(),
        who in any_who(),
        steps in prop::collection::vec((any_step(), prop::option::of(any_who()), prop::option::of("[789]")), 1..6),
    ) {
        let mut limit = Limit { who: vec![who], ..Limit::default() };
        let (first, ..) = &steps[0];
        limit.add_step(&first.0, first.1);
        let mut before = may(&policy.layers(&limit, 0));
        for (depth, ((agent, model), who, sender)) in (1u8..).zip(&steps[1..]) {
            // What travels is what was written and read again.
            limit = serde_json::from_str(&serde_json::to_string(&limit).unwrap()).unwrap();
            who.iter().for_each(|who| limit.add_who(who.clone()));
            sender.iter().for_each(|sender| limit.add_sender("telegram", sender));
            limit.add_step(agent, *model);
            let now = may(&policy.layers(&limit, depth));
            prop_assert!(now.iter().all(|tool| before.contains(tool)), "{now:?} of {before:?}");
            before = now;
        }
        limit.unknown = true;
        prop_assert!(may(&policy.layers(&limit, 1)).iter().all(|tool| before.contains(tool)));
    }
}

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/tools.md");
const BEGIN: &str = "<!-- made from the catalog: begin -->\n";
const END: &str = "<!-- made from the catalog: end -->\n";

fn tables() -> String {
    let code = |names: &[&str]| names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    let mut text = "| group | tools |\n|---|---|\n".to_owned();
    for (group, names) in groups() {
        text.push_str(&match group {
            MCP => format!("| `{group}` | the tools of [servers](mcp.md), `<server>__<tool>` |\n"),
            "group:openclaw" => format!("| `{group}` | all but those of `group:fs`, `group:runtime` and `{MCP}` |\n"),
            _ => format!("| `{group}` | {} |\n", code(&names)),
        });
    }
    text.push_str("\n| profile | allows |\n|---|---|\n");
    for profile in Profile::ALL {
        let allows = profile.allows().map_or("everything, as if there were none".to_owned(), |mut names| {
            // A group whose tools are all allowed stands for them.
            let mut whole = Vec::new();
            for (group, tools) in groups().iter().filter(|(group, _)| !matches!(*group, MCP | "group:openclaw")) {
                if tools.len() > 1 && tools.iter().all(|tool| names.contains(tool)) {
                    names.retain(|name| !tools.contains(name));
                    whole.push(*group);
                }
            }
            code(&whole.into_iter().chain(names).collect::<Vec<_>>())
        });
        text.push_str(&format!("| `{}` | {allows} |\n", profile.name()));
    }
    text
}

#[test]
fn the_page_says_what_the_catalog_says() {
    let page = std::fs::read_to_string(PAGE).unwrap();
    let (before, rest) = page.split_once(BEGIN).unwrap();
    let (_, after) = rest.split_once(END).unwrap();
    let fresh = format!("{before}{BEGIN}\n{}\n{END}{after}", tables());
    if std::env::var_os("UPDATE").is_some() {
        return std::fs::write(PAGE, fresh).unwrap();
    }
    assert!(page == fresh, "docs/tools.md is out of date: UPDATE=1 cargo test -p chela-core the_page_says");
}
