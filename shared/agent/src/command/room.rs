//! `/activation`, `/queue`: wishes about messages before they become turns.

use chela_core::directory::Wishes;
use chela_core::message::Inbound;
use chela_core::session::StoreError;
use chela_core::session_key::PeerKind;
use chela_core::turn::Reply;

use super::{Asked, say};
use crate::answer::Agent;

/// Other processes look at wishes again after half a minute.
const SOON: &str = "This holds within half a minute.";

pub(super) fn is_room(inbound: &Inbound) -> bool {
    inbound.peer.kind != PeerKind::Direct
}

impl Agent {
    pub(super) async fn activation(&self, asked: &Asked<'_>) -> Result<Reply, StoreError> {
        if !is_room(asked.inbound) {
            return Ok(say("In a direct chat I answer everything. `/activation` is for rooms."));
        }
        let session = asked.attempt.machine.session();
        let wishes = self.directory.wishes(session).await?;
        let answer_all = match asked.spoken.first().0.as_str() {
            "always" => true,
            "mention" => false,
            _ => {
                let usage = asked.spoken.spec.usage();
                return Ok(say(format!("Here I answer {}. Choose with `{usage}`.", activation_name(&wishes))));
            }
        };
        let wishes = Wishes { answer_all: Some(answer_all), ..wishes };
        self.directory.wish(session, &wishes).await?;
        Ok(say(format!("Here I answer {} from now on. {SOON}", activation_name(&wishes))))
    }

    pub(super) async fn queue_mode(&self, asked: &Asked<'_>) -> Result<Reply, StoreError> {
        let session = asked.attempt.machine.session();
        let wishes = self.directory.wishes(session).await?;
        let (word, _) = asked.spoken.first();
        if word.is_empty() {
            let usage = asked.spoken.spec.usage();
            let now = queue_name(&wishes);
            return Ok(say(format!("Messages that come while I am busy: {now}. Choose with `{usage}`.")));
        }
        let wishes = Wishes { queue: Some(word).filter(|word| word != "default"), ..wishes };
        self.directory.wish(session, &wishes).await?;
        Ok(say(format!("Messages that come while I am busy: {}. {SOON}", queue_name(&wishes))))
    }
}

pub(super) fn activation_name(wishes: &Wishes) -> &'static str {
    match wishes.answer_all {
        None => "what is configured",
        Some(true) => "everything",
        Some(false) => "only what is addressed to me",
    }
}

pub(super) fn queue_name(wishes: &Wishes) -> &str {
    wishes.queue.as_deref().unwrap_or("as configured")
}
