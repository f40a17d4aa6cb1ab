//! Mutants these tests catch, each tried by hand: an empty list allows; names are compared; prefixes of other channels
//! are stripped; `open` without `"*"` opens; a pairing counts in rooms; a room rule reopens disabled rooms; `allowFrom`
//! alone opens unlisted rooms; the pattern matches inside a word; an empty pattern matches; edits pass.

use proptest::prelude::*;

use super::*;
use crate::clock::Millis;
use crate::message::{ReplyAddress, Sender};
use crate::session_key::Peer;

const ALLOWED: Gate = Gate::Allow(Standing::Allowed);
const IF_PAIRED: Gate = Gate::Allow(Standing::IfPaired);

fn message(kind: PeerKind, peer: &str, sender: &str) -> Inbound {
    let reply_to = ReplyAddress {
        channel: "telegram".into(),
        account: "default".into(),
        to: peer.into(),
        thread: None,
        message: None,
    };
    Inbound {
        message_id: None,
        channel: "telegram".into(),
        account: "default".into(),
        event_id: "1".into(),
        peer: Peer { kind, id: peer.into() },
        parent_peer: None,
        thread: None,
        sender: Sender { id: sender.into(), name: Some("owner".into()) },
        text: "hello".into(),
        kind: InboundKind::Message,
        addressed: kind == PeerKind::Direct,
        media: Vec::new(),
        guild: None,
        team: None,
        roles: Vec::new(),
        sent_at: Millis(0),
        reply_to,
    }
}

fn direct(sender: &str) -> Inbound {
    message(PeerKind::Direct, sender, sender)
}

fn mention(room: &str, sender: &str) -> Inbound {
    Inbound { addressed: true, ..message(PeerKind::Group, room, sender) }
}

fn ids(list: &[&str]) -> Vec<String> {
    list.iter().map(|id| (*id).to_owned()).collect()
}

fn rooms(list: &[(&str, GroupRule)]) -> BTreeMap<String, GroupRule> {
    list.iter().map(|(id, rule)| ((*id).to_owned(), rule.clone())).collect()
}

fn dm(dm_policy: DmPolicy, allow_from: &[&str]) -> GatePolicy {
    GatePolicy { dm_policy, allow_from: ids(allow_from), ..GatePolicy::default() }
}

#[test]
fn direct_messages_follow_the_policy_and_the_list() {
    use DmPolicy::*;
    let not_listed = Gate::Ignore(Ignored::DmSenderNotListed);
    let cases = [
        (Pairing, &["7"][..], "7", ALLOWED),
        (Pairing, &["7"], "8", IF_PAIRED),
        (Pairing, &[], "7", IF_PAIRED),
        (Pairing, &["*"], "8", ALLOWED),
        (Allowlist, &["7"], "7", ALLOWED),
        (Allowlist, &[" 7 "], "7", ALLOWED),
        (Allowlist, &["telegram:7"], "7", ALLOWED),
        (Allowlist, &["TG:7"], "7", ALLOWED),
        (Allowlist, &["*"], "8", ALLOWED),
        (Allowlist, &["7"], "8", not_listed),
        (Allowlist, &["7"], "77", not_listed),
        (Allowlist, &["77"], "7", not_listed),
        (Allowlist, &[], "7", not_listed),
        (Allowlist, &[""], "7", not_listed),
        (Allowlist, &["slack:7"], "7", not_listed),
        (Allowlist, &["owner"], "7", not_listed),
        (Allowlist, &["@owner"], "7", not_listed),
        (Open, &["*"], "8", ALLOWED),
        (Open, &["7"], "7", ALLOWED),
        (Open, &["7"], "8", not_listed),
        (Open, &[], "8", not_listed),
        (Disabled, &["*", "7"], "7", Gate::Ignore(Ignored::DmDisabled)),
    ];
    for (policy, list, sender, expected) in cases {
        assert_eq!(decide(&dm(policy, list), &direct(sender)), expected, "{policy:?} {list:?} from {sender}");
    }
}

#[test]
fn a10_a_sender_without_an_id_is_nobody() {
    for sender in ["", "  "] {
        for list in [&["*"][..], &["", " "]] {
            assert_eq!(decide(&dm(DmPolicy::Open, list), &direct(sender)), Gate::Ignore(Ignored::NoSender));
        }
    }
}

/// Whole, as the platform writes it: no end of it, no other spelling, nothing that would be the same file name.
#[test]
fn a10_an_id_is_its_own_and_only_spelling() {
    let listed = dm(DmPolicy::Allowlist, &["+15551234567", "Ada.Lovelace"]);
    for same in ["+15551234567", "Ada.Lovelace"] {
        assert_eq!(decide(&listed, &direct(same)), ALLOWED);
        assert_eq!(authority(&listed, &direct(same)), Authority::Owner);
    }
    let others = [
        "5551234567",
        "15551234567",
        "+1555123456",
        "+155512345678",
        "+1 555 123 4567",
        "0015551234567",
        "99+15551234567",
        "ada.lovelace",
        "Ada-Lovelace",
        "Ada Lovelace",
        "ada_lovelace",
        "Ada.Lovelace.",
        "AdaLovelace",
        "@Ada.Lovelace",
        "\u{410}da.Lovelace",
        "Ada.Lovelace\u{200b}",
    ];
    for other in others {
        assert_eq!(decide(&listed, &direct(other)), Gate::Ignore(Ignored::DmSenderNotListed), "{other}");
        assert_eq!(authority(&listed, &direct(other)), Authority::Guest, "{other}");
    }
}

/// Telegram's anonymous administrators write in the name of their group.
#[test]
fn a08_whoever_speaks_as_the_room_is_nobody_on_a_list() {
    let listed = GatePolicy {
        allow_from: ids(&["-100", "7"]),
        group_allow_from: Some(ids(&["-100", "7"])),
        groups: rooms(&[("-100", GroupRule::default())]),
        ..GatePolicy::default()
    };
    let thread = |sender: &str| Inbound {
        parent_peer: Some(Peer { kind: PeerKind::Group, id: "-100".into() }),
        ..mention("thread", sender)
    };
    let channel = Inbound { peer: Peer { kind: PeerKind::Channel, id: "-100".into() }, ..mention("-100", "-100") };
    for anonymous in [mention("-100", "-100"), channel, thread("-100")] {
        assert_eq!(decide(&listed, &anonymous), Gate::Ignore(Ignored::GroupSenderNotListed));
        assert_eq!(authority(&listed, &anonymous), Authority::Guest);
    }
    for person in [mention("-100", "7"), thread("7")] {
        assert_eq!(decide(&listed, &person), ALLOWED);
        assert_eq!(authority(&listed, &person), Authority::Owner);
    }
    // A group on a list lets none of its members in, neither there nor alone.
    let group = GatePolicy { allow_from: ids(&["-100"]), group_allow_from: Some(ids(&["-100"])), ..listed };
    assert_eq!(decide(&group, &mention("-100", "7")), Gate::Ignore(Ignored::GroupSenderNotListed));
    assert_eq!(
        decide(&GatePolicy { dm_policy: DmPolicy::Allowlist, ..group }, &direct("7")),
        Gate::Ignore(Ignored::DmSenderNotListed)
    );
    // Where everybody is heard, so is the room.
    let open = GatePolicy {
        group_allow_from: Some(ids(&["*"])),
        groups: rooms(&[("*", GroupRule::default())]),
        ..GatePolicy::default()
    };
    assert_eq!(decide(&open, &mention("-100", "-100")), ALLOWED);
}

#[test]
fn a09_the_same_name_on_another_server_is_somebody_else() {
    let listed = dm(DmPolicy::Allowlist, &["@alice:good.org"]);
    let from = |sender: &str| Inbound { channel: "matrix".into(), ..direct(sender) };
    assert_eq!(decide(&listed, &from("@alice:good.org")), ALLOWED);
    for other in [
        "@alice:evil.org",
        "@alice:good.org.evil.org",
        "@Alice:good.org",
        "@alice:good.org:8448",
        "alice",
        "@alice",
        "good.org",
        "evil:@alice:good.org",
    ] {
        assert_eq!(decide(&listed, &from(other)), Gate::Ignore(Ignored::DmSenderNotListed), "{other}");
    }
}

#[test]
fn a_disabled_channel_drops_even_its_owner() {
    let policy = GatePolicy { enabled: false, ..dm(DmPolicy::Allowlist, &["7"]) };
    assert_eq!(decide(&policy, &direct("7")), Gate::Ignore(Ignored::ChannelDisabled));
}

#[test]
fn edits_are_not_answered() {
    let edited = Inbound { kind: InboundKind::Edited, ..direct("7") };
    assert_eq!(decide(&dm(DmPolicy::Allowlist, &["7"]), &edited), Gate::Ignore(Ignored::Edited));
}

#[test]
fn rooms_follow_policy_list_and_senders() {
    use GroupPolicy::*;
    use Ignored::*;
    let rule = GroupRule::default;
    let shut = GroupRule { enabled: Some(false), ..rule() };
    let only_9 = GroupRule { allow_from: Some(ids(&["9"])), ..rule() };
    let nobody = GroupRule { allow_from: Some(Vec::new()), ..rule() };
    let opened = GroupRule { group_policy: Some(Open), ..rule() };
    let closed = GroupRule { group_policy: Some(Disabled), ..rule() };
    let ignore = Gate::Ignore;
    // policy, rooms, allowFrom, groupAllowFrom, message to room r1 from 7
    let cases = [
        (Disabled, rooms(&[("r1", rule())]), &["*"][..], None, ignore(GroupsDisabled)),
        (Disabled, rooms(&[("r1", opened.clone())]), &["*"], None, ignore(GroupsDisabled)),
        (Open, rooms(&[]), &[], None, ALLOWED),
        (Open, rooms(&[("r2", rule())]), &["7"], None, ignore(RoomNotListed)),
        (Open, rooms(&[("r1", rule())]), &[], None, ALLOWED),
        (Open, rooms(&[("*", rule())]), &[], None, ALLOWED),
        (Open, rooms(&[("r1", closed)]), &[], None, ignore(GroupsDisabled)),
        (Open, rooms(&[("r1", only_9.clone())]), &["7"], None, ignore(GroupSenderNotListed)),
        (Allowlist, rooms(&[]), &["7"], None, ignore(RoomNotListed)),
        (Allowlist, rooms(&[]), &["7"], Some(&[][..]), ignore(RoomNotListed)),
        (Allowlist, rooms(&[]), &[], Some(&["7"][..]), ALLOWED),
        (Allowlist, rooms(&[]), &[], Some(&["8"][..]), ignore(GroupSenderNotListed)),
        (Allowlist, rooms(&[("r1", rule())]), &["7"], None, ALLOWED),
        (Allowlist, rooms(&[("r1", rule())]), &["telegram:7"], None, ALLOWED),
        (Allowlist, rooms(&[("*", rule())]), &["7"], None, ALLOWED),
        (Allowlist, rooms(&[("*", rule())]), &["8"], None, ignore(GroupSenderNotListed)),
        (Allowlist, rooms(&[("*", rule())]), &[], None, ignore(GroupSenderNotListed)),
        (Allowlist, rooms(&[("*", rule())]), &["7"], Some(&["8"][..]), ignore(GroupSenderNotListed)),
        (Allowlist, rooms(&[("*", rule())]), &["7"], Some(&[][..]), ignore(GroupSenderNotListed)),
        (Allowlist, rooms(&[("*", rule())]), &["8"], Some(&["7"][..]), ALLOWED),
        (Allowlist, rooms(&[("*", rule()), ("r1", shut)]), &["7"], None, ignore(RoomDisabled)),
        (Allowlist, rooms(&[("r1", only_9)]), &["7"], None, ignore(GroupSenderNotListed)),
        (Allowlist, rooms(&[("r1", nobody)]), &["7"], None, ignore(GroupSenderNotListed)),
        (Allowlist, rooms(&[("r1", opened)]), &[], None, ALLOWED),
    ];
    for (at, (group_policy, groups, allow, group_allow, expected)) in cases.into_iter().enumerate() {
        let policy = GatePolicy {
            group_policy,
            groups,
            allow_from: ids(allow),
            group_allow_from: group_allow.map(ids),
            ..GatePolicy::default()
        };
        assert_eq!(decide(&policy, &mention("r1", "7")), expected, "case {at}: {policy:?}");
        let channel = Inbound { peer: Peer { kind: PeerKind::Channel, id: "r1".into() }, ..mention("r1", "7") };
        assert_eq!(decide(&policy, &channel), expected, "case {at} as a channel");
    }
}

#[test]
fn a_pairing_never_counts_in_a_room() {
    let policy = GatePolicy { groups: rooms(&[("*", GroupRule::default())]), ..dm(DmPolicy::Pairing, &[]) };
    assert_eq!(decide(&policy, &mention("r1", "7")), Gate::Ignore(Ignored::GroupSenderNotListed));
}

#[test]
fn the_nearest_mention_rule_wins() {
    let rule = |value| GroupRule { require_mention: Some(value), ..GroupRule::default() };
    let silent = GroupRule::default;
    let cases = [
        (true, rooms(&[]), false),
        (false, rooms(&[]), true),
        (true, rooms(&[("*", rule(false))]), true),
        (false, rooms(&[("*", rule(true))]), false),
        (true, rooms(&[("r1", rule(false)), ("*", rule(true))]), true),
        (false, rooms(&[("r1", rule(true)), ("*", rule(false))]), false),
        (true, rooms(&[("r1", silent()), ("*", rule(false))]), true),
    ];
    for (require_mention, groups, heard) in cases {
        let policy = GatePolicy { group_policy: GroupPolicy::Open, require_mention, groups, ..GatePolicy::default() };
        let expected = if heard { ALLOWED } else { Gate::Ignore(Ignored::NotMentioned) };
        assert_eq!(decide(&policy, &message(PeerKind::Group, "r1", "7")), expected, "{policy:?}");
    }
}

#[test]
fn what_addresses_the_agent_in_a_room() {
    let policy = GatePolicy {
        group_policy: GroupPolicy::Open,
        mention_patterns: ids(&["Chela", "@bot", "hey you*", " "]),
        ..GatePolicy::default()
    };
    let cases = [
        ("chela, hello", true),
        ("well CHELA?", true),
        ("(chela)", true),
        ("ask @bot", true),
        ("Hey you, there", true),
        ("michela says", false),
        ("chelae", false),
        ("mail me@bottle", false),
        ("so hey you", false),
        ("/status", false),
        ("hello", false),
        ("", false),
    ];
    for (text, heard) in cases {
        let inbound = Inbound { text: text.into(), ..message(PeerKind::Group, "r1", "7") };
        let expected = if heard { ALLOWED } else { Gate::Ignore(Ignored::NotMentioned) };
        assert_eq!(decide(&policy, &inbound), expected, "{text:?}");
    }
    for kind in [InboundKind::Command, InboundKind::Button] {
        let inbound = Inbound { kind, ..message(PeerKind::Group, "r1", "7") };
        assert_eq!(decide(&policy, &inbound), ALLOWED);
    }
}

#[test]
fn room_rules_are_read_with_numbers_and_the_slack_name_of_the_list() {
    let rule: GroupRule = serde_json::from_str(r#"{"users": [7, "U1"], "requireMention": false}"#).unwrap();
    assert_eq!(rule.allow_from, Some(ids(&["7", "U1"])));
    assert!(serde_json::from_str::<GroupRule>(r#"{"alowFrom": []}"#).is_err());
}

fn any_id() -> impl Strategy<Value = String> {
    prop_oneof!["[a-c1-3]{0,2}", "(telegram|tg|slack):[a-c1-3]{0,2}", "[@#]?[a-z]{1,3}"]
}

fn any_rule() -> impl Strategy<Value = GroupRule> {
    (any::<Option<bool>>(), any::<Option<bool>>(), proptest::option::of(proptest::collection::vec(any_id(), 0..3)))
        .prop_map(|(enabled, require_mention, allow_from)| GroupRule {
            tools: None,
            tools_by_sender: BTreeMap::new(),
            enabled,
            require_mention,
            group_policy: None,
            allow_from,
        })
}

proptest! {
    #[test]
    fn nobody_outside_every_list_passes_an_allowlist(
        allow_from in proptest::collection::vec(any_id(), 0..4),
        group_allow_from in proptest::option::of(proptest::collection::vec(any_id(), 0..4)),
        groups in proptest::collection::btree_map(prop_oneof!["r[12]", Just("*".to_owned())], any_rule(), 0..3),
        sender in any_id(),
        name in any_id(),
        room in any::<bool>(),
        addressed in any::<bool>(),
    ) {
        let listed = allow_from.iter()
            .chain(group_allow_from.iter().flatten())
            .chain(groups.values().filter_map(|rule| rule.allow_from.as_ref()).flatten())
            .any(|id| [sender.clone(), format!("telegram:{sender}"), format!("tg:{sender}")].contains(id));
        prop_assume!(!listed);
        let policy = GatePolicy { dm_policy: DmPolicy::Allowlist, allow_from, group_allow_from, groups, ..GatePolicy::default() };
        let kind = if room { PeerKind::Group } else { PeerKind::Direct };
        let mut inbound = message(kind, "r1", &sender);
        inbound.addressed = addressed;
        inbound.sender.name = Some(name);
        prop_assert!(matches!(decide(&policy, &inbound), Gate::Ignore(_)));
    }

    #[test]
    fn a01_names_decide_nothing(allow_from in proptest::collection::vec(any_id(), 0..4), one in any_id(), other in any_id()) {
        let policy = GatePolicy { dm_policy: DmPolicy::Pairing, allow_from, ..GatePolicy::default() };
        let mut inbound = direct("7");
        inbound.sender.name = Some(one);
        let first = decide(&policy, &inbound);
        inbound.sender.name = Some(other);
        prop_assert_eq!(first, decide(&policy, &inbound));
    }
}

#[test]
fn a_thread_is_in_the_room_around_it_unless_it_has_a_rule_itself() {
    let shut = GroupRule { enabled: Some(false), ..GroupRule::default() };
    let policy = GatePolicy {
        group_policy: GroupPolicy::Open,
        groups: [("room".to_owned(), GroupRule::default()), ("shut thread".to_owned(), shut)].into(),
        ..GatePolicy::default()
    };
    let thread = |id: &str, room: &str| Inbound {
        parent_peer: Some(Peer { kind: PeerKind::Group, id: room.to_owned() }),
        ..mention(id, "7")
    };
    assert_eq!(decide(&policy, &thread("thread", "room")), Gate::Allow(Standing::Allowed));
    assert_eq!(decide(&policy, &thread("thread", "other room")), Gate::Ignore(Ignored::RoomNotListed));
    assert_eq!(decide(&policy, &thread("shut thread", "room")), Gate::Ignore(Ignored::RoomDisabled));
}

#[test]
fn the_owner_is_whom_the_lists_name_by_id() {
    let may = |allow_from: &[&str], owners: Option<&[&str]>, inbound: &Inbound| {
        authority(&GatePolicy { owners: owners.map(ids), ..dm(DmPolicy::Open, allow_from) }, inbound)
    };
    let (owner, guest) = (Authority::Owner, Authority::Guest);
    assert_eq!(may(&["7"], None, &direct("7")), owner);
    assert_eq!(may(&["*"], None, &direct("7")), guest);
    assert_eq!(may(&["*", "7"], None, &mention("room", "7")), owner, "in rooms, too");
    for owners in [&["8"][..], &[], &["*"], &[" * "], &["slack:7"], &["owner"]] {
        assert_eq!(may(&["7"], Some(owners), &direct("7")), guest, "{owners:?}");
    }
    assert_eq!(may(&["*"], Some(&["telegram:7"]), &direct("7")), owner);
    assert_eq!(may(&["*"], Some(&["7"]), &mention("room", "7")), owner);
}

#[test]
fn a_wish_changes_whether_a_room_is_answered_and_nothing_else() {
    let policy = GatePolicy { group_policy: GroupPolicy::Open, ..GatePolicy::default() };
    let said = message(PeerKind::Group, "room", "7");
    assert_eq!(decide_wished(&policy, &said, None), Gate::Ignore(Ignored::NotMentioned));
    assert_eq!(decide_wished(&policy, &said, Some(true)), ALLOWED);
    let heard = GatePolicy { require_mention: false, ..policy.clone() };
    assert_eq!(decide_wished(&heard, &said, None), ALLOWED);
    assert_eq!(decide_wished(&heard, &said, Some(false)), Gate::Ignore(Ignored::NotMentioned));
    assert_eq!(decide_wished(&heard, &mention("room", "7"), Some(false)), ALLOWED);
    assert_eq!(decide_wished(&heard, &direct("7"), Some(false)), IF_PAIRED, "no room");
    let shut = GatePolicy { group_policy: GroupPolicy::Disabled, ..policy.clone() };
    assert_eq!(decide_wished(&shut, &said, Some(true)), Gate::Ignore(Ignored::GroupsDisabled));
    let unlisted = GatePolicy { group_policy: GroupPolicy::Allowlist, group_allow_from: Some(ids(&["8"])), ..policy };
    assert_eq!(decide_wished(&unlisted, &said, Some(true)), Gate::Ignore(Ignored::GroupSenderNotListed));
}
