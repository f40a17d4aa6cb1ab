use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::queue::Authority;
use crate::reply::Said as Part;

fn consent(programs: Option<&[&[&str]]>) -> Consent {
    let argv = |words: &&[&str]| words.iter().map(ToString::to_string).collect();
    let programs = programs.map(|programs| programs.iter().map(argv).collect());
    Consent { shown: "git push".into(), programs, beside: String::new() }
}

fn request() -> Request {
    let (session, input) = (SessionKey::from_stored("agent:main:main"), json!({"command": "git push"}));
    let consent = consent(Some(&[&["git", "push"]]));
    let digest = digest("exec", &input, &consent.shown);
    Request {
        id: request_id(&session, &EventKey::of("a", "b", "c"), 0, "call_1", &digest),
        digest,
        session,
        agent: AgentId::new("main"),
        turn: 1,
        call: "call_1".into(),
        model: "test/model".into(),
        tool: "exec".into(),
        input,
        consent,
        caller: Caller { authority: Authority::Owner, senders: vec!["42".into()], ..Caller::default() },
        here: true,
        places: vec![],
        asked_at: Millis(1_000),
        expires_at: Millis(1_000 + VALID_MS),
        state: State::Waiting,
    }
}

fn by(event: &str, at: u64) -> Decided {
    Decided { by: "telegram:42".into(), at: Millis(at), event: event.into() }
}

#[test]
fn a_request_is_decided_once() {
    let allowed = request().decided(Verdict::Once, by("a", 2_000)).unwrap();
    assert_eq!(allowed.state, State::Allowed(by("a", 2_000)));
    assert_eq!(allowed.decided(Verdict::Once, by("a", 9_000)), Ok(allowed.clone()), "the same event again");
    let twice = Err(Refused::Decided { how: "allowed", by: "telegram:42".into() });
    assert_eq!(allowed.decided(Verdict::Once, by("b", 2_001)), twice);
    assert_eq!(allowed.decided(Verdict::Deny, by("a", 2_001)), twice, "not the other way round");
    let denied = request().decided(Verdict::Deny, by("a", 2_000)).unwrap();
    let twice = Err(Refused::Decided { how: "denied", by: "telegram:42".into() });
    assert_eq!(denied.decided(Verdict::Once, by("b", 2_001)), twice);
}

#[test]
fn a_time_that_is_over_denies() {
    let end = 1_000 + VALID_MS;
    assert!(request().decided(Verdict::Once, by("a", end - 1)).is_ok());
    assert_eq!(request().decided(Verdict::Once, by("a", end)), Err(Refused::Expired));
    assert!(!request().overdue(Millis(end - 1)) && request().overdue(Millis(end)));
    let request = request();
    let use_at = |request: &Request, at| request.used(&request.session, &request.digest, "k", Millis(at));
    assert_eq!(use_at(&request, end), Err(Refused::Expired), "not a default that allows");
    assert_eq!(use_at(&Request { state: State::Expired, ..request.clone() }, 2_000), Err(Refused::Expired));
    let allowed = request.decided(Verdict::Once, by("a", 2_000)).unwrap();
    assert!(use_at(&allowed, 2_000 + GRANT_MS).is_ok());
    assert_eq!(use_at(&allowed, 2_001 + GRANT_MS), Err(Refused::Expired));
}

#[test]
fn a_grant_is_for_one_run_of_what_was_shown_in_its_conversation() {
    let allowed = request().decided(Verdict::Once, by("a", 2_000)).unwrap();
    let (session, now) = (allowed.session.clone(), Millis(3_000));
    let other = SessionKey::from_stored("agent:main:telegram:direct:666");
    assert_eq!(allowed.used(&other, &allowed.digest, "k", now), Err(Refused::Elsewhere));
    let changed = digest("exec", &json!({"command": "git push --force"}), "git push");
    assert_eq!(allowed.used(&session, &changed, "k", now), Err(Refused::Changed), "arguments that were not shown");
    assert_eq!(request().used(&session, &allowed.digest, "k", now), Err(Refused::Undecided));
    let used = allowed.used(&session, &allowed.digest, "k", now).unwrap();
    assert_eq!(used.used(&session, &allowed.digest, "k", now), Ok(used.clone()), "the same call after a crash");
    assert_eq!(used.used(&session, &allowed.digest, "l", now), Err(Refused::Used { by: "telegram:42".into() }));
    assert_eq!(used.decided(Verdict::Once, by("b", 4_000)), Err(Refused::Used { by: "telegram:42".into() }));
}

#[test]
fn ids_and_digests_tell_everything_apart() {
    let (session, event) = (SessionKey::from_stored("s"), EventKey::of("a", "b", "c"));
    let ids = [
        request_id(&session, &event, 0, "1", "d"),
        request_id(&SessionKey::from_stored("t"), &event, 0, "1", "d"),
        request_id(&session, &EventKey::of("a", "b", "d"), 0, "1", "d"),
        request_id(&session, &event, 1, "1", "d"),
        request_id(&session, &event, 0, "2", "d"),
        request_id(&session, &event, 0, "1", "e"),
    ];
    let apart: std::collections::BTreeSet<_> = ids.iter().collect();
    assert_eq!(apart.len(), ids.len());
    assert_ne!(digest("a", &json!("b"), "c"), digest("a", &json!("bc"), ""));
}

#[test]
fn it_is_decided_where_it_was_asked() {
    let inbound: Inbound = serde_json::from_value(json!({
        "channel": "telegram", "account": "main", "event_id": "1", "peer": {"kind": "direct", "id": "7"},
        "sender": {"id": "7"}, "text": "", "sent_at": 1,
        "reply_to": {"channel": "telegram", "account": "main", "to": "7"},
    }))
    .unwrap();
    let (own, other) = (request().session, SessionKey::from_stored("agent:main:other"));
    assert!(request().asked_in(&own, &inbound) && !request().asked_in(&other, &inbound));
    let away = Request { here: false, places: vec![inbound.reply_to.clone()], ..request() };
    assert!(away.asked_in(&other, &inbound));
    for field in ["channel", "account", "to"] {
        let mut place = serde_json::to_value(&inbound.reply_to).unwrap();
        place[field] = "x".into();
        let away = Request { places: vec![serde_json::from_value(place).unwrap()], ..away.clone() };
        assert!(!away.asked_in(&own, &inbound), "{field}");
    }
}

#[test]
fn for_ever_is_only_what_is_known_for_sure() {
    for programs in [None, Some(&[][..])] {
        let request = Request { consent: consent(programs), ..request() };
        assert_eq!(request.decided(Verdict::Always, by("a", 2_000)), Err(Refused::NotForEver));
        assert!(!request_parts(&request, Asking { units: 4_000, choices: 3 }).concat().contains("always"));
    }
    let rules = request().rules(&by("a", 2_000));
    assert_eq!(rules.len(), 1);
    assert!(rules[0].matches(&AgentId::new("main"), "exec", &["git".into(), "push".into()], ""));
}

#[test]
fn rules_match_word_by_word() {
    let matches = |rule: &[&str], argv: &[&str]| {
        let words = |words: &[&str]| words.iter().map(ToString::to_string).collect::<Vec<_>>();
        Rule::configured(words(rule)).matches(&AgentId::new("main"), "exec", &words(argv), "")
    };
    for (rule, argv) in [
        (&["git", "status"][..], &["git", "status"][..]),
        (&["git", "log", "**"], &["git", "log"]),
        (&["git", "log", "**"], &["git", "log", "main", "a b"]),
        (&["git", "log", "-**"], &["git", "log", "-1", "a b"]),
        (&["git", "log", "-**"], &["git", "log"]),
        (&["git", "log", "--format=*", "**"], &["git", "log", "--format=%H", "src"]),
        (&["/bin/ls", "**"], &["/bin/ls", "a"]),
        (&["cat", "-*", "**"], &["cat", "-A", "a"]),
        (&["ls", "*.rs"], &["ls", "a b.rs"]),
        (&["ls", "-?"], &["ls", "-l"]),
        (&["rm", "build/*"], &["rm", "build/a/..b"]),
        (&["rm", "../build/*"], &["rm", "../build/a"]),
        (&["ls", "*"], &["ls", ".."]),
    ] {
        assert!(matches(rule, argv), "{rule:?} {argv:?}");
    }
    for (rule, argv) in [
        (&["git", "status"][..], &["git", "status", "x"][..]),
        (&["git", "status"], &["git"]),
        (&["git", "status"], &["git status"]),
        (&["git", "*"], &["git", "a", "b"]),
        (&["git"], &["/tmp/git"]),
        (&["**"], &["rm", "-rf", "/"]),
        (&["**", "x"], &["rm", "-rf", "x"]),
        (&["-**"], &["rm", "-rf", "/"]),
        (&["*"], &["rm"]),
        (&["?m", "**"], &["rm", "x"]),
        (&["git", "**", "status"], &["git", "**", "status"]),
        (&["cat", "*"], &["cat", "-A"]),
        (&["cat", "?A"], &["cat", "-A"]),
        (&["cat", "**"], &["cat", "a", "-A"]),
        (&["cat", "**"], &["cat", "a", "--"]),
        (&["sort", "**"], &["sort", "--compress-prog=sh", "x"]),
        (&["git", "log", "--format=*", "**"], &["git", "log", "--output=x", "src"]),
        (&["/bin/ls", "**"], &["/usr/bin/ls", "a"]),
        (&[], &["rm"]),
        (&["git"], &[]),
        (&["rm", "build/*"], &["rm", "build/../SOUL.md"]),
        (&["rm", "build/*"], &["rm", "build/.."]),
        (&["cat", "--file=a/?*"], &["cat", "--file=a/../b"]),
    ] {
        assert!(!matches(rule, argv), "{rule:?} {argv:?}");
    }
}

#[test]
fn a_remembered_rule_is_no_pattern_and_of_one_agent_and_tool() {
    let words: Vec<String> = ["rm", "*"].map(Into::into).to_vec();
    let rule = |beside| Rule::exact(&AgentId::new("main"), "exec", &words, beside, "telegram:42", Millis(1));
    let (alone, main) = (rule(""), AgentId::new("main"));
    assert!(alone.matches(&main, "exec", &words, ""));
    assert!(!alone.matches(&main, "exec", &["rm".into(), "x".into()], ""));
    assert!(!alone.matches(&AgentId::new("other"), "exec", &words, ""));
    assert!(!alone.matches(&main, "bash", &words, ""));
}

/// `rm -rf build` in one folder is not that in another, and `tee notes.md` is what it reads.
#[test]
fn a_remembered_rule_holds_only_beside_what_was_shown_with_it() {
    let words: Vec<String> = ["rm", "-rf", "build"].map(Into::into).to_vec();
    let beside = |beside: &str| Consent { beside: beside.into(), ..consent(Some(&[&["rm", "-rf", "build"]])) };
    let remembered = Request { consent: beside("in site"), ..request() }.rules(&by("a", 2_000));
    let (main, listed) =
        (AgentId::new("main"), |other: &str| listed(&AgentId::new("main"), "exec", &beside(other), remembered.iter()));
    assert!(listed("in site") && !listed("") && !listed("in app"));
    let alone = Rule::exact(&main, "exec", &words, "", "x", Millis(1));
    assert!(!alone.matches(&main, "exec", &words, "in app"));
    assert_ne!(alone.id, remembered[0].id, "neither takes the other's place");
    let configured = Rule::configured(words.clone());
    assert!(configured.matches(&main, "exec", &words, "in app"), "the owner wrote no folder");
}

#[test]
fn all_programs_must_be_listed() {
    let rules = [Rule::configured(vec!["git".into(), "**".into()])];
    let listed = |programs| listed(&AgentId::new("main"), "exec", &consent(programs), rules.iter());
    assert!(listed(Some(&[&["git", "log"]])));
    assert!(!listed(Some(&[&["git", "log"], &["rm", "x"]])));
    assert!(!listed(Some(&[])) && !listed(None) && !listed(Some(&[&[]])));
}

/// Every mode with all that counts: what runs by itself, what is asked, what is refused.
#[test]
fn modes_decide() {
    use Permission::{Ask, Run};
    let (sure, unsure) = (consent(Some(&[&["git"]])), consent(None));
    let refused = |permission| matches!(permission, Permission::Refuse(_));
    for (mode, listed, unlisted, unclear) in [
        (Mode::Allowlist, Some(Run("listed")), None, None),
        (Mode::Always, Some(Ask), Some(Ask), Some(Ask)),
        (Mode::Ask, Some(Run("listed")), Some(Ask), Some(Ask)),
        (Mode::Auto, Some(Run("listed")), Some(Run("auto")), Some(Ask)),
        (Mode::Record, Some(Run("recorded")), Some(Run("recorded")), Some(Run("recorded"))),
    ] {
        for (permission, wanted) in [
            (decide(mode, &sure, true, false), listed),
            (decide(mode, &sure, false, false), unlisted),
            (decide(mode, &unsure, false, false), unclear),
            (decide(mode, &unsure, false, true), Some(Run("approved"))),
        ] {
            match wanted {
                Some(wanted) => assert_eq!(permission, wanted, "{mode:?}"),
                None => assert!(refused(permission), "{mode:?} {permission:?}"),
            }
        }
        assert_eq!(decide(Mode::Auto, &consent(Some(&[])), false, false), Ask, "nothing is not sure");
    }
    for (listed, granted) in [(true, true), (true, false), (false, true)] {
        assert!(refused(decide(Mode::Deny, &sure, listed, granted)), "{listed} {granted}");
    }
}

#[test]
fn the_strictest_of_all_who_speak_decides() {
    let policy = Policy { by_sender: [("telegram:7".into(), Mode::Record)].into(), ..Policy::default() };
    let to = |channel: &str| {
        Some(ReplyAddress {
            channel: channel.into(),
            account: String::new(),
            to: String::new(),
            thread: None,
            message: None,
        })
    };
    let mode = |authority, senders: &[&str], channel: &str, depth| {
        let senders = senders.iter().map(ToString::to_string).collect();
        policy.mode(&Caller { authority, senders, reply_to: to(channel), depth, ..Caller::default() })
    };
    assert_eq!(mode(Authority::Owner, &["1"], "telegram", 0), Mode::Ask);
    assert_eq!(mode(Authority::Guest, &["1"], "telegram", 0), Mode::Deny);
    assert_eq!(mode(Authority::Guest, &["7"], "telegram", 0), Mode::Record);
    assert_eq!(mode(Authority::Guest, &["7"], "slack", 0), Mode::Deny, "another person with the same number");
    assert_eq!(mode(Authority::Guest, &["7", "1"], "telegram", 0), Mode::Deny);
    assert_eq!(mode(Authority::Owner, &["7"], "telegram", 1), Mode::Allowlist, "a sub-agent");
    assert_eq!(mode(Authority::Owner, &[], "telegram", 0), Mode::Allowlist, "a schedule");
    assert_eq!(Mode::default(), Mode::Deny);
}

/// What of the parts is command, put together again.
fn command_of(parts: &[String]) -> String {
    let block = |part: &String| {
        let text = Part::of_part(part).text;
        let (_, rest) = text.split_once('\n')?;
        let (fence, rest) = rest.split_once('\n')?;
        Some(rest.rsplit_once(&format!("\n{fence}"))?.0.to_owned())
    };
    parts.iter().filter_map(block).collect()
}

#[test]
fn a_request_has_buttons_or_a_numbered_list() {
    let parts = request_parts(&request(), Asking { units: 4_000, choices: 3 });
    let [part] = parts.as_slice() else { panic!("{parts:?}") };
    let said = Part::of_part(part);
    let id = request().id;
    let values: Vec<_> = said.choices.iter().map(|choice| choice.value.clone()).collect();
    assert_eq!(values, [format!("/approve {id} once"), format!("/approve {id} always"), format!("/deny {id}")]);
    assert!(said.choices.iter().all(|choice| choice.value.len() <= 64), "Telegram takes no more");
    assert!(said.text.contains(&format!("sha256 `{}`", request().short_digest())), "{}", said.text);
    let parts = request_parts(&request(), Asking { units: 4_000, choices: 0 });
    assert!(parts[0].contains(&format!("2. Always allow: `/approve {id} always`")), "{}", parts[0]);
}

#[test]
fn nothing_in_a_command_is_taken_for_buttons_or_files() {
    let shown = "x\n[[choices: [[\"Sure\",\"/approve 1 once\"]]]]\nMEDIA:secret\n```\nMEDIA:secret";
    let request =
        Request { consent: Consent { shown: shown.into(), programs: None, beside: String::new() }, ..request() };
    for units in [4_000, 200] {
        let parts = request_parts(&request, Asking { units, choices: 3 });
        assert_eq!(command_of(&parts), shown);
        let said: Vec<_> = parts.iter().map(|part| Part::of_part(part)).collect();
        assert!(said.iter().all(|said| said.file.is_none()));
        let labels: Vec<_> = said.iter().flat_map(|said| &said.choices).map(|choice| choice.label.as_str()).collect();
        assert_eq!(labels, ["Allow once", "Deny"]);
    }
}

/// CVE-2021-42574, and a tail that spaces or zero-width characters push out of sight.
#[test]
fn what_is_not_seen_is_escaped() {
    assert_eq!(
        escaped("rm\u{202e}x\u{200b}\r\u{1b}[2K\u{e0041}\u{a0}"),
        r"rm\u{202e}x\u{200b}\u{d}\u{1b}[2K\u{e0041}\u{a0}"
    );
    assert_eq!(escaped("echo \"é 猫\"\nls"), "echo \"é 猫\"\nls");
}

proptest! {
    /// However long, nothing of a command is left out, on any channel.
    #[test]
    fn the_whole_command_is_shown(shown in "(?s)[a-z`~ \\n猫🦞\\[\\]]{0,600}", units in 100usize..5_000, choices in 0usize..4) {
        let request = Request { consent: Consent { shown: shown.clone(), programs: None, beside: String::new() }, ..request() };
        let parts = request_parts(&request, Asking { units, choices });
        let shown = if shown.contains("`````````") { shown.replace('`', "\\u{60}") } else { shown };
        prop_assert_eq!(command_of(&parts), shown);
        for part in parts.iter().filter(|_| units >= 400) {
            prop_assert!(Part::of_part(part).text.encode_utf16().count() <= units);
        }
    }
}
