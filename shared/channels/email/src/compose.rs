//! Our own messages: text and HTML beside each other, in the conversation they belong to.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use chela_channel_kit::markdown::{Plain, render};
use chela_core::channel::OutboundFile;
use chela_core::clock::Millis;
use mail_builder::MessageBuilder;
use mail_builder::headers::address::Address;
use mail_builder::headers::date::Date;
use mail_builder::headers::raw::Raw;
use mail_builder::mime::MimePart;

use crate::address::{halves, plain};
use crate::html;
use crate::loops::LOOP_HEADER;
use crate::settings::Settings;
use crate::thread::{Conversation, is_id, is_root};

/// The longest subject made of a message's own first line, in characters.
const LONGEST_SUBJECT: usize = 70;

/// RFC 2045 §6.8.
const LINE_LENGTH: usize = 76;

/// A message to be written.
pub(crate) struct Draft<'a> {
    /// Whom to.
    pub(crate) to: &'a str,
    /// What is answered.
    pub(crate) conversation: Conversation,
    /// What the conversation is known by, see [`crate::thread::root`].
    pub(crate) root: Option<&'a str>,
    /// Markdown; may be empty where there is a file.
    pub(crate) markdown: &'a str,
    /// A file.
    pub(crate) file: Option<&'a OutboundFile<'a>>,
    /// What no other message has: becomes part of its id.
    pub(crate) key: &'a str,
    /// When it is written.
    pub(crate) at: Millis,
}

/// The message as it is sent. Writing into memory does not fail, but the builder cannot know.
pub(crate) fn write(draft: &Draft<'_>, settings: &Settings) -> Option<Bytes> {
    let own = settings.address.as_str();
    let (user, domain) = halves(own);
    let key: String = draft.key.chars().filter(char::is_ascii_alphanumeric).take(64).collect();
    let references: Vec<&str> =
        draft.conversation.references.iter().map(String::as_str).filter(|id| is_id(id)).collect();
    // https://www.rfc-editor.org/rfc/rfc3834#section-5.1
    let automatic = if references.is_empty() { "auto-generated" } else { "auto-replied" };
    let mut message = MessageBuilder::new()
        .from(Address::new_address(settings.from_name.as_deref(), own))
        .to(draft.to)
        .subject(subject(draft))
        .date(Date::new(i64::try_from(draft.at.seconds()).unwrap_or_default()))
        .message_id(format!("{key}@{domain}"))
        .header("Auto-Submitted", Raw::new(automatic))
        .header("X-Auto-Response-Suppress", Raw::new("All"))
        .header(LOOP_HEADER, Raw::new(own))
        .text_body(draft.markdown)
        .html_body(html::document(draft.markdown));
    if let Some(last) = references.last() {
        message = message.in_reply_to((*last).to_owned());
        message = message.references(references);
    }
    if let Some(root) = draft.root.filter(|root| settings.plus_addressing && is_root(root)) {
        message = message.reply_to(format!("{user}+{root}@{domain}"));
    }
    if let Some(file) = draft.file {
        message.attachments = Some(vec![attachment(file)]);
    }
    message.write_to_vec().ok().map(Bytes::from)
}

fn attachment<'a>(file: &'a OutboundFile<'a>) -> MimePart<'a> {
    let kind = file.content_type.split(';').next().unwrap_or_default().trim();
    let fits = kind.contains('/') && kind.bytes().all(|b| b.is_ascii_alphanumeric() || b"/.+-_".contains(&b));
    // These two may not be encoded (RFC 2046 §5.2.1).
    let whole = !kind.starts_with("message/") && !kind.starts_with("multipart/");
    let kind = if fits && whole { kind } else { "application/octet-stream" };
    MimePart::new(kind, base64_lines(&file.bytes))
        .header("Content-Transfer-Encoding", Raw::new("base64"))
        .attachment(plain(file.name))
}

/// Every file, texts too: encoded as text its line ends would become those of mail.
fn base64_lines(bytes: &[u8]) -> Vec<u8> {
    let encoded = BASE64.encode(bytes);
    let lines: Vec<&[u8]> = encoded.as_bytes().chunks(LINE_LENGTH).collect();
    lines.join(b"\r\n".as_slice())
}

/// The conversation's, or the first words of what is said.
fn subject(draft: &Draft<'_>) -> String {
    let first = || {
        let text = render(draft.markdown, &Plain);
        let line = plain(text.lines().map(str::trim).find(|line| !line.is_empty())?);
        let short: String = line.chars().take(LONGEST_SUBJECT).collect();
        Some(if short == line { line } else { format!("{}…", short.trim_end()) })
    };
    let file = || Some(plain(draft.file?.name));
    draft.conversation.reply_subject().or_else(first).or_else(file).unwrap_or_else(|| "(no subject)".to_owned())
}
