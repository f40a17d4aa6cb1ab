//! Strangers, and those who were one.

use std::borrow::Cow;

use chela_core::access::{Pairing, SenderRef};
use chela_core::event::EventName;
use chela_core::message::Inbound;
use chela_core::queue::{Authority, Envelope, Standing, Task};
use chela_core::session::StoreError;
use chela_core::session_key::PeerKind;
use chela_core::turn::Reply;

use super::say;
use crate::answer::{Agent, Attempt};
use crate::settings::Installation;

impl Agent {
    /// The message with its sender's standing looked up, before a turn begins: it is stored with the message, so every
    /// attempt at the turn finds the same. Whoever was paired is let in, and is an owner unless the configuration names
    /// the owners; anybody else stays what they are.
    pub(crate) async fn admitted<'e>(&self, installation: &Installation, envelope: &'e Envelope) -> Cow<'e, Envelope> {
        let Task::Message { inbound, standing: Standing::IfPaired, .. } = &envelope.task else {
            return Cow::Borrowed(envelope);
        };
        let direct = inbound.peer.kind == PeerKind::Direct;
        // A store that does not answer lets nobody in; the turn asks again and is repeated.
        if !direct || !matches!(self.access.approved(&who(inbound)).await, Ok(true)) {
            return Cow::Borrowed(envelope);
        }
        let mut admitted = envelope.clone();
        if let Task::Message { standing, authority, .. } = &mut admitted.task {
            *standing = Standing::Allowed;
            if !installation.commands.owners_named {
                *authority = Authority::Owner;
            }
        }
        Cow::Owned(admitted)
    }

    /// Lets a sender through who was approved meanwhile; gives a stranger a code, once.
    pub(super) async fn pair(&self, attempt: &Attempt<'_>, inbound: &Inbound) -> Result<Option<Reply>, StoreError> {
        let who = who(inbound);
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

fn who(inbound: &Inbound) -> SenderRef {
    SenderRef { channel: inbound.channel.clone(), account: inbound.account.clone(), sender: inbound.sender.id.clone() }
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
