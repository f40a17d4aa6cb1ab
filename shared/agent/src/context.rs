//! What a model reads of the conversation.

use chela_core::model::{Block, ModelError, ModelMessage, Role};
use chela_core::turn::{Machine, add_open_turn, chars, join, plain, recent_enough, told, validate};

use crate::knowledge::Knowledge;
use crate::window::summary;

/// How the conversation is put, each form simpler than the one before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// As it was.
    Whole,
    /// The turns before this one in words alone: what one provider wrote another may not take.
    PlainPast,
    /// A new segment: a summary of the turns before and this one, all in words.
    Segment,
}

/// The conversation as it stands.
pub(crate) struct Context {
    /// The turns before this one.
    past: Vec<ModelMessage>,
    /// This one.
    open: Vec<ModelMessage>,
}

impl Context {
    pub(crate) fn of(machine: &Machine, knowledge: &Knowledge) -> Self {
        let mut open = Vec::new();
        add_open_turn(&mut open, machine.user(), machine.turn());
        if let (Some(text), Some(first)) = (knowledge.called_up(machine.user()), open.first_mut()) {
            first.blocks.push(Block::Text { text });
        }
        Self { past: machine.past(), open }
    }

    /// The next form worth trying after this failure of one.
    pub(crate) fn simpler(&self, form: Form, error: &ModelError) -> Option<Form> {
        let rejected = match error {
            ModelError::Rejected { .. } => true,
            ModelError::TooLong { .. } => false,
            _ => return None,
        };
        match form {
            Form::Whole if rejected && self.past != self.plain_past() => Some(Form::PlainPast),
            Form::Whole | Form::PlainPast if !self.past.is_empty() || self.open != told(&self.open) => {
                Some(Form::Segment)
            }
            _ => None,
        }
    }

    /// As much of it as fits into so many characters, in a form that a provider takes.
    pub(crate) fn messages(&self, budget: usize, form: Form) -> Vec<ModelMessage> {
        let messages = self.put(budget, form);
        // A provider would only refuse it, and whatever broke it is stored for good.
        if validate(&messages).is_err() { told(&messages) } else { messages }
    }

    fn put(&self, budget: usize, form: Form) -> Vec<ModelMessage> {
        let words;
        let past = match form {
            Form::Whole => &self.past,
            Form::PlainPast => {
                words = self.plain_past();
                &words
            }
            Form::Segment => {
                let blocks = self.summary().map(|text| Block::Text { text }).into_iter().collect();
                let mut messages = Vec::new();
                join(&mut messages, [ModelMessage { role: Role::User, blocks }]);
                join(&mut messages, told(&self.open));
                return messages;
            }
        };
        let mut messages = recent_enough(past, budget.saturating_sub(chars(&self.open)));
        join(&mut messages, self.open.iter().cloned());
        messages
    }

    /// The newest of the turns before, shortened.
    pub(crate) fn summary(&self) -> Option<String> {
        summary(&self.plain_past())
    }

    fn plain_past(&self) -> Vec<ModelMessage> {
        plain(&self.past)
    }
}

#[cfg(test)]
mod tests {
    use chela_core::model::ModelRequest;
    use chela_testkit::model::assert_valid;
    use serde_json::json;

    use super::*;

    fn text(text: &str) -> Block {
        Block::Text { text: text.into() }
    }

    /// The rows of an open turn are as an earlier attempt left them; what broke them is not known here.
    #[test]
    fn what_a_provider_would_refuse_is_told_in_words_and_nothing_is_lost() {
        let said = |role, blocks| ModelMessage { role, blocks };
        let call = Block::ToolUse { id: "a".into(), name: "read".into(), input: json!({"path": "SOUL.md"}) };
        let orphan = Block::ToolResult { id: "b".into(), text: "be kind".into(), is_error: false };
        let context = Context {
            past: vec![said(Role::User, vec![text("hello")]), said(Role::Assistant, vec![text("hi")])],
            open: vec![
                said(Role::User, vec![text("who are you?")]),
                said(Role::Assistant, vec![call]),
                said(Role::User, vec![orphan]),
            ],
        };
        let messages = context.messages(100_000, Form::Whole);
        let words = format!("{messages:?}");
        assert_valid(&ModelRequest { messages, ..ModelRequest::default() });
        for said in ["hello", "hi", "who are you?", "SOUL.md", "be kind"] {
            assert!(words.contains(said), "{said} is missing in {words}");
        }
    }
}
