//! What a message says: its `content` is JSON within JSON, of another shape for each type.
//! <https://open.feishu.cn/document/server-docs/im-v1/message-content-description/message_content>

use chela_core::channel::Rejected;
use chela_core::message::Media;
use serde::Deserialize;
use serde_json::Value;

use crate::is_id;

/// Somebody who was mentioned. <https://open.feishu.cn/document/server-docs/im-v1/message/events/receive>
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Mention {
    key: Option<String>,
    id: Option<MentionId>,
    name: Option<String>,
    mentioned_type: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
struct MentionId {
    open_id: Option<String>,
}

impl Mention {
    /// Whether we are meant: by id where it is known, else every bot is taken as us.
    fn is_us(&self, us: Option<&str>) -> bool {
        match us {
            Some(us) => self.id.as_ref().and_then(|id| id.open_id.as_deref()) == Some(us),
            None => self.mentioned_type.as_deref() == Some("bot"),
        }
    }
}

/// A message, read.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Said {
    /// With names for the placeholders of mentions, without our own.
    pub(crate) text: String,
    /// Files that came along.
    pub(crate) media: Vec<Media>,
    /// Whether it mentions us.
    pub(crate) mentions_us: bool,
}

/// How a file is fetched: the message it is of, the type the API wants to hear, and its key.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Resource<'a> {
    pub(crate) message: &'a str,
    pub(crate) kind: &'a str,
    pub(crate) key: &'a str,
}

impl<'a> Resource<'a> {
    /// Reads [`Media::reference`]; `None` if it was not written by [`Resource::reference`].
    pub(crate) fn read(reference: &'a str) -> Option<Self> {
        let (message, rest) = reference.split_once('/')?;
        let (kind, key) = rest.split_once('/')?;
        let resource = Self { message, kind, key };
        (is_id(message) && is_id(key) && matches!(kind, "image" | "file")).then_some(resource)
    }

    fn reference(&self) -> String {
        format!("{}/{}/{}", self.message, self.kind, self.key)
    }
}

/// Reads the content of the message `id`. `None` for types that say nothing we could use: stickers, shared cards, calls.
pub(crate) fn read(
    id: &str,
    kind: &str,
    content: &str,
    mentions: &[Mention],
    us: Option<&str>,
) -> Result<Option<Said>, Rejected> {
    if !matches!(kind, "text" | "post" | "image" | "file" | "audio" | "media") {
        return Ok(None);
    }
    let content: Value =
        serde_json::from_str(content).map_err(|_| Rejected::Malformed("the content of the message is no JSON"))?;
    let mut reader = Reader { id, mentions, us, said: Said::default() };
    match kind {
        "text" => {
            let text = field(&content, "text").unwrap_or_default();
            reader.said.text = reader.named(text);
        }
        "post" => reader.post(&content),
        "image" => reader.file(&content, "image", "image_key", None),
        "audio" => reader.file(&content, "file", "file_key", Some("audio/ogg")),
        "media" => reader.file(&content, "file", "file_key", Some("video/mp4")),
        _ => reader.file(&content, "file", "file_key", None),
    }
    let mut said = reader.said;
    said.text = said.text.trim().to_owned();
    let nothing = said.text.is_empty() && said.media.is_empty() && !said.mentions_us;
    Ok((!nothing).then_some(said))
}

struct Reader<'a> {
    id: &'a str,
    mentions: &'a [Mention],
    us: Option<&'a str>,
    said: Said,
}

impl Reader<'_> {
    fn file(&mut self, content: &Value, kind: &str, key: &str, content_type: Option<&str>) {
        let Some(key) = field(content, key).filter(|key| is_id(key)) else { return };
        self.said.media.push(Media {
            missing: None,
            reference: Resource { message: self.id, kind, key }.reference(),
            content_type: content_type.map(str::to_owned),
            name: field(content, "file_name").filter(|name| !name.is_empty()).map(str::to_owned),
            size: None,
        });
    }

    /// Rich text: lines of elements. Some senders wrap it by language.
    fn post(&mut self, content: &Value) {
        let unwrapped = || content.as_object()?.values().find(|inner| inner.get("content").is_some());
        let post = if content.get("content").is_some() { content } else { unwrapped().unwrap_or(content) };
        let mut lines: Vec<String> = Vec::new();
        lines.extend(field(post, "title").filter(|title| !title.is_empty()).map(str::to_owned));
        for line in post.get("content").and_then(Value::as_array).into_iter().flatten() {
            let elements = line.as_array().map(Vec::as_slice).unwrap_or_default();
            let line: String = elements.iter().map(|element| self.element(element)).collect();
            lines.push(line);
        }
        self.said.text = lines.join("\n");
    }

    fn element(&mut self, element: &Value) -> String {
        let text = field(element, "text").unwrap_or_default();
        match field(element, "tag").unwrap_or_default() {
            "text" | "md" => self.named(text),
            "a" => match field(element, "href") {
                Some(href) if href != text => format!("[{text}]({href})"),
                _ => text.to_owned(),
            },
            "at" => {
                let key = field(element, "user_id").unwrap_or_default();
                if self.mentions.iter().any(|mention| mention.key.as_deref() == Some(key)) {
                    return self.named(key);
                }
                field(element, "user_name").map_or_else(|| self.named(key), |name| format!("@{name}"))
            }
            "img" => {
                self.file(element, "image", "image_key", None);
                String::new()
            }
            "media" => {
                self.file(element, "file", "file_key", Some("video/mp4"));
                String::new()
            }
            "emotion" => field(element, "emoji_type").map(|emoji| format!(":{emoji}:")).unwrap_or_default(),
            "code_block" => format!("```{}\n{text}\n```", field(element, "language").unwrap_or_default()),
            "hr" => "---".to_owned(),
            _ => String::new(),
        }
    }

    /// The text with names for the placeholders `@_user_1`, without our own.
    fn named(&mut self, text: &str) -> String {
        let mut named = String::with_capacity(text.len());
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("@_") {
            named.push_str(before);
            let fits = |mention: &&Mention| {
                let key = mention.key.as_deref().and_then(|key| key.strip_prefix("@_"));
                key.is_some_and(|key| !key.is_empty() && after.starts_with(key))
            };
            // `@_user_1` also begins `@_user_12`.
            let found = self.mentions.iter().filter(fits).max_by_key(|mention| mention.key.as_ref().map(String::len));
            let key = found.and_then(|mention| mention.key.as_deref()?.strip_prefix("@_"));
            rest = key.and_then(|key| after.strip_prefix(key)).unwrap_or(after);
            match found {
                Some(mention) if mention.is_us(self.us) => {
                    self.said.mentions_us = true;
                    let spaced = named.is_empty() || named.ends_with(char::is_whitespace);
                    rest = if spaced { rest.strip_prefix(' ').unwrap_or(rest) } else { rest };
                }
                Some(mention) => {
                    named.push('@');
                    named.push_str(mention.name.as_deref().unwrap_or("somebody"));
                }
                None => match rest.strip_prefix("all") {
                    Some(after) => {
                        named.push_str("@all");
                        rest = after;
                    }
                    None => named.push_str("@_"),
                },
            }
        }
        named.push_str(rest);
        named
    }
}

fn field<'v>(value: &'v Value, key: &str) -> Option<&'v str> {
    value.get(key)?.as_str()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn mentions() -> Vec<Mention> {
        let people = json!([
            {"key": "@_user_1", "id": {"open_id": "ou_bot"}, "name": "Chela", "mentioned_type": "bot"},
            {"key": "@_user_2", "id": {"open_id": "ou_tom"}, "name": "Tom", "mentioned_type": "user"},
            {"key": "@_user_12", "id": {"open_id": "ou_eve"}, "name": "Eve"},
        ]);
        serde_json::from_value(people).unwrap()
    }

    fn said(text: &str, us: Option<&str>) -> (String, bool) {
        let content = json!({ "text": text }).to_string();
        let said = read("om_1", "text", &content, &mentions(), us).unwrap().unwrap_or_default();
        (said.text, said.mentions_us)
    }

    #[test]
    fn placeholders_become_names_and_ours_goes() {
        let us = Some("ou_bot");
        assert_eq!(said("@_user_1 status?", us), ("status?".into(), true));
        assert_eq!(said("hey @_user_1 ask @_user_2", us), ("hey ask @Tom".into(), true));
        assert_eq!(said("@_user_12: @_user_2!", us), ("@Eve: @Tom!".into(), false));
        assert_eq!(said("@_user_1", us), (String::new(), true));
        assert_eq!(said("@_all hear", us), ("@all hear".into(), false));
        assert_eq!(said("@_user_9 @_x a@_b", us), ("@_user_9 @_x a@_b".into(), false));
    }

    #[test]
    fn without_our_id_any_bot_is_us_and_with_it_only_we_are() {
        assert_eq!(said("@_user_1 hi", None), ("hi".into(), true));
        assert_eq!(said("@_user_1 hi", Some("ou_other")), ("@Chela hi".into(), false));
        assert_eq!(said("@_user_2 hi", None), ("@Tom hi".into(), false));
    }

    #[test]
    fn rich_text_is_read_element_by_element() {
        let content = json!({"title": "Plan", "content": [
            [{"tag": "at", "user_id": "@_user_1", "user_name": "Chela"}, {"tag": "text", "text": " see "},
             {"tag": "a", "text": "here", "href": "https://e.com"}, {"tag": "emotion", "emoji_type": "SMILE"}],
            [{"tag": "img", "image_key": "img_1"}],
            [{"tag": "code_block", "language": "rust", "text": "let a;"}],
            [{"tag": "at", "user_id": "ou_x", "user_name": "Zoe"}, {"tag": "new"}],
            [{"tag": "media", "file_key": "file_1", "file_name": "v.mp4"}],
        ]});
        for content in [content.clone(), json!({ "zh_cn": content })] {
            let said = read("om_1", "post", &content.to_string(), &mentions(), Some("ou_bot")).unwrap().unwrap();
            assert_eq!(said.text, "Plan\n see [here](https://e.com):SMILE:\n\n```rust\nlet a;\n```\n@Zoe");
            assert!(said.mentions_us);
            let references: Vec<_> = said.media.iter().map(|media| media.reference.as_str()).collect();
            assert_eq!(references, ["om_1/image/img_1", "om_1/file/file_1"]);
        }
    }

    #[test]
    fn a_reference_leads_nowhere_else() {
        let resource = Resource { message: "om_1", kind: "image", key: "img_v2-a" };
        assert_eq!(Resource::read("om_1/image/img_v2-a"), Some(resource));
        for bad in
            ["", "om_1", "om_1/image", "om_1/video/k", "om_1/image/../x", "/image/k", "om_1/image/k?x", "a b/file/k"]
        {
            assert_eq!(Resource::read(bad), None, "{bad}");
        }
        let content = json!({"image_key": "../../../auth"}).to_string();
        assert_eq!(read("om_1", "image", &content, &[], None), Ok(None));
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
        #[test]
        fn no_content_panics(text in "[@_usera12l é😀]{0,40}", kind in "text|post|image|sticker", raw in ".{0,60}") {
            let _ = said(&text, Some("ou_bot"));
            let _ = read("om_1", &kind, &raw, &mentions(), None);
        }
    }
}
