//! Conversations with servers, line by line. The lines of ngIRCd and InspIRCd were captured from them.

use chela_core::secret::Secret;

use super::*;

fn settings(account: Option<(&str, &str)>) -> IrcSettings {
    let mut settings = IrcSettings::new("irc.example", 6697, "agentbot");
    settings.channels = vec!["#lobby".to_owned(), "#ops".to_owned()];
    settings.account = account.map(|(name, password)| (name.to_owned(), Secret::new(password)));
    settings
}

fn told(session: &mut Session<'_>, text: &str) -> Vec<Act> {
    session.receive(&Line::read(text).unwrap(), Millis(77), &|| "unique1234".to_owned())
}

fn written(session: &mut Session<'_>, text: &str) -> Vec<String> {
    let acts = told(session, text);
    acts.into_iter().filter_map(|act| if let Act::Write(line) = act { Some(line) } else { None }).collect()
}

fn heard(session: &mut Session<'_>, text: &str) -> Option<BridgeMessage> {
    told(session, text).into_iter().find_map(|act| if let Act::Heard(heard) = act { Some(*heard) } else { None })
}

/// A session that is registered, with every capability.
fn ready(settings: &IrcSettings) -> Session<'_> {
    let (mut session, _) = Session::begin(settings);
    told(&mut session, ":s CAP * LS :message-tags server-time account-tag echo-message");
    told(&mut session, ":s CAP agentbot ACK :message-tags server-time account-tag echo-message");
    assert_eq!(told(&mut session, ":s 001 agentbot :Welcome"), [Act::Registered]);
    told(&mut session, ":s 005 agentbot CASEMAPPING=ascii CHANTYPES=# STATUSMSG=@+ :are supported");
    session
}

#[test]
fn a_plain_server_is_joined_without_capabilities() {
    let settings = settings(None);
    let (mut session, begin) = Session::begin(&settings);
    assert_eq!(begin, ["CAP LS 302", "NICK agentbot", "USER chela 0 * :Chela"]);
    assert_eq!(written(&mut session, ":irc.test.local CAP * LS :multi-prefix"), ["CAP END"]);
    assert_eq!(told(&mut session, ":irc.test.local 001 agentbot :Welcome"), [Act::Registered]);
    assert_eq!(written(&mut session, ":irc.test.local 422 agentbot :MOTD file is missing"), ["JOIN #lobby,#ops"]);
    assert_eq!(written(&mut session, "PING :irc.test.local"), ["PONG :irc.test.local"]);
    assert!(!session.tags());
}

#[test]
fn what_is_offered_is_asked_for_and_the_password_goes_by_sasl() {
    let settings = settings(Some(("bot", "pw")));
    let (mut session, _) = Session::begin(&settings);
    assert!(written(&mut session, ":s CAP * LS * :message-tags=x sasl=PLAIN,EXTERNAL batch").is_empty());
    let asked = written(&mut session, ":s CAP * LS :server-time away-notify");
    assert_eq!(asked, ["CAP REQ :message-tags server-time sasl"]);
    assert_eq!(written(&mut session, ":s CAP * ACK :message-tags server-time sasl"), ["AUTHENTICATE PLAIN"]);
    // printf '\0bot\0pw' | base64
    assert_eq!(written(&mut session, "AUTHENTICATE +"), ["AUTHENTICATE AGJvdABwdw=="]);
    assert!(written(&mut session, ":s 900 * agentbot!a@h bot :You are now logged in").is_empty());
    assert_eq!(written(&mut session, ":s 903 * :SASL authentication successful"), ["CAP END"]);
    assert_eq!(told(&mut session, ":s 001 agentbot :Welcome"), [Act::Registered], "and not again to NickServ");
}

#[test]
fn a_long_password_goes_in_pieces_with_an_end() {
    for (length, pieces) in [(10, vec![20]), (295, vec![400, 1]), (296, vec![400, 4])] {
        let settings = settings(Some(("bot", &"x".repeat(length))));
        let (session, _) = Session::begin(&settings);
        let lines: Vec<usize> = session
            .authenticate()
            .iter()
            .map(|act| if let Act::Write(line) = act { line.len() - "AUTHENTICATE ".len() } else { 0 })
            .collect();
        assert_eq!(lines, pieces, "{length}");
    }
}

#[test]
fn without_sasl_nickserv_is_told() {
    let settings = settings(Some(("bot", "pw")));
    let (mut session, _) = Session::begin(&settings);
    assert_eq!(written(&mut session, ":s CAP * LS :multi-prefix"), ["CAP END"]);
    assert_eq!(written(&mut session, ":s 001 agentbot :Welcome"), ["PRIVMSG NickServ :IDENTIFY bot pw"]);
}

#[test]
fn a_refused_password_is_hopeless_and_shows_nothing_of_it() {
    let settings = settings(Some(("bot", "hunter2")));
    for refusal in [":s 904 * :SASL authentication failed", ":s 464 * :Password incorrect", ":s 465 * :You are banned"]
    {
        let (mut session, _) = Session::begin(&settings);
        let acts = told(&mut session, refusal);
        assert!(matches!(acts.as_slice(), [Act::Hopeless(why)] if !why.contains("hunter2")), "{acts:?}");
    }
}

#[test]
fn a_taken_nick_is_replaced_and_mentions_follow_it() {
    let settings = settings(None);
    let (mut session, _) = Session::begin(&settings);
    let refusal = ":s 433 * agentbot :Nickname is already in use";
    assert_eq!(written(&mut session, refusal), ["NICK agentbot_"]);
    assert_eq!(written(&mut session, refusal), ["NICK agentbot__"]);
    assert_eq!(written(&mut session, refusal), ["NICK agentbot___"]);
    assert_eq!(written(&mut session, refusal), ["NICK bunique1"]);
    told(&mut session, ":s 001 bunique1 :Welcome");
    assert!(heard(&mut session, ":a!b@c PRIVMSG #x :agentbot: hi").is_some_and(|heard| !heard.mentions_bot));
    assert!(heard(&mut session, ":a!b@c PRIVMSG #x :bunique1: hi").is_some_and(|heard| heard.mentions_bot));
    told(&mut session, ":bunique1!x@y NICK :agentbot");
    assert_eq!(session.nick(), "agentbot");
    told(&mut session, ":other!x@y NICK :another");
    assert_eq!(session.nick(), "agentbot");
}

#[test]
fn a_message_without_tags_is_heard_as_ngircd_sends_it() {
    let settings = settings(None);
    let (mut session, _) = Session::begin(&settings);
    told(&mut session, ":irc.test.local 001 agentbot :Welcome");
    let message = heard(&mut session, ":Alice!~alice@127.0.0.1 PRIVMSG agentbot :hello in dm").unwrap();
    assert_eq!((message.id.as_str(), message.ts_ms, message.text.as_str()), ("local:unique1234", 77, "hello in dm"));
    assert_eq!((message.chat.kind, message.chat.id.as_str()), (BridgeChatKind::Dm, "Alice"));
    assert_eq!((message.from.id.as_str(), message.from.name.as_deref()), ("nick:alice", Some("Alice")));
}

#[test]
fn a_message_with_tags_is_heard_as_inspircd_sends_it() {
    let settings = settings(None);
    let mut session = ready(&settings);
    let tags = "@time=2026-11-21T00:05:36.011Z;msgid=97K~1795219517~1;account=Alice";
    let message =
        heard(&mut session, &format!("{tags} :al!alice@127.0.0.1 PRIVMSG #Lobby :agentbot: status?")).unwrap();
    assert_eq!((message.id.as_str(), message.ts_ms), ("97K~1795219517~1", 1_795_219_536_011));
    assert_eq!((message.chat.kind, message.chat.id.as_str()), (BridgeChatKind::Group, "#lobby"));
    assert_eq!(
        (message.from.id.as_str(), message.text.as_str(), message.mentions_bot),
        ("account:alice", "status?", true)
    );
    let bot = heard(&mut session, "@inspircd.org/bot :x!y@z PRIVMSG #lobby :beep").unwrap();
    assert!(bot.from.is_bot && !bot.mentions_bot);
    let action = heard(&mut session, ":al!a@b PRIVMSG #lobby :\u{1}ACTION waves at agentbot\u{1}").unwrap();
    assert_eq!((action.text.as_str(), action.mentions_bot), ("* al waves at agentbot", true));
    let ops = heard(&mut session, ":al!a@b PRIVMSG @#Lobby :ops only").unwrap();
    assert_eq!((ops.chat.kind, ops.chat.id.as_str()), (BridgeChatKind::Group, "@#lobby"), "an answer stays among them");
}

#[test]
fn replies_to_what_we_said_are_for_us() {
    let settings = settings(None);
    let mut session = ready(&settings);
    assert_eq!(heard(&mut session, "@msgid=m4 :agentbot!a@b PRIVMSG #lobby :our echo"), None);
    let reply = heard(&mut session, "@msgid=m5;+draft/reply=m4 :al!a@b PRIVMSG #lobby :why?").unwrap();
    assert_eq!((reply.mentions_bot, reply.reply_to.as_deref()), (true, Some("m4")));
    let other = heard(&mut session, "@msgid=m6;+draft/reply=m5 :al!a@b PRIVMSG #lobby :because").unwrap();
    assert!(!other.mentions_bot);
    for n in 0..300 {
        told(&mut session, &format!("@msgid=n{n} :agentbot!a@b PRIVMSG #lobby :echo"));
    }
    assert_eq!((session.own.len(), session.own.back().map(String::as_str)), (OWN_REMEMBERED, Some("n299")));
}

#[test]
fn what_is_not_said_to_us_by_a_person_is_not_heard() {
    let settings = settings(None);
    let mut session = ready(&settings);
    for text in [
        ":al!a@b NOTICE agentbot :automatic",
        ":irc.example PRIVMSG agentbot :from the server",
        ":al!a@b PRIVMSG agentbot :\u{1}VERSION\u{1}",
        ":al!a@b PRIVMSG agentbot :\u{2}\u{3}4\u{3}",
        ":al!a@b PRIVMSG $*.example :to all",
        "@+typing=active :al!a@b TAGMSG agentbot",
        ":al!a@b JOIN #lobby",
        ":al!a@b PRIVMSG",
    ] {
        assert_eq!(heard(&mut session, text), None, "{text}");
    }
}

#[test]
fn ends_and_refusals_are_told() {
    let settings = settings(None);
    let mut session = ready(&settings);
    let refused = told(&mut session, ":s 404 agentbot #lobby :Cannot send to channel");
    let (target, why) = ("#lobby".to_owned(), "Cannot send to channel".to_owned());
    assert_eq!(refused, [Act::CannotSay { target, why }]);
    assert_eq!(told(&mut session, ":s PONG s :word"), [Act::Pong("word".to_owned())]);
    assert_eq!(told(&mut session, "ERROR :Closing link"), [Act::Lost("the server closes: Closing link".to_owned())]);
}

proptest::proptest! {
    #[test]
    fn no_line_panics(lines in proptest::collection::vec("[@: \\\\;=!a-z0-9#\u{1}é]{0,40}|(:x!y@z )?(PRIVMSG|CAP|001|005|433|NICK|AUTHENTICATE|900) .{0,30}", 0..10)) {
        let settings = settings(Some(("a", "b")));
        let (mut session, _) = Session::begin(&settings);
        for line in lines.iter().filter_map(|line| Line::read(line)) {
            session.receive(&line, Millis(1), &String::new);
        }
    }
}
