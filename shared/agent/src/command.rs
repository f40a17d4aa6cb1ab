//! What is answered without a model: commands, and strangers.

use chela_core::access::{Pairing, SenderRef};
use chela_core::channel::MenuEntry;
use chela_core::event::EventName;
use chela_core::message::Inbound;
use chela_core::queue::{Standing, Task};
use chela_core::session::StoreError;
use chela_core::turn::Reply;

use crate::answer::{Agent, Attempt};
use crate::compact;
use crate::report::context_report;

const HELP: &str = "I answer whatever you write. Commands:\n\
    /new – begin a new conversation; what we said before is set aside\n\
    /status – which agent and model answer here, and how long the conversation is\n\
    /context – what fills my model's window\n\
    /compact – put what we said before into a summary; what you write behind it says how\n\
    /stop – end what I am doing at its next step\n\
    /help – this list";

/// The commands, for platforms that show a menu of them.
pub const MENU: &[MenuEntry] = &[
    MenuEntry { name: "new", description: "Begin a new conversation", takes_text: false },
    MenuEntry { name: "status", description: "Which agent and model answer here", takes_text: false },
    MenuEntry { name: "context", description: "What fills my model's window", takes_text: false },
    MenuEntry { name: "compact", description: "Put what we said before into a summary", takes_text: true },
    MenuEntry { name: "stop", description: "End what I am doing at its next step", takes_text: false },
    MenuEntry { name: "help", description: "What I understand", takes_text: false },
];

impl Agent {
    /// The answer to a stranger or a command; `None` if the model is to answer.
    pub(crate) async fn consult(&self, attempt: &Attempt<'_>) -> Result<Option<Reply>, StoreError> {
        let Some(Task::Message { inbound, standing, .. }) = attempt.task() else { return Ok(None) };
        if *standing == Standing::IfPaired
            && let Some(reply) = self.pair(attempt, inbound).await?
        {
            return Ok(Some(reply));
        }
        Ok(self.command(attempt, inbound.text.trim()))
    }

    fn command(&self, attempt: &Attempt<'_>, text: &str) -> Option<Reply> {
        match command_word(text)? {
            "/new" => Some(Reply { forget: true, ..say("A new conversation begins here.") }),
            "/status" => Some(say(self.status_text(attempt))),
            "/context" => Some(say(context_report(attempt))),
            "/stop" => Some(say("Stopped.")),
            _ => Some(say(HELP)),
        }
    }

    fn status_text(&self, attempt: &Attempt<'_>) -> String {
        let models: Vec<&str> = attempt.settings.models.iter().map(|choice| choice.name.as_str()).collect();
        let head = attempt.machine.head();
        let turns = head.last_turn.saturating_sub(head.forgotten);
        format!(
            "**Agent** {}\n**Model** {}\n**Conversation** {turns} turns\n**Session** `{}`\n**Version** {}",
            attempt.agent.as_str(),
            models.join(", then "),
            attempt.machine.session().as_str(),
            env!("CARGO_PKG_VERSION"),
        )
    }

    /// Lets an approved sender through; gives a stranger a code, once.
    async fn pair(&self, attempt: &Attempt<'_>, inbound: &Inbound) -> Result<Option<Reply>, StoreError> {
        let who = SenderRef {
            channel: inbound.channel.clone(),
            account: inbound.account.clone(),
            sender: inbound.sender.id.clone(),
        };
        if self.access.approved(&who).await? {
            return Ok(None);
        }
        let code = pairing_code(&self.clock.unique());
        match self.access.request_pairing(&who, &code, self.clock.now()).await? {
            Pairing::New(request) => {
                self.publish(EventName::PairingRequested, attempt).await;
                Ok(Some(say(format!(
                    "I do not know you yet. Your pairing code is `{}`. The owner can let you in with\n\
                     `chela pairing approve {} {}`",
                    request.code, who.channel, request.code
                ))))
            }
            Pairing::Waiting | Pairing::Full => Ok(Some(Reply::default())),
        }
    }
}

fn say(text: impl Into<String>) -> Reply {
    Reply { parts: vec![text.into()], ..Reply::default() }
}

/// Whether a message is a command and not for the model.
pub fn is_command(text: &str) -> bool {
    command_word(text).is_some() || compact::wanted(text).is_some()
}

/// The command a message is, if it is one.
fn command_word(text: &str) -> Option<&'static str> {
    const WORDS: [&str; 5] = ["/new", "/status", "/context", "/stop", "/help"];
    let word = text.split_whitespace().next()?;
    WORDS.into_iter().find(|known| word.eq_ignore_ascii_case(known))
}

/// Eight characters that cannot be confused with one another, from a unique name.
fn pairing_code(unique: &str) -> String {
    const ALPHABET: &[u8] = b"ABCDEFGHJKLMNPQRSTUVWXYZ23456789";
    use sha2::Digest;
    let digest = sha2::Sha256::digest(unique.as_bytes());
    digest
        .iter()
        .take(8)
        .filter_map(|byte| ALPHABET.get(usize::from(byte % 32)))
        .map(|byte| char::from(*byte))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_has_eight_clear_characters() {
        let code = pairing_code("abc");
        assert_eq!(code.len(), 8);
        assert!(code.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit()));
        assert!(!code.contains(['0', 'O', '1', 'I']));
        assert_ne!(code, pairing_code("abd"));
    }
}
