//! The text of a message, without what Teams puts into it.

use crate::activity::{Entity, Person};

/// Whether the text mentions `bot`, and the text without that. Mentions of others stay, as `@name`.
pub(crate) fn read(text: &str, entities: &[Entity], bot: &Person) -> (bool, String) {
    let mut text = text.to_owned();
    let mut mentioned = false;
    for entity in entities.iter().filter(|entity| entity.kind.as_deref() == Some("mention")) {
        let Some(who) = &entity.mentioned else { continue };
        let ours = who.id.as_deref() == Some(bot.id.as_str());
        mentioned |= ours;
        let Some(shown) = entity.text.as_deref().filter(|shown| !shown.is_empty()) else { continue };
        let name = who.name.as_deref().or_else(|| inside(shown)).unwrap_or_default();
        let instead = if ours { String::new() } else { format!("@{name}") };
        text = text.replacen(shown, &instead, 1);
    }
    (mentioned, text.replace("&nbsp;", " ").replace('\u{a0}', " ").trim().to_owned())
}

/// The name in `<at>name</at>`.
fn inside(mention: &str) -> Option<&str> {
    mention.strip_prefix("<at>")?.strip_suffix("</at>")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn told(text: &str, entities: Value) -> (bool, String) {
        let bot: Person = serde_json::from_value(json!({ "id": "28:bot", "name": "Chela" })).unwrap();
        let entities: Vec<Entity> = serde_json::from_value(entities).unwrap();
        read(text, &entities, &bot)
    }

    #[test]
    fn our_mention_goes_and_others_stay_readable() {
        let ours =
            json!({ "type": "mention", "text": "<at>Chela</at>", "mentioned": { "id": "28:bot", "name": "Chela" } });
        let ada = json!({ "type": "mention", "text": "<at>Ada</at>", "mentioned": { "id": "29:ada" } });
        let info = json!({ "type": "clientInfo", "locale": "en-US" });
        assert_eq!(told("<at>Chela</at>&nbsp;ask <at>Ada</at> ", json!([info, ours, ada])), (true, "ask @Ada".into()));
        assert_eq!(told("<at>Chela</at>\u{a0}", json!([ours])), (true, String::new()));
        assert_eq!(told("<at>Ada</at>", json!([ada])), (false, "@Ada".into()));
    }

    #[test]
    fn words_that_only_look_like_a_mention_are_words() {
        assert_eq!(told("<at>Chela</at> hi", json!([])), (false, "<at>Chela</at> hi".into()));
        let without_text = json!({ "type": "mention", "mentioned": { "id": "28:bot" } });
        assert_eq!(told("hi", json!([without_text])), (true, "hi".into()));
        let nobody = json!({ "type": "mention", "text": "hi" });
        assert_eq!(told("hi", json!([nobody])), (false, "hi".into()));
        let other_kind = json!({ "type": "link", "text": "hi", "mentioned": { "id": "28:bot" } });
        assert_eq!(told("hi", json!([other_kind])), (false, "hi".into()));
    }
}
