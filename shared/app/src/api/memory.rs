//! What agents remember, for their owner. Every path takes `?agent=…`; without it the first agent is meant.

use chela_agent::Known;
use chela_core::channel::Ack;
use http::{Method, StatusCode};

use super::{Api, json_ack, problem, url_query};
use crate::memory::{MemoryError, Notes};

/// `GET` lists notes, `GET …/note?path=…` shows one, `GET …/search?q=…&limit=…` searches, `POST …/rebuild` makes the
/// index anew.
pub(super) const PATHS: [&str; 4] = ["/memory", "/memory/note", "/memory/search", "/memory/rebuild"];

impl Api {
    pub(super) async fn memory(&self, method: &Method, path: &str, query: &str) -> Ack {
        let value = |name: &str| url_query(query).find_map(|(key, value)| (key == name).then_some(value));
        let built = self.live.current().await;
        let agent = value("agent");
        // The halt is read for each request: the owner's are few.
        let (known, files, clock) = (Known::default(), self.live.files().as_ref(), self.clock.as_ref());
        let notes = match Notes::of(&built, files, Some((self.spend.as_ref(), &known)), clock, agent.as_deref()) {
            Ok(notes) => notes,
            Err(error) => return problem(StatusCode::NOT_FOUND, &error.to_string()),
        };
        let answer = match (method, path) {
            (&Method::GET, "/memory") => notes.list().await,
            (&Method::GET, "/memory/note") => notes.show(&value("path").unwrap_or_default()).await,
            (&Method::GET, "/memory/search") => {
                let most = value("limit").and_then(|limit| limit.parse().ok());
                match value("q").filter(|text| !text.trim().is_empty()) {
                    Some(text) => notes.search(&text, most).await,
                    None => return problem(StatusCode::BAD_REQUEST, "ask with ?q=… for what you look for"),
                }
            }
            (&Method::POST, "/memory/rebuild") => notes.rebuild().await,
            _ => return problem(StatusCode::METHOD_NOT_ALLOWED, "this path does not take that method"),
        };
        match answer {
            Ok(answer) => json_ack(StatusCode::OK, &answer),
            Err(error @ MemoryError::Unknown(_)) => problem(StatusCode::NOT_FOUND, &error.to_string()),
            Err(error @ MemoryError::Recall(_)) => problem(StatusCode::SERVICE_UNAVAILABLE, &error.to_string()),
        }
    }
}
