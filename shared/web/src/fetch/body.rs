//! What came: what it is, unpacked, in which characters.

use std::io::Read;

use bytes::Bytes;
use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE};
use flate2::read::MultiGzDecoder;

/// Bytes at whose beginning a page says in which characters it is written:
/// <https://html.spec.whatwg.org/multipage/parsing.html#prescan-a-byte-stream-to-determine-its-encoding>
const PRESCAN: usize = 1024;

/// What can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Html,
    Pdf,
    /// Read as it is: text, markdown, JSON, XML, source.
    Text,
}

impl Kind {
    /// By what its server says; `None` for what is no text.
    pub(crate) fn of(content_type: &str) -> Option<Self> {
        let name = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        match name.as_str() {
            "text/html" | "application/xhtml+xml" => Some(Self::Html),
            "application/pdf" => Some(Self::Pdf),
            "" | "application/octet-stream" | "binary/octet-stream" => Some(Self::Text),
            "application/json" | "application/xml" | "application/javascript" | "application/yaml" => Some(Self::Text),
            "application/x-ndjson" | "application/toml" | "application/rtf" => Some(Self::Text),
            name if name.starts_with("text/") || name.ends_with("+json") || name.ends_with("+xml") => Some(Self::Text),
            _ => None,
        }
    }

    /// What it really is where the server did not say.
    pub(crate) fn seen(self, body: &Body) -> Self {
        let said = body.content_type.split(';').next().unwrap_or_default().trim();
        let vague = said.is_empty() || said.ends_with("octet-stream");
        let head: Vec<u8> = body.bytes.iter().copied().skip_while(u8::is_ascii_whitespace).take(256).collect();
        let head = String::from_utf8_lossy(&head).to_ascii_lowercase();
        match self {
            Self::Text if head.starts_with("%pdf-") => Self::Pdf,
            Self::Text if vague && (head.starts_with("<!doctype html") || head.starts_with("<html")) => Self::Html,
            kind => kind,
        }
    }
}

/// A body without its packing.
pub(crate) struct Body {
    pub(crate) bytes: Bytes,
    content_type: String,
}

impl Body {
    /// Unpacks up to `most` bytes; whether there were more is told. What unpacks to a thousand times its size ends there
    /// too (CVE-2026-62210).
    pub(crate) fn unpack(
        packed: Bytes,
        encoding: &str,
        most: usize,
        content_type: String,
    ) -> Result<(Self, bool), String> {
        let bytes = match encoding {
            "" | "identity" => return Ok((Self { bytes: packed, content_type }, false)),
            "gzip" | "x-gzip" => {
                let mut unpacked = Vec::new();
                let room = u64::try_from(most).unwrap_or(u64::MAX).saturating_add(1);
                let read = MultiGzDecoder::new(packed.as_ref()).take(room).read_to_end(&mut unpacked);
                // What was cut at the limit ends early; what came until then is readable.
                if read.is_err() && unpacked.is_empty() {
                    return Err("The page is packed in a damaged way.".to_owned());
                }
                unpacked
            }
            _ => return Err("The page is packed in a way that was not asked for.".to_owned()),
        };
        let cut = bytes.len() > most;
        let mut bytes = Bytes::from(bytes);
        bytes.truncate(most);
        Ok((Self { bytes, content_type }, cut))
    }

    /// The text, in the characters that its first bytes, its server, or the page itself name; else UTF-8.
    pub(crate) fn text(&self) -> String {
        let named = charset(&self.content_type).or_else(|| declared(&self.bytes)).unwrap_or(UTF_8);
        let (text, ..) = named.decode(&self.bytes);
        text.into_owned()
    }
}

/// The one in `text/html; charset=…`.
fn charset(text: &str) -> Option<&'static Encoding> {
    let lower = text.to_ascii_lowercase();
    let (_, value) = lower.split_once("charset")?;
    let value = value.trim_start().strip_prefix('=')?.trim_start().trim_start_matches(['"', '\'']);
    let label: String = value.chars().take_while(|c| c.is_ascii_alphanumeric() || "-_.:+".contains(*c)).collect();
    Encoding::for_label(label.as_bytes())
}

/// The one in `<meta charset=…>` or `<meta http-equiv=… content="…charset=…">`.
fn declared(bytes: &[u8]) -> Option<&'static Encoding> {
    let head = bytes.get(..PRESCAN).unwrap_or(bytes);
    let head: String = head.iter().map(|byte| char::from(*byte)).collect::<String>().to_ascii_lowercase();
    let found = head.split("<meta").skip(1).find_map(|tag| charset(tag.split('>').next().unwrap_or_default()))?;
    // Whoever could read the declaration did not read UTF-16.
    Some(if found == UTF_16BE || found == UTF_16LE { UTF_8 } else { found })
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    fn text(bytes: &[u8], content_type: &str) -> String {
        Body { bytes: Bytes::copy_from_slice(bytes), content_type: content_type.to_owned() }.text()
    }

    #[test]
    fn pages_are_read_in_their_own_characters() {
        assert_eq!(text(b"caf\xe9", "text/html; charset=ISO-8859-1"), "café");
        assert_eq!(text(b"\x93\xfa\x96\x7b", "text/html;charset=\"Shift_JIS\""), "日本");
        assert_eq!(text(b"<meta charset=windows-1251>\xcf\xf0\xe8", "text/html"), "<meta charset=windows-1251>При");
        let old = b"<meta http-equiv=\"Content-Type\" content=\"text/html; charset=gb2312\">\xd6\xd0";
        assert!(text(old, "").ends_with('中'));
        assert_eq!(text("\u{feff}naïve".as_bytes(), "text/plain; charset=latin1"), "naïve");
        assert_eq!(text(b"\xff\xfeh\0i\0", "text/plain"), "hi");
        assert_eq!(text("ü<meta charset=utf-16>".as_bytes(), "text/html"), "ü<meta charset=utf-16>");
        assert_eq!(text(b"\xff!", "text/plain; charset=nonsense"), "\u{fffd}!");
    }

    #[test]
    fn what_is_packed_is_unpacked_up_to_the_limit() {
        let mut packer = GzEncoder::new(Vec::new(), Compression::best());
        for _ in 0..1_000 {
            packer.write_all(&[b'a'; 10_000]).unwrap();
        }
        let packed = Bytes::from(packer.finish().unwrap());
        assert!(packed.len() < 20_000);
        let (body, cut) = Body::unpack(packed.clone(), "gzip", 5_000, String::new()).unwrap();
        assert!(cut && body.bytes.len() == 5_000);
        let (body, cut) = Body::unpack(packed.slice(..9_000), "x-gzip", 50_000_000, String::new()).unwrap();
        assert!(!cut && body.bytes.len() > 1_000_000, "what came before the end is kept");
        assert!(Body::unpack(Bytes::from_static(b"no"), "gzip", 10, String::new()).is_err());
        assert!(Body::unpack(Bytes::from_static(b"no"), "br", 10, String::new()).is_err());
    }

    #[test]
    fn only_text_is_read() {
        for (name, kind) in [
            ("text/html; charset=utf-8", Some(Kind::Html)),
            ("application/pdf", Some(Kind::Pdf)),
            ("application/ld+json", Some(Kind::Text)),
            ("Text/Markdown", Some(Kind::Text)),
            ("image/svg+xml", Some(Kind::Text)),
            ("image/png", None),
            ("application/zip", None),
            ("video/mp4", None),
        ] {
            assert_eq!(Kind::of(name), kind, "{name}");
        }
        let vague = |bytes: &'static [u8]| Body { bytes: Bytes::from_static(bytes), content_type: String::new() };
        assert_eq!(Kind::Text.seen(&vague(b"\n<!DOCTYPE HTML><p>")), Kind::Html);
        assert_eq!(Kind::Text.seen(&vague(b"%PDF-1.7")), Kind::Pdf);
        assert_eq!(Kind::Text.seen(&vague(b"plain")), Kind::Text);
    }
}
