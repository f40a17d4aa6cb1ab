use std::collections::BTreeSet;
use std::fmt::Write as _;

use proptest::prelude::*;

use super::*;
use crate::clock::Millis;
use crate::message::{ReplyAddress, Sender};
use crate::session_key::Peer;

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/commands.md");
const BEGIN: &str = "<!-- made from the table: begin -->\n";
const END: &str = "<!-- made from the table: end -->\n";

fn name(text: &str) -> Option<Name> {
    parse(text).map(|spoken| spoken.spec.name)
}

fn message(text: &str, peer: PeerKind, kind: InboundKind) -> Inbound {
    let channel = "telegram".to_owned();
    let to = "7".to_owned();
    Inbound {
        message_id: None,
        channel: channel.clone(),
        account: "default".into(),
        event_id: "1".into(),
        peer: Peer::new(peer, "7"),
        parent_peer: None,
        thread: None,
        sender: Sender { id: "7".into(), name: None },
        text: text.into(),
        kind,
        addressed: false,
        media: vec![],
        guild: None,
        team: None,
        roles: vec![],
        sent_at: Millis(0),
        reply_to: ReplyAddress { channel, account: "default".into(), to, thread: None, message: None },
    }
}

#[test]
fn every_row_is_fit_for_every_platforms_menu_and_for_help() {
    let mut words = BTreeSet::new();
    let mut names = Vec::new();
    for spec in TABLE {
        let plain = |word: &str| {
            (1..=32).contains(&word.len())
                && word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
        };
        for word in std::iter::once(&spec.word).chain(spec.aliases) {
            assert!(plain(word) && words.insert(*word), "{word}");
        }
        assert!(!names.contains(&spec.name), "{} is there twice", spec.word);
        names.push(spec.name);
        assert!((8..=64).contains(&spec.does.chars().count()) && !spec.does.ends_with('.'), "{}", spec.word);
        for word in spec.words {
            assert!(!spec.arguments.is_empty() && *word == word.to_ascii_lowercase(), "{} {word}", spec.word);
        }
        assert_eq!(name(&spec.usage()), Some(spec.name));
    }
    assert!(TABLE.len() <= 30, "WhatsApp offers no more");
    assert_eq!(menu(&[]).len(), TABLE.len());
}

#[test]
fn the_menu_leaves_out_what_is_disabled_and_says_what_takes_words() {
    let menu = menu(&["export".to_owned(), "T".to_owned()]);
    assert!(menu.iter().all(|entry| entry.name != "export" && entry.name != "think"));
    let takes_text = |word: &str| menu.iter().find(|entry| entry.name == word).unwrap().takes_text;
    assert!(takes_text("model") && !takes_text("help"));
}

#[test]
fn a_command_is_found_however_it_is_written() {
    for text in ["/think high", "  /THINK   high ", "/think@SomeBot high", "/t high", "/Thinking: high", "/think\nhigh"]
    {
        let spoken = parse(text).unwrap();
        assert_eq!((spoken.spec.name, spoken.rest, spoken.fits()), (Name::Think, "high", true), "{text:?}");
    }
    for text in ["／think high", "think high", "/ think", "/thinkhigh", "//think", "/", "", "/etc/passwd?", "a /stop"]
    {
        assert_eq!(parse(text), None, "{text:?}");
    }
    assert!(!parse("/think hard").unwrap().fits() && parse("/think").unwrap().fits());
    assert!(is_command("/status please") && !is_command("/skill weather Bern"));
    assert_eq!([" /Compact  keep the names \n", "/compact"].map(compaction), [Some("keep the names"), Some("")]);
    assert_eq!(["/compacted", "what does /compact do?", "/status"].map(compaction), [None; 3]);
}

#[test]
fn choices_before_words_are_for_this_message() {
    let of = |text| directed(text).map(|found| (found.model, found.thinking, found.words));
    assert_eq!(of("/think high solve this"), Some((None, Some("high"), "solve this")));
    assert_eq!(of("/model a/b /t low\nsolve\n  this"), Some((Some("a/b"), Some("low"), "solve\n  this")));
    for command in
        ["/think high", "/think about it", "/model list all", "/model a/b", "/model x /think high", "/new x y"]
    {
        assert_eq!(of(command), None, "{command}");
        assert!(is_command(command), "{command}");
    }
    assert_eq!(for_model("/think high solve this").as_deref(), Some("solve this"));
    assert_eq!(for_model("/skill weather in Bern").as_deref(), Some("Use the skill weather: in Bern"));
    assert_eq!(for_model("/skill weather").as_deref(), Some("Use the skill weather"));
    assert_eq!((for_model("/skill"), for_model("hello"), for_model("/new")), (None, None, None));
}

#[test]
fn a_bot_called_by_name_in_a_room_is_us_only_if_the_platform_says_so() {
    let hears = |text, peer, kind| heard(&message(text, peer, kind), true).is_some();
    assert!(hears("/status@bot", PeerKind::Direct, InboundKind::Message));
    assert!(!hears("/status@other_bot", PeerKind::Group, InboundKind::Message));
    assert!(hears("/status@bot", PeerKind::Group, InboundKind::Command));
    assert!(hears("/status", PeerKind::Group, InboundKind::Message));
}

#[test]
fn where_typed_commands_do_not_count_those_of_the_menu_do() {
    assert_eq!(heard(&message("/status", PeerKind::Direct, InboundKind::Message), false), None);
    for kind in [InboundKind::Command, InboundKind::Button] {
        assert!(heard(&message("/status", PeerKind::Direct, kind), false).is_some());
    }
}

#[test]
fn a_chat_is_somebodys_own_only_if_its_key_says_with_whom() {
    let own = |key: &str, kind| own_chat(&message("hi", kind, InboundKind::Message), &SessionKey::from_stored(key));
    for key in ["agent:main:direct:7", "agent:main:telegram:direct:7", "agent:main:telegram:default:direct:7:thread:3"]
    {
        assert!(own(key, PeerKind::Direct), "{key}");
        assert!(!own(key, PeerKind::Group), "{key}");
    }
    for key in ["agent:main:main", "agent:main:main:thread:direct:7", "agent:main:telegram:group:7", "cron:direct:7"] {
        assert!(!own(key, PeerKind::Direct), "{key}");
    }
}

/// Who may use what: a new command is refused to guests until somebody says otherwise here.
#[test]
fn guests_may_use_what_costs_nothing_and_changes_nothing_of_others() {
    let may = |own| -> Vec<&str> {
        TABLE.iter().filter(|spec| spec.allows(Authority::Guest, own)).map(|spec| spec.word).collect()
    };
    assert_eq!(may(false), ["status", "help", "commands", "whoami"]);
    assert_eq!(may(true), ["new", "reset", "stop", "name", "status", "help", "commands", "whoami"]);
    assert!(TABLE.iter().all(|spec| spec.allows(Authority::Owner, false)));
}

#[test]
fn every_level_of_the_table_is_one() {
    for word in parse("/think").unwrap().spec.words {
        assert!(thinking(word).is_some(), "{word}");
    }
    assert_eq!(
        (thinking("MAX"), thinking("default"), thinking("hard")),
        (Some(Some(Thinking::Xhigh)), Some(None), None)
    );
}

fn tables() -> String {
    let mut out = String::new();
    for group in Group::ALL {
        writeln!(out, "\n### {}\n\n| command | does | who |\n|---|---|---|", group.title()).unwrap();
        for spec in TABLE.iter().filter(|spec| spec.group == group) {
            let who = match spec.who {
                Who::Everybody => "everybody",
                Who::InOwnChat => "the owner; others in a chat of their own",
                Who::Owner => "the owner",
            };
            let aliases: String = spec.aliases.iter().map(|alias| format!(", `/{alias}`")).collect();
            let usage = spec.usage().replace('|', "\\|");
            writeln!(out, "| `{usage}`{aliases} | {} | {who} |", spec.does).unwrap();
        }
    }
    out
}

#[test]
fn the_page_says_what_the_table_says() {
    let page = std::fs::read_to_string(PAGE).unwrap();
    let (before, rest) = page.split_once(BEGIN).unwrap();
    let (_, after) = rest.split_once(END).unwrap();
    let fresh = format!("{before}{BEGIN}{}\n{END}{after}", tables());
    if std::env::var_os("UPDATE").is_some() {
        return std::fs::write(PAGE, fresh).unwrap();
    }
    assert!(page == fresh, "docs/commands.md is out of date: UPDATE=1 cargo test -p chela-core the_page_says");
}

proptest! {
    /// Any text is read, and what is left of it for the model is never empty.
    #[test]
    fn any_text_can_be_read(text in "(/|／| )?(think|model|NEW|skill|stop)?(@[a-z]{0,3})?[ \\n\u{a0}]{0,2}\\PC{0,20}") {
        let inbound = message(&text, PeerKind::Group, InboundKind::Message);
        prop_assert!(heard(&inbound, false).is_none());
        let _ = heard(&inbound, true);
        prop_assert_eq!(is_command(&text), is_command(&format!("\n{text} ")));
        if let Some(words) = for_model(&text) {
            prop_assert!(!words.trim().is_empty() && parse(&text).is_some());
        }
        if let Some(spoken) = parse(&text) {
            prop_assert!(text.trim_start().starts_with('/'));
            prop_assert_eq!(parse(&text.to_ascii_uppercase()).map(|upper| upper.spec), Some(spoken.spec));
        }
    }
}
