//! `/new`, `/reset`.

use chela_core::queue::Authority;
use chela_core::session::Choices;
use chela_core::turn::Reply;

use super::{Asked, choices, say};

pub(super) fn new(asked: &Asked<'_>) -> Reply {
    let word = asked.spoken.rest;
    if word.is_empty() {
        return Reply { forget: true, ..say("A new conversation begins here.") };
    }
    if asked.authority != Authority::Owner {
        return say(
            "`/new` with a model is for my owner here: it changes what I cost. Nothing was done; write `/new`.",
        );
    }
    match choices::model(&asked.attempt.settings.models, word) {
        None => say(choices::no_such_model(asked, word)),
        Some(model) => {
            let which = model.as_deref().unwrap_or("the configured model").to_owned();
            let choices = asked.chosen(|choices| choices.model = model);
            Reply { forget: true, choices, ..say(format!("A new conversation begins here, with {which}.")) }
        }
    }
}

pub(super) fn reset() -> Reply {
    let text = "A new conversation begins here, with everything as it is configured.";
    Reply { forget: true, choices: Some(Choices::default()), ..say(text) }
}
