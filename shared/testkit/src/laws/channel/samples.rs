//! What comes in.

use std::collections::BTreeMap;

use bytes::Bytes;
use chela_core::channel::{Parsed, Rejected};
use chela_core::message::{Inbound, InboundKind};
use chela_core::session_key::PeerKind;
use serde_json::{Value, json};

use super::mutations::walk;
use super::{ACCOUNT, ARRIVAL, ChannelUnderTest, Sample};

/// How many damaged bodies are tried per sample and kind of damage.
const DAMAGES: usize = 300;

/// A message in one line, as tests of channels quote it.
pub fn line(message: &Inbound) -> String {
    let kind = match message.kind {
        InboundKind::Message => "",
        InboundKind::Edited => " edited",
        InboundKind::Button => " button",
        InboundKind::Command => " command",
    };
    let peer = |kind: PeerKind, id: &str| format!("{}:{id}", kind.as_str());
    let mut line = format!("{}{kind} {}", message.event_id, peer(message.peer.kind, &message.peer.id));
    if let Some(thread) = &message.thread {
        line.push_str(&format!(" #{thread}"));
    }
    if let Some(parent) = &message.parent_peer {
        line.push_str(&format!(" in {}", peer(parent.kind, &parent.id)));
    }
    for (name, value) in [("guild", &message.guild), ("team", &message.team)] {
        line.push_str(&value.as_ref().map_or_else(String::new, |value| format!(" {name}:{value}")));
    }
    line.push_str(&format!(" from {}", message.sender.id));
    line.push_str(&message.sender.name.as_ref().map_or_else(String::new, |name| format!(" ({name})")));
    line.push_str(if message.addressed { " to us " } else { " " });
    line.push_str(&format!("{:?}", message.text));
    for media in &message.media {
        let known = [media.content_type.clone(), media.name.clone(), media.size.map(|size| size.to_string())];
        line.push_str(&format!(" +{}[{}]", media.reference, known.into_iter().flatten().collect::<Vec<_>>().join(" ")));
    }
    let reply = &message.reply_to;
    let place: Vec<&str> =
        [Some(reply.to.as_str()), reply.thread.as_deref(), reply.message.as_deref()].map(|at| at.unwrap_or("-")).into();
    format!("{line} @{} -> {}", message.sent_at.0, place.join("/").replace('\n', "\\n"))
}

fn each(subject: &ChannelUnderTest, check: impl Fn(&Sample, Result<Parsed, Rejected>)) {
    let channel = subject.offline();
    for sample in subject.samples() {
        let parsed = subject.read(&*channel, &sample.body);
        check(&sample, parsed);
    }
}

/// Every body the platform was seen to post is understood, and is a message unless the test says why not.
pub async fn every_sample_is_read(subject: &ChannelUnderTest) {
    let silent =
        |name: &str| subject.dropped.contains(&name) || subject.handshake.as_ref().is_some_and(|h| h.0 == name);
    assert!(subject.samples().len() >= 5, "too few samples to speak of");
    each(subject, |sample, parsed| {
        let parsed = parsed.unwrap_or_else(|error| panic!("{}: {error}", sample.name));
        assert_eq!(parsed.messages.is_empty(), silent(&sample.name), "{}: {:?}", sample.name, parsed.messages);
    });
}

/// They are acknowledged, so that the platform does not send them again.
pub async fn echoes_and_bots_and_unknown_events_are_acknowledged(subject: &ChannelUnderTest) {
    assert!(!subject.dropped.is_empty(), "every platform sends something that is not for us");
    let channel = subject.offline();
    for name in subject.dropped {
        let parsed = subject.read(&*channel, &subject.sample(name).body).unwrap();
        assert_eq!((parsed.messages, parsed.ack), (vec![], (subject.ack)()), "{name}");
    }
}

/// Where the platform asks whether we are there, it gets the answer it wants.
pub async fn the_handshake_is_answered(subject: &ChannelUnderTest) {
    let channel = subject.offline();
    if let Some((name, wanted)) = &subject.handshake {
        let parsed = subject.read(&*channel, &subject.sample(name).body).unwrap();
        assert_eq!((parsed.messages, &parsed.ack), (vec![], wanted));
    }
}

/// Platforms add fields whenever they like.
pub async fn fields_nobody_knows_change_nothing(subject: &ChannelUnderTest) {
    let channel = subject.offline();
    each(subject, |sample, parsed| {
        let richer = subject.read(&*channel, &enriched(&sample.body));
        // A different body may be signed as a different event.
        let without_id = |parsed: Result<Parsed, Rejected>| {
            parsed.map(|parsed| (parsed.ack, parsed.messages.into_iter().map(nameless).collect::<Vec<_>>()))
        };
        assert_eq!(without_id(richer), without_id(parsed), "{}", sample.name);
    });
}

fn nameless(message: Inbound) -> Inbound {
    Inbound { event_id: String::new(), ..message }
}

/// The same body with an unknown field in every object, or in the form.
fn enriched(body: &[u8]) -> Bytes {
    fn enrich(value: &mut Value) {
        match value {
            Value::Object(fields) => {
                fields.values_mut().for_each(enrich);
                fields.insert("zz_unknown".to_owned(), json!({"deep": [1, null, {"x": "y"}]}));
            }
            Value::Array(items) => items.iter_mut().for_each(enrich),
            _ => {}
        }
    }
    match serde_json::from_slice::<Value>(body) {
        Ok(mut value) => {
            enrich(&mut value);
            value.to_string().into()
        }
        Err(_) => [body, b"&zz_unknown=1"].concat().into(),
    }
}

/// The key of an event is the same however often and whenever the platform sends it, and no other event has it.
pub async fn a_retry_is_the_same_event(subject: &ChannelUnderTest) {
    let channel = subject.offline();
    let mut keys = BTreeMap::new();
    each(subject, |sample, parsed| {
        let mut again = subject.signed(&sample.body, ARRIVAL.plus(60_000));
        again.received_at = ARRIVAL.plus(61_000);
        let again = channel.parse(&channel.verify(again).unwrap()).unwrap();
        let key = |message: &Inbound| message.event_key();
        let first: Vec<_> = parsed.unwrap().messages.iter().map(key).collect();
        assert_eq!(first, again.messages.iter().map(key).collect::<Vec<_>>(), "{}", sample.name);
    });
    for sample in subject.samples() {
        for message in subject.read(&*channel, &sample.body).unwrap().messages {
            let other = keys.insert(message.event_key(), sample.name.clone());
            assert_eq!(other, None, "{} has the same event key", sample.name);
        }
    }
}

/// One person in one chat is one conversation.
pub async fn the_same_peer_has_one_identity(subject: &ChannelUnderTest) {
    assert!(!subject.same_peer.is_empty());
    let channel = subject.offline();
    for (one, other) in subject.same_peer {
        let peer = |name: &str| {
            let parsed = subject.read(&*channel, &subject.sample(name).body).unwrap();
            let message = parsed.messages.into_iter().next().unwrap();
            (message.peer, message.parent_peer, message.sender.id)
        };
        assert_eq!(peer(one), peer(other), "{one} and {other}");
    }
}

/// Routing, replies and deduplication stand on these.
pub async fn a_message_says_where_it_came_from(subject: &ChannelUnderTest) {
    each(subject, |sample, parsed| {
        for message in parsed.unwrap().messages {
            let name = &sample.name;
            let id = subject.descriptor.id;
            assert_eq!((message.channel.as_str(), message.account.as_str()), (id, ACCOUNT), "{name}");
            assert_eq!((message.reply_to.channel.as_str(), message.reply_to.account.as_str()), (id, ACCOUNT), "{name}");
            assert!(message.message_id.as_deref() != Some(""), "{name} has a blank message id");
            for part in [&message.event_id, &message.peer.id, &message.sender.id, &message.reply_to.to] {
                assert!(!part.is_empty(), "{name}: {}", line(&message));
            }
            assert!(message.sent_at.0 > 0, "{name} was written at no time");
            assert!(message.peer.kind != PeerKind::Direct || message.addressed, "{name} is direct, but not to us");
        }
    });
}

/// Cut, flipped, doubled and retyped bodies are refused or read, and nothing else.
pub async fn damaged_bodies_never_panic(subject: &ChannelUnderTest) {
    let channel = subject.offline();
    let mut dice = 0x9e37_79b9_7f4a_7c15_u64;
    let mut roll = |sides: usize| {
        // Xorshift, from a fixed seed: a failure is the same failure tomorrow.
        dice ^= dice << 13;
        dice ^= dice >> 7;
        dice ^= dice << 17;
        usize::try_from(dice % sides.max(1) as u64).unwrap()
    };
    let read = |body: &[u8]| {
        let _ = subject.read(&*channel, body); // Any answer will do.
    };
    for sample in subject.samples() {
        let body = sample.body.to_vec();
        (0..body.len()).for_each(|end| read(&body[..end]));
        for _ in 0..DAMAGES {
            let mut flipped = body.clone();
            flipped[roll(body.len())] = u8::try_from(roll(256)).unwrap();
            read(&flipped);
            let (from, to) = (roll(body.len()), roll(body.len()));
            let mut spliced = body[..from].to_vec();
            spliced.extend_from_slice(&body[to..]);
            read(&spliced);
        }
        if let Ok(value) = serde_json::from_slice::<Value>(&body) {
            for odd in [
                json!(null),
                json!(-1),
                json!(1e300),
                json!(u64::MAX),
                json!(""),
                json!("\u{1f600}\n"),
                json!([]),
                json!({}),
            ] {
                let mut at = 0;
                while let Some(changed) = replaced(&value, at, &odd) {
                    read(changed.to_string().as_bytes());
                    at += 1;
                }
            }
        }
    }
}

/// The value with its `at`th inner value replaced, counted in reading order; `None` if there are not so many.
fn replaced(value: &Value, at: usize, odd: &Value) -> Option<Value> {
    let (mut copy, mut left) = (value.clone(), at);
    walk(&mut copy, &mut left, &mut |inner| *inner = odd.clone()).then_some(copy)
}

/// Ten thousand brackets, as a body and in the place of every field, on a small stack.
pub async fn bottomless_bodies_exhaust_no_stack(subject: &ChannelUnderTest) {
    let channel = subject.offline();
    let arrays = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
    let objects = format!("{}1{}", "{\"a\":".repeat(10_000), "}".repeat(10_000));
    let refused = subject.read(&*channel, arrays.as_bytes());
    assert!(matches!(refused, Err(Rejected::Malformed(_))), "{refused:?}");
    let mut bodies = vec![arrays.clone(), objects.clone()];
    for sample in subject.samples() {
        if let Ok(value) = serde_json::from_slice::<Value>(&sample.body) {
            let mark = json!("bottomless");
            let mut at = 0;
            while let Some(changed) = replaced(&value, at, &mark) {
                bodies.extend([&arrays, &objects].map(|deep| changed.to_string().replace("\"bottomless\"", deep)));
                at += 1;
            }
        }
    }
    let verified: Vec<_> =
        bodies.iter().map(|body| channel.verify(subject.signed(body.as_bytes(), ARRIVAL)).unwrap()).collect();
    // Lambda's main thread has 8 MB, a tokio worker 2 MB.
    let reader = std::thread::Builder::new().stack_size(1024 * 1024);
    reader.spawn(move || verified.iter().for_each(|body| drop(channel.parse(body)))).unwrap().join().unwrap();
}
