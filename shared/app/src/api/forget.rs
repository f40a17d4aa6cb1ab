//! Deleting all that is stored of a person.

use bytes::Bytes;
use chela_core::agent_id::AgentId;
use chela_core::audit::{Happening, What, append};
use chela_core::channel::Ack;
use chela_core::erasure::mark;
use chela_core::session::StoreError;
use http::StatusCode;
use serde_json::json;

use super::{Api, json_ack, problem};
use crate::forget::{Forgetting, Found, House, How, Stores, Wish};

/// Longest id.
const MOST_ID: usize = 500;

impl Api {
    /// `POST /forget` tells what is stored of a person (`dryRun`) or removes it. An answer whose `done` is false is of a
    /// call that left something: made again, it goes on.
    pub(super) async fn forget(&self, body: &Bytes) -> Ack {
        let wish: Wish = match serde_json::from_slice(body) {
            Ok(wish) => wish,
            Err(error) => {
                let shape = r#"{"channel": "telegram", "sender": "42", "rooms": "redact", "dryRun": true}"#;
                return problem(StatusCode::BAD_REQUEST, &format!("the body must be JSON like {shape}: {error}"));
            }
        };
        if [&wish.channel, &wish.sender].iter().any(|id| id.trim().is_empty() || id.len() > MOST_ID) {
            return problem(StatusCode::BAD_REQUEST, "channel and sender must be named");
        }
        let built = self.live.current().await;
        let configured = built.config.accounts().into_iter().map(|account| (account.channel, account.id));
        // Whoever is on no account any more may still be stored.
        let named = (wish.channel.clone(), wish.account.clone().unwrap_or_else(|| "default".to_owned()));
        let mut accounts: Vec<(String, String)> = configured.collect();
        if !accounts.contains(&named) {
            accounts.push(named);
        }
        let house = House {
            agents: built.config.agents.ids().iter().map(|id| AgentId::new(id)).collect(),
            accounts,
            links: built.config.session.identity_links.as_ref(),
        };
        let stores = Stores {
            sessions: self.sessions.as_ref(),
            erasure: self.erasure.as_ref(),
            directory: self.directory.as_ref(),
            access: self.access.as_ref(),
            dead_letters: self.dead_letters.as_ref(),
            files: self.live.files().as_ref(),
            clock: &self.clock,
        };
        let found = match Forgetting::new(stores, house, &wish).run().await {
            Ok(found) => found,
            Err(error) => return problem(StatusCode::SERVICE_UNAVAILABLE, &error.to_string()),
        };
        if !wish.dry_run && !found.is_empty() {
            let tenant = &built.installation.spend.tenant;
            if let Err(error) = self.record_forgotten(tenant, &wish, &found).await {
                return problem(StatusCode::SERVICE_UNAVAILABLE, &error.to_string());
            }
        }
        json_ack(StatusCode::OK, &json!(found))
    }

    /// That somebody asked and how much went: no word of it, and no name.
    async fn record_forgotten(&self, tenant: &str, wish: &Wish, found: &Found) -> Result<(), StoreError> {
        let (at, person) = (self.clock.now(), mark(&wish.channel, &wish.sender));
        let count = |how: How| found.conversations.iter().filter(|it| it.how == how).count();
        let rows: usize = found.conversations.iter().map(|it| it.rows).sum();
        let files: usize = found.conversations.iter().map(|it| it.files).sum();
        let counts = [
            ("conversations deleted", count(How::Delete)),
            ("conversations redacted", count(How::Redact)),
            ("rows", rows),
            ("files", files),
            ("exports", found.exports),
            ("notes", found.notes),
            ("schedules", found.schedules),
            ("requests", found.requests),
            ("approvals", found.approvals),
            ("dead letters", found.dead_letters),
        ];
        let counts = counts.iter().filter(|(_, count)| *count > 0).map(|(what, count)| format!("{count} {what}"));
        let happening = Happening {
            what: What::Erased,
            name: format!("{person}:{}", at.0),
            agent: String::new(),
            session: String::new(),
            tool: "forget".to_owned(),
            programs: counts.collect(),
            digest: person,
            by: "api".to_owned(),
            at,
        };
        append(self.audit.as_ref(), tenant, &happening).await
    }
}
