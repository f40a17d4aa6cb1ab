//! Buttons, files and reactions, where the platform has them.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use chela_core::channel::{Choice, OutboundFile, OutboundPart, SendError};
use chela_core::session_key::PeerKind;
use serde_json::Value;

use super::platform::Seen;
use super::{ChannelUnderTest, part};

/// The smallest picture.
const PICTURE: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\x06\0\0\0\x1f\x15\xc4\x89";

/// A bot that answers to everything in a room is thrown out; one that answers to nothing is useless.
pub async fn a_room_is_heard_where_we_are_meant(subject: &ChannelUnderTest) {
    assert_eq!(subject.descriptor.features.groups, !subject.to_us.is_empty(), "which samples are said to us in rooms?");
    let channel = subject.offline();
    for (names, meant) in [(subject.to_us, true), (subject.not_to_us, false)] {
        for name in names {
            for message in subject.read(&*channel, &subject.sample(name).body).unwrap().messages {
                assert_ne!(message.peer.kind, PeerKind::Direct, "{name}");
                assert_eq!(message.addressed, meant, "{name}");
            }
        }
    }
}

/// Both words of a choice arrive: the one that is read and the one that comes back.
pub async fn choices_are_shown_as_buttons(subject: &ChannelUnderTest) {
    let platform = subject.platform().await;
    let channel = subject.open(platform.url());
    let to = subject.address();
    let limits = channel.limits(&to);
    assert_eq!(subject.descriptor.features.buttons, limits.choices > 0);
    if limits.choices == 0 {
        return;
    }
    let choice = |label: &str, value: &str| Choice { label: label.to_owned(), value: value.to_owned() };
    let choices = [choice("Approve & go", "approve:42"), choice("Deny", "deny:42")];
    let asked = OutboundPart { choices: choices.get(..limits.choices.min(2)).unwrap(), ..part(&to, "May I?") };
    channel.send(&asked).await.unwrap();
    let seen = platform.take();
    for word in asked.choices.iter().flat_map(|choice| [&choice.label, &choice.value]) {
        assert!(seen.iter().any(|seen| mentions(seen, word)), "{word} is not in what was sent");
    }
    assert!(seen.iter().any(|seen| mentions(seen, "May I?")));
}

/// Also where the text is JSON within JSON, or a form.
fn mentions(seen: &Seen, word: &str) -> bool {
    let body = String::from_utf8_lossy(&seen.body).into_owned();
    let plain = |text: &str| text.replace("\\u0026", "&").replace("&amp;", "&").contains(word);
    let form = url::form_urlencoded::parse(&seen.body).any(|(_, value)| plain(&value));
    plain(&body) || form
}

/// The bytes, as they are or in Base64, or where they are to be fetched, and the words beside them.
pub async fn a_file_is_sent_with_its_caption(subject: &ChannelUnderTest) {
    let platform = subject.platform().await;
    let channel = subject.open(platform.url());
    let to = subject.address();
    let url = "https://files.example.org/a.png";
    let file = OutboundFile { name: "a.png", content_type: "image/png", bytes: PICTURE.into(), url: Some(url) };
    let sent = channel.attach(&file, &part(&to, "a caption")).await;
    let seen = platform.take();
    if !subject.descriptor.features.uploads {
        assert!(matches!(sent, Err(SendError::Refused { .. })), "{sent:?}");
        return assert_eq!(seen, vec![]);
    }
    assert!(!sent.unwrap().message_id.is_empty());
    let has = |seen: &Seen, wanted: &[u8]| {
        layers(&seen.body).iter().any(|layer| layer.windows(wanted.len()).any(|window| window == wanted))
    };
    let data = BASE64.encode(PICTURE);
    let content = |seen: &Seen| has(seen, PICTURE) || mentions(seen, &data) || mentions(seen, url);
    assert!(seen.iter().any(content), "neither the bytes nor the URL were sent");
    let caption = |seen: &Seen| has(seen, b"a caption") || mentions(seen, "a caption");
    assert!(seen.iter().any(caption), "the caption is lost");
}

/// A body, and what stands in it in Base64: in the texts of JSON, and in the parts of a MIME message that may be there.
fn layers(body: &[u8]) -> Vec<Vec<u8>> {
    fn texts(value: &Value, found: &mut Vec<Vec<u8>>) {
        match value {
            Value::String(text) => found.extend(BASE64.decode(text)),
            Value::Array(items) => items.iter().for_each(|item| texts(item, found)),
            Value::Object(fields) => fields.values().for_each(|field| texts(field, found)),
            _ => {}
        }
    }
    let mut found = vec![body.to_vec()];
    texts(&serde_json::from_slice(body).unwrap_or_default(), &mut found);
    let parts: Vec<Vec<u8>> = found
        .iter()
        .flat_map(|layer| String::from_utf8_lossy(layer).split("\r\n\r\n").map(str::to_owned).collect::<Vec<_>>())
        .filter_map(|part| BASE64.decode(part.split("\r\n--").next()?.replace("\r\n", "")).ok())
        .collect();
    [found, parts].concat()
}

/// An emoji says "seen" before an answer is there.
pub async fn a_reaction_is_put_under_a_message(subject: &ChannelUnderTest) {
    let platform = subject.platform().await;
    let channel = subject.open(platform.url());
    let parsed = subject.read(&*channel, &subject.sample("text").body).unwrap();
    let message = parsed.messages.into_iter().next().unwrap();
    let id = message.message_id.as_deref();
    let reacted = channel.react(&message.reply_to, id.unwrap_or("1"), "👀").await;
    let seen = platform.take();
    if subject.descriptor.features.reactions {
        assert!(id.is_some(), "the sample \"text\" has no message id to react to");
        reacted.unwrap();
        assert!(!seen.is_empty());
    } else {
        assert!(matches!(reacted, Err(SendError::Refused { .. })), "{reacted:?}");
        assert_eq!(seen, vec![]);
    }
}

/// What is too large is not loaded.
pub async fn a_file_is_fetched_under_its_cap(subject: &ChannelUnderTest) {
    assert_eq!(subject.descriptor.features.media, subject.file.is_some(), "which sample has a file?");
    let Some((name, content)) = subject.file else { return };
    let platform = subject.platform().await;
    let channel = subject.open(platform.url());
    let parsed = subject.read(&*channel, &subject.sample(name).body).unwrap();
    let message = parsed.messages.into_iter().next().unwrap();
    // What came along with the message is stored, and never asked for again.
    if let Some(inline) = parsed.files.first() {
        let references: Vec<&String> = message.media.iter().map(|media| &media.reference).collect();
        assert_eq!(references, [&inline.reference]);
        return assert_eq!(inline.bytes, content);
    }
    // Where the sample names a host of the platform, its server here stands in for it.
    let mut media = message.media.into_iter().next().expect("the sample has a file");
    if let Ok(url) = url::Url::parse(&media.reference)
        && url.has_host()
    {
        media.reference = media.reference.replace(&url.origin().ascii_serialization(), platform.url());
    }
    let wait = Duration::from_secs(2);
    let fetched = channel.fetch(&media, content.len(), wait).await.unwrap();
    assert_eq!(fetched.bytes, content);
    assert_eq!(format!("{fetched:?}"), format!("Fetched({} bytes)", content.len()));
    let refused = channel.fetch(&media, content.len() - 1, wait).await;
    assert!(matches!(refused, Err(SendError::Refused { .. })), "{refused:?}");
}
