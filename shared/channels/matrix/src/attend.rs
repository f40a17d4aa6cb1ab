//! What is done before a transaction is read: invitations are accepted, and the homeserver is asked who is in the rooms
//! that something was said in.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use chela_core::channel::{RawRequest, SendError};
use chela_core::clock::Millis;
use http::header::AUTHORIZATION;
use http::{HeaderMap, Method};
use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;

use crate::Matrix;
use crate::content::Body;
use crate::event::{Event, events};
use crate::inbound::is_heard;
use crate::outbound::key_of;
use crate::rooms::Members;
use crate::verify::Endpoint;

/// For all of it: a homeserver gives up a transaction after 60 s.
const ALL_WITHIN: Duration = Duration::from_secs(20);

/// For one question. Joining a room of another server takes its time.
const ONE_WITHIN: Duration = Duration::from_secs(10);

/// How long a transaction is put off because something in it could not be attended to. Events later than that are read
/// without: the homeserver posts nothing else until it is rid of them.
const PATIENCE_MS: u64 = 5 * 60 * 1000;

/// Largest list of members that is read; a room with more is certainly no direct chat.
const MOST_MEMBERS_BYTES: usize = 512 * 1024;

/// How far back an invitation is looked for in a room we just joined.
const MOST_MISSED: &str = "50";

const UNREADABLE: &str =
    "This room is encrypted, and I cannot read encrypted messages. Please invite me to a room without encryption.";

#[derive(Deserialize)]
struct Joined {
    joined: std::collections::HashMap<String, Profile>,
}

#[derive(Deserialize)]
struct Profile {
    #[serde(default)]
    display_name: Option<String>,
}

#[derive(Deserialize)]
struct Messages {
    #[serde(default)]
    chunk: Vec<Box<RawValue>>,
}

impl Matrix {
    pub(crate) async fn attend_to(&self, request: &RawRequest) -> Result<(), SendError> {
        if Endpoint::of(&request.path) != Endpoint::Transaction {
            return Ok(());
        }
        // What is malformed is refused by whoever reads it next.
        let events: Vec<Event> =
            events(&request.body).unwrap_or_default().into_iter().filter_map(Event::read).collect();
        let now = request.received_at;
        let end = Instant::now() + ALL_WITHIN;
        let mut spoken_in: BTreeSet<&str> = BTreeSet::new();
        let mut late = None;
        for event in &events {
            if event.kind == "m.room.member" {
                self.rooms.forget(&event.room_id);
            }
            let attended = if self.is_invitation(event) {
                spoken_in.insert(&event.room_id);
                self.accept(event, end).await
            } else {
                self.explain_encryption(event, now, end).await;
                Ok(())
            };
            put_off(&mut late, attended, event, now);
        }
        for event in events.iter().filter(|event| is_heard(event, self, now)) {
            spoken_in.insert(&event.room_id);
        }
        for room in spoken_in {
            if !self.settings.direct_rooms.contains(room) && !self.rooms.knows(room, now) {
                let asked = self.ask_members(room, now, end).await;
                let waiting = events.iter().filter(|event| event.room_id == room).max_by_key(|e| e.origin_server_ts);
                if let Some(event) = waiting {
                    put_off(&mut late, asked, event, now);
                }
            }
        }
        late.map_or(Ok(()), Err)
    }

    fn is_invitation(&self, event: &Event) -> bool {
        let us = &self.settings.me;
        let invited = event.membership().is_some_and(|(user, to)| user == us.user_id && to == "invite");
        invited && self.settings.auto_join.allows(us, &event.sender, &event.room_id)
    }

    /// Joins, and fetches what was said meanwhile: a homeserver posts to us only what is said while we are in the room,
    /// and clients send the first message of a new chat together with the invitation.
    async fn accept(&self, invitation: &Event, end: Instant) -> Result<(), SendError> {
        let room = invitation.room_id.as_str();
        let segments = ["_matrix", "client", "v3", "join", room];
        self.ask(Method::POST, &segments, &json!({}), within(end)).await?;
        if invitation.invite_room_state.iter().flatten().any(|state| state.kind == "m.room.encryption") {
            self.say_unreadable(room, &invitation.event_id, end).await;
        }
        let url =
            self.url(&["_matrix", "client", "v3", "rooms", room, "messages"], &[("dir", "b"), ("limit", MOST_MISSED)]);
        let headers = HeaderMap::from_iter([(AUTHORIZATION, self.authorization())]);
        let page = self.api.download(&url, headers, MOST_MEMBERS_BYTES, within(end)).await?;
        let messages: Messages = serde_json::from_slice(&page.bytes).unwrap_or(Messages { chunk: Vec::new() });
        self.rooms.keep_missed(&invitation.event_id, self.between(&messages.chunk, &invitation.event_id));
        Ok(())
    }

    /// Of a room's latest events, the newest first: those after the invitation and before we came.
    fn between(&self, latest: &[Box<RawValue>], invitation: &str) -> Vec<String> {
        let mut found = Vec::new();
        for raw in latest.iter().map(|raw| raw.get()) {
            let Some(event) = Event::read(raw) else { continue };
            if event.event_id == invitation {
                found.reverse();
                return found;
            }
            if event.membership().is_some_and(|(user, to)| user == self.settings.me.user_id && to == "join") {
                // What came later is posted to us.
                found.clear();
            } else {
                found.push(raw.to_owned());
            }
        }
        Vec::new()
    }

    /// Who switches encryption on is told once that we are left behind.
    async fn explain_encryption(&self, event: &Event, now: Millis, end: Instant) {
        let switched_on = event.kind == "m.room.encryption" && event.state_key.as_deref() == Some("");
        if switched_on && is_recent(event, now) {
            self.say_unreadable(&event.room_id, &event.event_id, end).await;
        }
    }

    /// Nothing depends on its success.
    async fn say_unreadable(&self, room: &str, because: &str, end: Instant) {
        let content = Body::notice(UNREADABLE).into_value();
        let key = key_of(&["encrypted", because]);
        let _ = self.put(room, "m.room.message", &key, &content, within(end)).await;
    }

    async fn ask_members(&self, room: &str, now: Millis, end: Instant) -> Result<(), SendError> {
        let url = self.url(&["_matrix", "client", "v3", "rooms", room, "joined_members"], &[]);
        let headers = HeaderMap::from_iter([(AUTHORIZATION, self.authorization())]);
        let answer = self.api.download(&url, headers, MOST_MEMBERS_BYTES, within(end)).await;
        let joined = answer.and_then(|answer| {
            serde_json::from_slice::<Joined>(&answer.bytes).map_err(|_| self.api.unknown("this is no list of members"))
        });
        let members = match joined {
            Ok(list) => list.joined.into_iter().map(|(user, profile)| (user, profile.display_name)).collect(),
            // Too many, or we are not in the room: no direct chat.
            Err(SendError::Refused { .. }) => Members::new(),
            Err(error) => return Err(error),
        };
        self.rooms.learn(room, members, now);
        Ok(())
    }
}

/// Remembers the first trouble that another attempt may mend, while it is worth waiting for.
fn put_off(late: &mut Option<SendError>, attended: Result<(), SendError>, event: &Event, now: Millis) {
    match attended {
        Ok(()) | Err(SendError::Refused { .. }) => {}
        Err(error) if is_recent(event, now) => {
            late.get_or_insert(error);
        }
        Err(_) => {}
    }
}

/// Its time is what its author's server says: one that is far in the future is not believed either.
fn is_recent(event: &Event, now: Millis) -> bool {
    now.0.abs_diff(event.origin_server_ts) < PATIENCE_MS
}

fn within(end: Instant) -> Duration {
    end.saturating_duration_since(Instant::now()).min(ONE_WITHIN)
}
