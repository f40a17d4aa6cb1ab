//! What is answered without a model: commands, and strangers.

use chela_core::access::{Pairing, SenderRef};
use chela_core::event::EventName;
use chela_core::message::Inbound;
use chela_core::queue::{Standing, Task};

use crate::answer::{Agent, Attempt, Stop};

/// An answer no model gave.
pub(crate) struct Reply {
    /// Its parts; none is silence.
    pub(crate) parts: Vec<String>,
}

impl Reply {
    fn say(text: impl Into<String>) -> Self {
        Self { parts: vec![text.into()] }
    }

    fn nothing() -> Self {
        Self { parts: vec![] }
    }
}

const HELP: &str = "I answer whatever you write. Commands:\n\
    /new – begin a new conversation; what we said before is set aside\n\
    /status – which agent and model answer here, and how long the conversation is\n\
    /stop – end what I am doing at its next step\n\
    /help – this list";

impl Agent {
    /// The answer to a stranger or a command; `None` if the model is to answer.
    pub(crate) async fn answer_without_model(&self, attempt: &mut Attempt<'_>) -> Result<Option<Reply>, Stop> {
        let Task::Message { inbound, standing } = attempt.accepted.task.clone() else { return Ok(None) };
        if standing == Standing::IfPaired
            && let Some(reply) = self.pair(attempt, &inbound).await?
        {
            return Ok(Some(reply));
        }
        Ok(self.command(attempt, inbound.text.trim()))
    }

    fn command(&self, attempt: &mut Attempt<'_>, text: &str) -> Option<Reply> {
        let word = text.split_whitespace().next()?;
        match word.to_ascii_lowercase().as_str() {
            "/new" => {
                attempt.head.forgotten = attempt.head.turn();
                Some(Reply::say("A new conversation begins here."))
            }
            "/status" => Some(Reply::say(self.status_text(attempt))),
            "/stop" => Some(Reply::say("Stopped.")),
            "/help" => Some(Reply::say(HELP)),
            _ => None,
        }
    }

    fn status_text(&self, attempt: &Attempt<'_>) -> String {
        let models: Vec<&str> = attempt.settings.models.iter().map(|choice| choice.name.as_str()).collect();
        let turns = attempt.head.last_turn.saturating_sub(attempt.head.forgotten);
        format!(
            "**Agent** {}\n**Model** {}\n**Conversation** {turns} turns\n**Session** `{}`\n**Version** {}",
            attempt.agent.as_str(),
            models.join(", then "),
            attempt.session.as_str(),
            env!("CARGO_PKG_VERSION"),
        )
    }

    /// Lets an approved sender through; gives a stranger a code, once.
    async fn pair(&self, attempt: &Attempt<'_>, inbound: &Inbound) -> Result<Option<Reply>, Stop> {
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
                Ok(Some(Reply::say(format!(
                    "I do not know you yet. Your pairing code is `{}`. The owner can let you in with\n\
                     `chela pairing approve {} {}`",
                    request.code, who.channel, request.code
                ))))
            }
            Pairing::Waiting | Pairing::Full => Ok(Some(Reply::nothing())),
        }
    }
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
