//! Posts what was heard to the gateway until it is acknowledged: in order within a chat, several chats at once.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use chela_channel_kit::{ProofKeys, bridge};
use chela_core::clock::{Clock, Millis};
use chela_http::{HttpClient, HttpError, Request, Response};
use http::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::backoff::Backoff;
use crate::connection::stopped;
use crate::store::{Store, StoreError, Waiting};

/// Most posts at the same time.
const AT_ONCE: usize = 8;

/// Longest wait for an acknowledgement.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Most bytes of an acknowledgement.
const MOST_ANSWER_BYTES: usize = 64 * 1024;

/// How patient to be with the gateway.
const PATIENCE: Backoff = Backoff { first: Duration::from_secs(1), most: Duration::from_secs(60) };

/// The longest `Retry-After` that is believed.
const LONGEST_DELAY: Duration = Duration::from_secs(60 * 60);

/// Longest pause between two looks at the store, for clocks that jump.
const LOOK_EVERY: Duration = Duration::from_secs(60);

/// What an answer of the gateway means for the message.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    /// It is taken.
    Taken,
    /// It will never be taken.
    Poison,
    /// Later, after at least this long. The set-up may be wrong, which a person should read.
    Later(Duration, Option<&'static str>),
}

/// Posts what is in the store.
pub struct Poster {
    /// Where the messages wait.
    pub store: Arc<Store>,
    /// The way out.
    pub http: HttpClient,
    /// The gateway's URL for this account.
    pub url: String,
    /// Signs.
    pub keys: ProofKeys,
    /// Time.
    pub clock: Arc<dyn Clock>,
}

impl Poster {
    /// Posts until `stopping` becomes true, and waits for the posts that are under way.
    pub async fn run(self, mut stopping: watch::Receiver<bool>) -> Result<(), StoreError> {
        let poster = Arc::new(self);
        let mut posts: JoinSet<(Waiting, Result<Response, HttpError>)> = JoinSet::new();
        let mut busy: HashSet<String> = HashSet::new();
        loop {
            for waiting in poster.store.due(poster.clock.now(), AT_ONCE + busy.len())? {
                if posts.len() < AT_ONCE && busy.insert(waiting.chat.clone()) {
                    let poster = poster.clone();
                    posts.spawn(async move {
                        let answer = poster.post(&waiting).await;
                        (waiting, answer)
                    });
                }
            }
            tokio::select! {
                Some(posted) = posts.join_next() => poster.finish(posted.ok(), &mut busy)?,
                () = poster.store.arrival() => {}
                () = tokio::time::sleep(poster.pause(&busy)?) => {}
                () = stopped(&mut stopping) => break,
            }
        }
        while let Some(posted) = posts.join_next().await {
            poster.finish(posted.ok(), &mut busy)?;
        }
        Ok(())
    }

    /// How long nothing will be due. Of chats with a post under way, its end is what counts. Where more chats are due than
    /// posts are allowed, that is soon enough as well.
    fn pause(&self, busy: &HashSet<String>) -> Result<Duration, StoreError> {
        if busy.len() >= AT_ONCE {
            return Ok(LOOK_EVERY);
        }
        let due = self.store.next_due(busy)?;
        let wait = due.map_or(LOOK_EVERY, |due| Duration::from_millis(due.since(self.clock.now())));
        Ok(wait.clamp(Duration::from_millis(5), LOOK_EVERY))
    }

    async fn post(&self, waiting: &Waiting) -> Result<Response, HttpError> {
        let mut request = Request::post(self.url.as_str(), waiting.body.clone(), TIMEOUT, MOST_ANSWER_BYTES);
        request.headers = bridge::sign(&waiting.body, &self.keys, self.clock.now());
        request.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        self.http.send(request).await
    }

    fn finish(
        &self,
        posted: Option<(Waiting, Result<Response, HttpError>)>,
        busy: &mut HashSet<String>,
    ) -> Result<(), StoreError> {
        // A task that panicked leaves its chat busy; the next start tries it again.
        let Some((waiting, answer)) = posted else { return Ok(()) };
        busy.remove(&waiting.chat);
        let verdict = verdict(&answer);
        let seen = match &answer {
            Ok(response) => response.status.to_string(),
            Err(error) => error.to_string(),
        };
        match verdict {
            Verdict::Taken => {
                tracing::debug!(id = waiting.id, "taken");
                self.store.forget(waiting.seq)
            }
            Verdict::Poison => {
                let discarded = self.store.discard(waiting.seq)?;
                tracing::error!(id = waiting.id, seen, discarded, "the gateway will never take this message: dropped");
                Ok(())
            }
            Verdict::Later(least, hint) => {
                let wait = PATIENCE.after(waiting.attempts.saturating_add(1)).max(least);
                let millis = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
                let hint = hint.unwrap_or_default();
                tracing::warn!(id = waiting.id, seen, hint, attempts = waiting.attempts, wait_ms = millis, "not taken");
                self.store.postpone(waiting.seq, Millis(self.clock.now().0).plus(millis))
            }
        }
    }
}

fn verdict(answer: &Result<Response, HttpError>) -> Verdict {
    let Ok(response) = answer else { return Verdict::Later(Duration::ZERO, None) };
    let asked = response.headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.trim().parse().ok());
    let asked = Duration::from_secs(asked.unwrap_or(0)).min(LONGEST_DELAY);
    match response.status.as_u16() {
        200..=299 => Verdict::Taken,
        408 | 429 | 500.. => Verdict::Later(asked, None),
        // These say something about the set-up and nothing about the message: with a wrong secret every message would be
        // dropped.
        401 | 403 => Verdict::Later(asked, Some("do both sides have the same BRIDGE_SECRET, and right clocks?")),
        404 | 405 => Verdict::Later(asked, Some("is --to the URL of a configured account?")),
        // A redirect leads nowhere: the URL must be the final one.
        300..=399 => Verdict::Later(asked, Some("is --to the final URL? redirects are not followed")),
        _ => Verdict::Poison,
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::{HeaderMap, StatusCode};

    use super::*;

    #[test]
    fn an_answer_decides_about_the_message() {
        let answered = |status: u16, after: Option<&str>| {
            let mut headers = HeaderMap::new();
            if let Some(after) = after {
                headers.insert(RETRY_AFTER, after.parse().unwrap());
            }
            let status = StatusCode::from_u16(status).unwrap();
            verdict(&Ok(Response { status, headers, body: Bytes::new() }))
        };
        for taken in [200, 202, 204] {
            assert_eq!(answered(taken, None), Verdict::Taken);
        }
        for poison in [400, 409, 410, 413, 415, 422] {
            assert_eq!(answered(poison, None), Verdict::Poison, "{poison}");
        }
        for later in [408, 429, 500, 502, 503] {
            assert_eq!(answered(later, Some("7")), Verdict::Later(Duration::from_secs(7), None));
            assert_eq!(answered(later, Some("soon")), Verdict::Later(Duration::ZERO, None));
        }
        assert_eq!(answered(503, Some("999999999")), Verdict::Later(LONGEST_DELAY, None));
        for setup in [301, 401, 403, 404, 405] {
            assert!(matches!(answered(setup, None), Verdict::Later(_, Some(_))), "{setup}");
        }
        let unanswered = HttpError::NotSent { origin: "x".to_owned(), reason: "y".to_owned() };
        assert_eq!(verdict(&Err(unanswered)), Verdict::Later(Duration::ZERO, None));
    }
}
