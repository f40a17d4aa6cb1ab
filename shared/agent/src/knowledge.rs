//! What an agent knows beside its prompt: templates and skills that people call by name, texts that a message calls up.

use std::borrow::Cow;
use std::sync::Arc;

use chela_core::command::is_command;
use chela_core::queue::{Envelope, Task};
use chela_core::session::UserFragment;
use chela_skills::{Stocked, Template, expand};
use wildmatch::WildMatch;

/// Most characters that one turn is told in addition.
const ADDED_CHARS: usize = 24_000;

/// What an agent knows beside its prompt.
#[derive(Clone, Debug, Default)]
pub struct Knowledge {
    /// Texts that are called as `/<name>`.
    pub templates: Arc<[Template]>,
    /// Skills that are called as `/skill <name>`.
    pub skills: Arc<[Stocked]>,
    /// Texts that are called up by what a message says.
    pub additions: Arc<[Addition]>,
}

/// A text that the model is told with messages that need it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Addition {
    /// Which messages: `*` stands for any run of characters, `?` for one, whatever the case; all if `None`.
    pub when: Option<String>,
    /// The text.
    pub text: String,
}

impl Knowledge {
    /// The message with a template or a skill in the place of its name.
    pub(crate) fn expanded<'e>(&self, envelope: Cow<'e, Envelope>) -> Cow<'e, Envelope> {
        let Task::Message { inbound, .. } = &envelope.task else { return envelope };
        if is_command(&inbound.text) {
            return envelope;
        }
        let Some(text) = expand(&inbound.text, &self.templates, &self.skills) else { return envelope };
        let mut whole = envelope.into_owned();
        if let Task::Message { inbound, .. } = &mut whole.task {
            inbound.text = text;
        }
        Cow::Owned(whole)
    }

    /// What these words call up; it is told with them and is not kept.
    pub(crate) fn called_up(&self, user: &[UserFragment]) -> Option<String> {
        let said: Vec<String> = user.iter().map(|fragment| fragment.text.to_lowercase()).collect();
        let wanted = |addition: &&Addition| match &addition.when {
            None => true,
            Some(pattern) => {
                let pattern = WildMatch::new(&pattern.to_lowercase());
                said.iter().any(|text| pattern.matches(text))
            }
        };
        let texts: Vec<&str> = self.additions.iter().filter(wanted).map(|it| it.text.trim()).collect();
        let text: String = texts.join("\n\n").chars().take(ADDED_CHARS).collect();
        (!text.is_empty()).then(|| format!("[For your information:\n{text}\nEnd of the information.]"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_call_up_what_they_need() {
        let addition =
            |when: Option<&str>, text: &str| Addition { when: when.map(str::to_owned), text: text.to_owned() };
        let additions = [
            addition(Some("*invoice*"), "Invoices go to Ada."),
            addition(None, "We are closed on Sundays."),
            addition(Some("*?olida?*"), "Holidays: none."),
        ];
        let knowledge = Knowledge { additions: additions.into(), ..Knowledge::default() };
        let said = |text: &str| {
            let user = [UserFragment { text: text.into(), ..UserFragment::default() }];
            knowledge.called_up(&user).unwrap()
        };
        assert!(said("Where do INVOICES go?").contains("Ada") && !said("Hello").contains("Ada"));
        assert!(said("Hello").contains("Sundays") && said("holiday").contains("none."));
        assert_eq!(Knowledge::default().called_up(&[]), None);
    }
}
