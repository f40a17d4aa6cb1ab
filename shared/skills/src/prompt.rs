//! What of skills and templates reaches the model.

use crate::shelf::Stocked;

/// Most characters of the list in the prompt; it is paid for with every call.
pub const PROMPT_MAX_CHARS: usize = 3_000;

/// Most characters of one description in it.
const DESCRIPTION_CHARS: usize = 160;

/// The list of skills for the prompt; empty if there is none that works. Descriptions go first, and where they do not
/// fit names alone: a skill nobody knows of is never used.
pub fn listing(stock: &[Stocked]) -> String {
    let offered: Vec<&Stocked> =
        stock.iter().filter(|it| it.missing.is_empty() && !it.skill.hidden_from_model).collect();
    if offered.is_empty() {
        return String::new();
    }
    let mut text =
        "## Skills\n\nBefore you do what one of these is for, load it with `skill` and follow it.\n".to_owned();
    let names = offered.iter().map(|it| it.skill.name.chars().count().saturating_add(4)).sum::<usize>();
    let mut room = PROMPT_MAX_CHARS.saturating_sub(text.chars().count()).saturating_sub(names);
    for Stocked { skill, .. } in offered {
        let mut description: String = skill.description.chars().take(DESCRIPTION_CHARS).collect();
        if skill.description.chars().count() > DESCRIPTION_CHARS {
            description.push('…');
        }
        let length = description.chars().count().saturating_add(2);
        if length <= room {
            room = room.saturating_sub(length);
            text.push_str(&format!("\n- {}: {description}", skill.name));
        } else {
            text.push_str(&format!("\n- {}", skill.name));
        }
    }
    text
}

/// A text that people call by its name (`prompts.<name>`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Template {
    /// Its name: `standup` is called as `/standup`.
    pub name: String,
    /// The text; `{{input}}` is what was written behind the name, else that stands at the end.
    pub text: String,
}

/// What a message that calls a template or a skill says to the model; `None` if it calls none.
pub fn expand(message: &str, templates: &[Template], stock: &[Stocked]) -> Option<String> {
    let message = message.trim();
    let (word, input) = message.split_once(char::is_whitespace).unwrap_or((message, ""));
    let (name, input) = (word.strip_prefix('/')?, input.trim());
    if let Some(template) = templates.iter().find(|template| template.name.eq_ignore_ascii_case(name)) {
        let Template { text, .. } = template;
        return Some(match text.contains("{{input}}") {
            true => text.replace("{{input}}", input),
            false => format!("{text}\n\n{input}").trim().to_owned(),
        });
    }
    let (name, input) = match name.eq_ignore_ascii_case("skill") {
        true => input.split_once(char::is_whitespace).unwrap_or((input, "")),
        false => (name, input),
    };
    let named =
        |it: &&Stocked| it.skill.user_invocable && it.missing.is_empty() && it.skill.name.eq_ignore_ascii_case(name);
    let Stocked { skill, .. } = stock.iter().find(named)?;
    let task = if input.trim().is_empty() { "Do what it is for." } else { input.trim() };
    Some(format!("Load the skill \"{}\" with the tool `skill` and follow it. {task}", skill.name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::skill::Skill;

    fn stocked(name: &str, description: &str) -> Stocked {
        let skill =
            Skill { name: name.into(), description: description.into(), user_invocable: true, ..Skill::default() };
        Stocked { skill, folder: format!("skills/{name}"), missing: vec![], pinned: false }
    }

    #[test]
    fn the_list_is_short_and_complete() {
        assert_eq!(listing(&[]), "");
        let stock: Vec<Stocked> = (0..100).map(|n| stocked(&format!("skill-{n}"), &"d".repeat(500))).collect();
        let text = listing(&stock);
        assert!(text.chars().count() <= PROMPT_MAX_CHARS, "{}", text.chars().count());
        for it in &stock {
            assert!(text.contains(&it.skill.name), "every skill is named");
        }
        let mut hidden = stocked("hidden", "d");
        hidden.skill.hidden_from_model = true;
        let mut lame = stocked("lame", "d");
        lame.missing = vec![crate::eligible::Missing::Bin("gh".into())];
        assert_eq!(listing(&[hidden, lame]), "");
    }

    #[test]
    fn templates_and_skills_are_called_by_name() {
        let templates = [
            Template { name: "standup".into(), text: "Write a stand-up about {{input}}, short.".into() },
            Template { name: "brief".into(), text: "Be brief.".into() },
        ];
        let stock = [stocked("weather", "d")];
        let said = |text: &str| expand(text, &templates, &stock);
        assert_eq!(said("/standup  the {{input}} trap").unwrap(), "Write a stand-up about the {{input}} trap, short.");
        assert_eq!(said("/BRIEF hello").unwrap(), "Be brief.\n\nhello");
        assert!(said("/weather Oslo").unwrap().ends_with("follow it. Oslo"));
        assert!(said("/skill weather Oslo").unwrap().contains("\"weather\""));
        assert_eq!(said("/skill unknown x"), None);
        assert_eq!(said("weather Oslo"), None);
        assert_eq!(said("/"), None);
    }
}
