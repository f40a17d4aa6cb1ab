//! `/model`, `/models`, `/think`, `/verbose`: what is chosen for a conversation.

use chela_core::command::thinking;
use chela_core::model::Thinking;
use chela_core::session::Verbose;
use chela_core::turn::Reply;

use super::{Asked, say};
use crate::settings::ModelChoice;

/// The model a word names: by its number in the list, its full name, or the end of one name alone. `Some(None)` is the
/// configured one.
pub(super) fn model(models: &[ModelChoice], word: &str) -> Option<Option<String>> {
    if word.eq_ignore_ascii_case("default") {
        return Some(None);
    }
    let name = |choice: &ModelChoice| Some(choice.name.clone());
    if let Some(whole) = models.iter().find(|choice| choice.name.eq_ignore_ascii_case(word)) {
        return Some(name(whole));
    }
    if let Ok(number) = word.parse::<usize>() {
        return models.get(number.checked_sub(1)?).map(name);
    }
    let word = word.to_ascii_lowercase();
    let mut ends = models.iter().filter(|choice| !word.is_empty() && choice.name.to_ascii_lowercase().ends_with(&word));
    match (ends.next(), ends.next()) {
        (Some(one), None) => Some(name(one)),
        _ => None,
    }
}

/// The refusal of a message for a model that nobody knows.
pub(super) fn unknown(asked: &Asked<'_>, word: &str) -> Option<Reply> {
    model(&asked.attempt.settings.models, word).is_none().then(|| say(no_such_model(asked, word)))
}

pub(super) fn no_such_model(asked: &Asked<'_>, word: &str) -> String {
    let word: String = word.chars().filter(|c| !c.is_control() && *c != '`').take(80).collect();
    format!("`{word}` names none of my models, or several. Nothing was done.\n{}", list(asked, ""))
}

/// The models of one provider, or all, by the numbers that `/model` takes.
pub(super) fn list(asked: &Asked<'_>, provider: &str) -> String {
    let current = asked.attempt.machine.head().choices.model.as_deref();
    let of_provider = |choice: &ModelChoice| {
        let own = choice.name.split_once('/').map_or("", |(own, _)| own);
        provider.is_empty() || own.eq_ignore_ascii_case(provider)
    };
    let numbered = (1_usize..).zip(&asked.attempt.settings.models).filter(|(_, choice)| of_provider(choice));
    let lines: Vec<String> = numbered
        .map(|(number, ModelChoice { name, context_window, max_tokens, .. })| {
            let mark = if current == Some(name) { " – chosen" } else { "" };
            format!("{number}. `{name}` – reads {context_window} tokens, answers with {max_tokens} at most{mark}")
        })
        .collect();
    if lines.is_empty() {
        return "I have no such model. `/models` lists all.".to_owned();
    }
    format!("My models, in the order in which I ask them:\n{}", lines.join("\n"))
}

pub(super) fn choose_model(asked: &Asked<'_>) -> Reply {
    let word = asked.spoken.rest;
    match word.to_ascii_lowercase().as_str() {
        "" | "status" => return say(format!("{}\n{}", current(asked), list(asked, ""))),
        "list" => return say(list(asked, "")),
        _ => {}
    }
    match model(&asked.attempt.settings.models, word) {
        None => say(no_such_model(asked, word)),
        Some(model) => {
            let text = model.as_ref().map_or_else(
                || "From now on I ask the configured model in this conversation.".to_owned(),
                |name| format!("From now on I ask `{name}` first in this conversation."),
            );
            Reply { choices: asked.chosen(|choices| choices.model = model), ..say(text) }
        }
    }
}

/// Which model is asked first, and why.
pub(super) fn current(asked: &Asked<'_>) -> String {
    let models = &asked.attempt.settings.models;
    let chosen = asked.attempt.machine.head().choices.model.as_ref();
    // A model that was chosen may be configured no more.
    match (models.iter().find(|choice| Some(&choice.name) == chosen), models.first()) {
        (Some(choice), _) => format!("**Model** {} (chosen for this conversation)", choice.name),
        (None, Some(_)) => {
            let names: Vec<&str> = models.iter().map(|choice| choice.name.as_str()).collect();
            format!("**Model** {}", names.join(", then "))
        }
        (None, None) => "**Model** none can be asked".to_owned(),
    }
}

pub(super) fn think(asked: &Asked<'_>) -> Reply {
    let (word, _) = asked.spoken.first();
    match thinking(&word) {
        Some(level) => Reply {
            choices: asked.chosen(|choices| choices.thinking = level),
            ..say(format!("Thinking in this conversation: {}.", level_name(level)))
        },
        None => {
            let now = level_name(asked.attempt.machine.head().choices.thinking);
            say(format!("Thinking in this conversation: {now}. Choose with `{}`.", asked.spoken.spec.usage()))
        }
    }
}

pub(super) fn level_name(level: Option<Thinking>) -> &'static str {
    match level {
        None => "as configured",
        Some(Thinking::Off) => "off",
        Some(Thinking::Minimal) => "minimal",
        Some(Thinking::Low) => "low",
        Some(Thinking::Medium) => "medium",
        Some(Thinking::High) => "high",
        Some(Thinking::Xhigh) => "xhigh",
    }
}

pub(super) fn verbose(asked: &Asked<'_>) -> Reply {
    let name = |verbose| match verbose {
        None => "as configured",
        Some(Verbose::Off) => "off",
        Some(Verbose::On) => "on",
        Some(Verbose::Full) => "full",
    };
    let verbose = match asked.spoken.first().0.as_str() {
        "off" => Some(Verbose::Off),
        "on" => Some(Verbose::On),
        "full" => Some(Verbose::Full),
        "default" => None,
        _ => {
            let now = name(asked.attempt.machine.head().choices.verbose);
            return say(format!("Telling of tools: {now}. Choose with `{}`.", asked.spoken.spec.usage()));
        }
    };
    let text = format!("Telling of tools in this conversation: {}.", name(verbose));
    Reply { choices: asked.chosen(|choices| choices.verbose = verbose), ..say(text) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_is_named_by_number_name_or_an_ending_of_its_own() {
        let choice = |name: &str| ModelChoice {
            name: name.into(),
            id: name.into(),
            max_tokens: 1,
            context_window: 1,
            sees: Default::default(),
            price: None,
            profiles: vec![],
        };
        let models = ["a/big", "a/mini", "b/mini", "b/4"].map(choice);
        let named = |word| model(&models, word);
        for (word, found) in
            [("1", "a/big"), ("A/BIG", "a/big"), ("big", "a/big"), ("b/mini", "b/mini"), ("4", "b/4"), ("/4", "b/4")]
        {
            assert_eq!(named(word), Some(Some(found.to_owned())), "{word}");
        }
        assert_eq!(named("Default"), Some(None));
        for word in ["mini", "0", "5", "small", "", "-1"] {
            assert_eq!(named(word), None, "{word}");
        }
    }
}
