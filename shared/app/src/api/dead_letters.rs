//! What went wrong for good, for the owner to decide: flagged replies, and buried messages.
//!
//! A reply is sent again by the agent, which alone has the channels' secrets: this side only queues the wish and watches
//! the flag. A buried message goes back to its lane.

use bytes::Bytes;
use chela_agent::{Undelivered, undelivered};
use chela_core::agent_id::AgentId;
use chela_core::channel::Ack;
use chela_core::message::EventKey;
use chela_core::queue::{Buried, ENVELOPE_VERSION, Envelope, Lane, QueueError, Task};
use chela_core::session::{Accepted, Flagged, StoreError};
use chela_core::session_key::agent_id_of;
use chela_core::turn::idempotency_key;
use http::{Method, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Api, MAX_WAIT, json_ack, problem};
use crate::answer::read_envelope;

/// The path of the list; an item's is one segment longer.
pub(super) const PATH: &str = "/deadletters";

/// Most items of each kind that are looked at.
const MOST: usize = 1000;

/// Most ids an error lists.
const MOST_IDS: usize = 20;

/// A message older than this is not answered as if nothing had happened: the conversation has gone on.
const STALE_MS: u64 = 24 * 60 * 60 * 1000;

/// `POST /deadletters/<id>/resend`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Resend {
    /// Also if the message is old or was answered.
    #[serde(default)]
    force: bool,
}

/// One thing to decide about.
enum Item {
    Reply(Flagged),
    Message(Buried),
}

/// Why a request ends here.
struct Refusal(StatusCode, String);

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        Self(StatusCode::SERVICE_UNAVAILABLE, error.to_string())
    }
}

impl From<QueueError> for Refusal {
    fn from(error: QueueError) -> Self {
        Self(StatusCode::SERVICE_UNAVAILABLE, error.to_string())
    }
}

impl Item {
    fn id(&self) -> String {
        match self {
            Self::Reply(flagged) => flagged.id(),
            Self::Message(buried) => format!("{}-{}", buried.lane.name(), buried.id),
        }
    }

    fn summary(&self) -> Value {
        match self {
            Self::Reply(Flagged { session, turn, part, at, reason, sending, .. }) => json!({
                "id": self.id(), "kind": "reply", "at": at, "session": session, "turn": turn, "part": part,
                "reason": reason, "sending": sending,
            }),
            Self::Message(Buried { lane, group, at, receives, reason, body, .. }) => {
                let session = read_envelope(body).map_or_else(|_| group.clone(), |e| e.session.as_str().to_owned());
                json!({
                    "id": self.id(), "kind": "message", "at": at, "session": session, "lane": lane,
                    "receives": receives, "reason": reason,
                })
            }
        }
    }
}

impl Api {
    /// Serves everything below [`PATH`].
    pub(super) async fn dead_letters(&self, method: &Method, path: &str, body: &Bytes) -> Ack {
        let rest = path.strip_prefix(PATH).unwrap_or_default();
        let segments: Vec<&str> = rest.split('/').skip(1).collect();
        let answered = match (method, segments.as_slice()) {
            (&Method::GET, []) => self.list_items().await,
            (&Method::GET, [id]) => self.show_item(id).await,
            (&Method::DELETE, [id]) => self.drop_item(id).await,
            (&Method::POST, [id, "resend"]) => self.resend_item(id, body).await,
            _ => Err(Refusal(
                StatusCode::METHOD_NOT_ALLOWED,
                "GET /deadletters, GET or DELETE /deadletters/<id>, POST /deadletters/<id>/resend".to_owned(),
            )),
        };
        answered.unwrap_or_else(|Refusal(status, why)| problem(status, &why))
    }

    async fn list_items(&self) -> Result<Ack, Refusal> {
        let items: Vec<Value> = self.items().await?.iter().map(Item::summary).collect();
        Ok(json_ack(StatusCode::OK, &json!({"items": items})))
    }

    async fn show_item(&self, id: &str) -> Result<Ack, Refusal> {
        let item = self.item(id).await?;
        let mut shown = item.summary();
        let more = match &item {
            Item::Reply(flagged) => {
                let Undelivered { markdown, to } = undelivered(self.sessions.as_ref(), flagged).await?;
                json!({"text": markdown, "to": to})
            }
            Item::Message(buried) => json!({
                "readable": read_envelope(&buried.body).is_ok(),
                "acceptedAt": read_envelope(&buried.body).ok().map(|envelope| envelope.accepted_at),
                "body": buried.body,
            }),
        };
        if let (Some(shown), Value::Object(more)) = (shown.as_object_mut(), more) {
            shown.extend(more);
        }
        Ok(json_ack(StatusCode::OK, &shown))
    }

    async fn drop_item(&self, id: &str) -> Result<Ack, Refusal> {
        let dropped = match self.item(id).await? {
            Item::Reply(flagged) => self.sessions.change_flag(&flagged, None).await?,
            Item::Message(buried) => self.dead_letters.discard(buried.lane, &buried.id).await?,
        };
        if !dropped {
            return Err(changed(id));
        }
        Ok(json_ack(StatusCode::OK, &json!({"id": id, "outcome": "dropped"})))
    }

    async fn resend_item(&self, id: &str, body: &Bytes) -> Result<Ack, Refusal> {
        let Resend { force } = if body.is_empty() {
            Resend::default()
        } else {
            serde_json::from_slice(body).map_err(|error| {
                let shape = r#"the body must be empty or JSON like {"force": true}"#;
                Refusal(StatusCode::BAD_REQUEST, format!("{shape}: {error}"))
            })?
        };
        match self.item(id).await? {
            Item::Reply(flagged) => self.resend_reply(id, &flagged).await,
            Item::Message(buried) => self.redrive(id, &buried, force).await,
        }
    }

    async fn resend_reply(&self, id: &str, flagged: &Flagged) -> Result<Ack, Refusal> {
        let Undelivered { markdown, to } = undelivered(self.sessions.as_ref(), flagged).await?;
        if markdown.is_none() || to.is_none() {
            let what = if markdown.is_none() { "its text" } else { "where it was to go" };
            let why = format!(
                "\"{id}\" cannot be sent again: {what} is not stored any more; read it with GET {PATH}/{id}, then DELETE it"
            );
            return Err(Refusal(StatusCode::CONFLICT, why));
        }
        let (turn, part, flagged_at) = (flagged.turn, flagged.part, flagged.at);
        let envelope = Envelope {
            version: ENVELOPE_VERSION,
            // Of what was seen: asking twice about it is one message.
            event: EventKey::of("deadletters", id, &flagged_at.0.to_string()),
            session: flagged.session.clone(),
            agent: self.agent_of(flagged).await,
            accepted_at: self.clock.now(),
            task: Task::Redeliver { turn, part, flagged_at },
        };
        self.queue.push(Lane::Live, &envelope).await?;
        let watched = tokio::time::timeout(MAX_WAIT, self.outcome(flagged)).await;
        match watched {
            Ok(Ok(None)) => Ok(json_ack(StatusCode::OK, &json!({"id": id, "outcome": "delivered"}))),
            Ok(Ok(Some(reason))) => {
                Err(Refusal(StatusCode::BAD_GATEWAY, format!("\"{id}\" was not delivered and stays: {reason}")))
            }
            Ok(Err(error)) => Err(error.into()),
            Err(_) => Ok(json_ack(StatusCode::ACCEPTED, &json!({"id": id, "outcome": "queued"}))),
        }
    }

    /// Waits for the end of a resending: `None` if the flag is gone, else why it stays.
    async fn outcome(&self, asked: &Flagged) -> Result<Option<String>, StoreError> {
        loop {
            let flags = self.sessions.flagged(usize::MAX).await?;
            match flags.into_iter().find(|flag| flag.id() == asked.id()) {
                None => return Ok(None),
                Some(flag) if flag.at != asked.at => return Ok(Some(flag.reason)),
                Some(_) => tokio::time::sleep(self.poll_every).await,
            }
        }
    }

    /// The agent whose session it is; any that is configured where the session names none.
    async fn agent_of(&self, flagged: &Flagged) -> AgentId {
        let ids = self.live.current().await.config.agents.ids();
        let own = agent_id_of(flagged.session.as_str()).filter(|own| ids.iter().any(|id| AgentId::new(id) == *own));
        own.unwrap_or_else(|| ids.first().map(|id| AgentId::new(id)).unwrap_or_default())
    }

    async fn redrive(&self, id: &str, buried: &Buried, force: bool) -> Result<Ack, Refusal> {
        let envelope = read_envelope(&buried.body).map_err(|why| {
            let fix = "it would be buried again; run code that reads it first, or DELETE it";
            Refusal(StatusCode::UNPROCESSABLE_ENTITY, format!("\"{id}\" cannot be read ({why}): {fix}"))
        })?;
        if !force && let Some(why) = self.too_late(&envelope).await? {
            let fix = r#"send {"force": true} (chela deadletters resend <id> --force) if it is wanted all the same, or DELETE it"#;
            return Err(Refusal(StatusCode::CONFLICT, format!("\"{id}\" {why}; {fix}")));
        }
        if !self.dead_letters.redrive(buried.lane, &buried.id).await? {
            return Err(changed(id));
        }
        Ok(json_ack(StatusCode::OK, &json!({"id": id, "outcome": "queued"})))
    }

    /// Why a message should not be answered now.
    async fn too_late(&self, envelope: &Envelope) -> Result<Option<String>, StoreError> {
        let Envelope { session, event, .. } = envelope;
        if let Some(head) = self.sessions.head(session).await? {
            let accepted = self.sessions.accepted(session, event).await?;
            // Turn 0 is none: the event was put aside, to be taken up again.
            let answered = |accepted: &Accepted| accepted.turn > 0 && accepted.turn <= head.last_turn;
            if head.finished(event) || head.finished(&event.again()) || accepted.as_ref().is_some_and(answered) {
                return Ok(Some("was answered already: its turn is finished".to_owned()));
            }
        }
        let age = self.clock.now().since(envelope.accepted_at);
        Ok((age > STALE_MS).then(|| {
            let hours = age / (60 * 60 * 1000);
            format!("came {hours} hours ago: its answer would come out of the blue, after everything said since")
        }))
    }

    /// Everything there is to decide about, newest first.
    async fn items(&self) -> Result<Vec<Item>, Refusal> {
        let (flagged, buried) = tokio::join!(self.doubts(MOST), self.dead_letters.buried(MOST));
        let replies = flagged?.into_iter().map(|flagged| (flagged.at, Item::Reply(flagged)));
        let messages = buried?.into_iter().map(|buried| (buried.at, Item::Message(buried)));
        let mut items: Vec<_> = replies.chain(messages).collect();
        items.sort_by_key(|(at, _)| std::cmp::Reverse(*at));
        Ok(items.into_iter().map(|(_, item)| item).collect())
    }

    /// Replies nobody confirmed. One that its platform confirmed late is settled here, where somebody looks.
    async fn doubts(&self, most: usize) -> Result<Vec<Flagged>, StoreError> {
        let mut doubts = Vec::new();
        for flagged in self.sessions.flagged(most).await? {
            let key = idempotency_key(&flagged.session, &flagged.event, &format!("part:{}", flagged.part));
            if self.channels.confirmed(&key).await? {
                self.sessions.change_flag(&flagged, None).await?;
            } else {
                doubts.push(flagged);
            }
        }
        Ok(doubts)
    }

    /// The item of that id. Of an unknown one it says which there are.
    async fn item(&self, id: &str) -> Result<Item, Refusal> {
        // A reply is looked for among the replies only: looking at messages is billed.
        if let Some(reply) = self.doubts(usize::MAX).await?.into_iter().find(|flag| flag.id() == id) {
            return Ok(Item::Reply(reply));
        }
        let items = self.items().await?;
        let ids: Vec<String> = items.iter().map(Item::id).take(MOST_IDS).collect();
        items.into_iter().find(|item| item.id() == id).ok_or_else(|| {
            let there_are =
                if ids.is_empty() { "there are none".to_owned() } else { format!("there are {}", ids.join(", ")) };
            let why =
                format!("there is no dead letter \"{id}\" (any more: delivered or dropped ones are gone); {there_are}");
            Refusal(StatusCode::NOT_FOUND, why)
        })
    }
}

fn changed(id: &str) -> Refusal {
    Refusal(StatusCode::CONFLICT, format!("\"{id}\" changed in this moment: look at it again with GET {PATH}/{id}"))
}
