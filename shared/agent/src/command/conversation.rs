//! `/new`, `/reset`, `/name`.

use chela_core::directory::Listing;
use chela_core::queue::Authority;
use chela_core::session::{Choices, StoreError};
use chela_core::turn::Reply;

use super::{Asked, choices, quoted, say};
use crate::answer::{Agent, Attempt};
use crate::relay::LABEL_CHARS;

/// Conversations of an agent among which one is looked for.
const LOOKED_AT: usize = 500;

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

impl Agent {
    /// Names the conversation in all lists. The same name twice is once.
    pub(super) async fn name(&self, asked: &Asked<'_>) -> Result<Reply, StoreError> {
        let title = asked.spoken.rest.chars().filter(|c| !c.is_control()).take(LABEL_CHARS).collect::<String>();
        let known = self.listing(asked.attempt).await?;
        if title.trim().is_empty() {
            return Ok(say(match known.and_then(|listing| listing.label) {
                Some(name) => format!("This conversation is called:\n{}", quoted(&name)),
                None => "This conversation has no name. Write `/name` and one.".to_owned(),
            }));
        }
        let fresh = || Listing {
            session: asked.attempt.machine.session().clone(),
            agent: asked.attempt.agent.clone(),
            label: None,
            parent: None,
            began: self.clock.now(),
            ended: None,
        };
        let label = Some(title.trim().to_owned());
        self.directory.list(&Listing { label, ..known.unwrap_or_else(fresh) }).await?;
        Ok(say(format!("This conversation is now called:\n{}", quoted(&title))))
    }

    /// What lists know of the conversation.
    pub(super) async fn listing(&self, attempt: &Attempt<'_>) -> Result<Option<Listing>, StoreError> {
        let listed = self.directory.listed(attempt.agent, LOOKED_AT).await?;
        Ok(listed.into_iter().find(|listing| listing.session == *attempt.machine.session()))
    }
}
