//! What is attached. The bytes come along with the message, so they are handed on with it and stored before the message
//! is queued; the message refers to them by a name that nobody can guess.

use bytes::Bytes;
use chela_channel_kit::ProofKeys;
use chela_channel_kit::proof::sign_hmac_sha256;
use chela_core::channel::InlineFile;
use chela_core::message::Media;
use mail_parser::decoders::base64::base64_decode;
use mail_parser::decoders::quoted_printable::quoted_printable_decode;
use mail_parser::{Encoding, Message, MessagePart, MimeHeaders as _, PartType};

use crate::address::plain;

/// References that mean a file that is stored already.
const STORED: &str = "stored:";

/// Most files of one message; further ones are left out.
const MOST: usize = 20;

/// The longest name of a file, in characters.
const LONGEST_NAME: usize = 150;

/// Parts that are about the message and no part of it.
const ABOUT: &[&str] = &["application/pgp-signature", "application/pkcs7-signature", "application/x-pkcs7-signature"];

/// The files of a message, and their content. A message that comes again has the same names.
pub(crate) fn of(message: &Message<'_>, event: &str, keys: &ProofKeys) -> (Vec<Media>, Vec<InlineFile>) {
    let parts = message.attachments().filter(|part| !is_about(part));
    let files = parts.take(MOST).enumerate().filter_map(|(at, part)| {
        let bytes = content(message, part);
        if bytes.is_empty() {
            return None;
        }
        let name = hex::encode(sign_hmac_sha256(keys, &format!("file.{event}.{at}."), &bytes));
        let reference = format!("{STORED}{name}");
        let media = Media {
            missing: None,
            reference: reference.clone(),
            content_type: Some(content_type(part)),
            name: file_name(part),
            size: u64::try_from(bytes.len()).ok(),
        };
        Some((media, InlineFile { reference, bytes }))
    });
    files.unzip()
}

fn is_about(part: &MessagePart<'_>) -> bool {
    ABOUT.contains(&content_type(part).as_str())
}

fn content(message: &Message<'_>, part: &MessagePart<'_>) -> Bytes {
    match (&part.body, part.encoding) {
        (PartType::Multipart(_), _) => Bytes::new(),
        // A text is decoded to letters by the parser; a file is what was sent, whatever its letters are.
        (PartType::Text(_) | PartType::Html(_), encoding) => {
            let raw = message.raw_message.get(part.raw_body_offset() as usize..part.raw_end_offset() as usize);
            let raw = raw.unwrap_or_default();
            match encoding {
                Encoding::None => Bytes::copy_from_slice(raw),
                Encoding::Base64 => base64_decode(raw).map_or_else(|| Bytes::copy_from_slice(raw), Bytes::from),
                Encoding::QuotedPrintable => {
                    quoted_printable_decode(raw).map_or_else(|| Bytes::copy_from_slice(raw), Bytes::from)
                }
            }
        }
        _ => Bytes::copy_from_slice(part.contents()),
    }
}

fn content_type(part: &MessagePart<'_>) -> String {
    let Some(kind) = part.content_type() else { return "application/octet-stream".to_owned() };
    let kind = format!("{}/{}", kind.ctype(), kind.subtype().unwrap_or("octet-stream"));
    let fits = kind.bytes().all(|b| b.is_ascii_alphanumeric() || b"/.+-_".contains(&b));
    if fits { kind.to_ascii_lowercase() } else { "application/octet-stream".to_owned() }
}

fn file_name(part: &MessagePart<'_>) -> Option<String> {
    let name: String = plain(part.attachment_name()?).chars().take(LONGEST_NAME).collect();
    (!name.is_empty()).then_some(name)
}

#[cfg(test)]
mod tests {
    use chela_core::secret::Secret;
    use mail_parser::MessageParser;

    use super::*;

    fn files(body: &str, event: &str) -> (Vec<Media>, Vec<InlineFile>) {
        let raw = format!("From: a@b.c\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n{body}--b--\r\n");
        let keys = ProofKeys::words(&Secret::new("public-test-secret")).unwrap();
        of(&MessageParser::default().parse(raw.as_bytes()).unwrap(), event, &keys)
    }

    fn part(headers: &str, content: &str) -> String {
        format!("--b\r\n{headers}\r\n\r\n{content}\r\n")
    }

    #[test]
    fn a_file_has_a_name_that_only_we_can_make() {
        let text = part("Content-Type: text/plain", "hi");
        let note = part("Content-Type: text/plain\r\nContent-Disposition: attachment; filename=\"n.txt\"", "note");
        let (media, inline) = files(&format!("{text}{note}"), "e-1");
        assert_eq!((media.len(), inline[0].bytes.as_ref()), (1, b"note".as_slice()));
        assert_eq!(media[0].reference, inline[0].reference);
        assert_eq!(media[0].name.as_deref(), Some("n.txt"));
        assert!(media[0].reference.starts_with("stored:") && media[0].reference.len() == 7 + 64);
        let again = files(&format!("{text}{note}"), "e-1").0;
        assert_eq!(media, again);
        assert_ne!(media, files(&format!("{text}{note}"), "e-2").0);
    }

    #[test]
    fn signatures_empty_files_and_odd_types_are_seen_for_what_they_are() {
        let signature = part("Content-Type: application/pgp-signature; name=signature.asc", "x");
        let empty = part("Content-Type: image/png\r\nContent-Disposition: attachment", "");
        let odd = part("Content-Type: image/p\"ng; name=\"a\tb.png\"\r\nContent-Disposition: attachment", "x");
        let (media, _) = files(&format!("{signature}{empty}{odd}"), "e");
        assert_eq!(media.len(), 1, "{media:?}");
        assert_eq!(media[0].content_type.as_deref(), Some("application/octet-stream"));
        let many: String = (0..30).map(|n| part("Content-Type: image/png", &format!("file {n}"))).collect();
        assert_eq!(files(&many, "e").0.len(), MOST);
    }

    #[test]
    fn a_file_of_text_is_the_bytes_that_were_sent() {
        let file = |encoding: &str, content: &str| {
            let headers = "Content-Type: text/csv; charset=iso-8859-1\r\nContent-Disposition: attachment";
            files(&part(&format!("{headers}\r\nContent-Transfer-Encoding: {encoding}"), content), "e").1[0]
                .bytes
                .clone()
        };
        assert_eq!(file("base64", "6Q==").as_ref(), b"\xe9");
        assert_eq!(file("quoted-printable", "=E9=\r\n;").as_ref(), b"\xe9;");
        assert_eq!(file("8bit", "a;b\r\n1;2").as_ref(), b"a;b\r\n1;2");
    }

    #[test]
    fn a_message_that_is_passed_on_as_a_file_is_a_file() {
        let inner = part("Content-Type: message/rfc822", "From: x@y.z\r\nSubject: inner\r\n\r\ninner text");
        let (media, inline) = files(&inner, "e");
        assert_eq!(media[0].content_type.as_deref(), Some("message/rfc822"));
        assert!(inline[0].bytes.starts_with(b"From: x@y.z"), "{:?}", inline[0].bytes);
    }
}
