//! Letting senders in: what waits, and the owner's yes.

use bytes::Bytes;
use chela_core::access::SenderRef;
use chela_core::audit::{Happening, What, append};
use chela_core::channel::Ack;
use chela_core::erasure::mark;
use chela_core::session::StoreError;
use http::StatusCode;
use serde::Deserialize;
use serde_json::json;

use super::{Api, json_ack, problem};

/// `POST /pairing`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Approval {
    channel: String,
    #[serde(default = "default_account")]
    account: String,
    code: String,
}

fn default_account() -> String {
    "default".to_owned()
}

impl Api {
    /// Requests that wait, on all configured accounts.
    pub(super) async fn pending_pairings(&self) -> Ack {
        let built = self.live.current().await;
        let mut waiting = Vec::new();
        for account in built.config.accounts() {
            match self.access.pending(&account.channel, &account.id, self.clock.now()).await {
                Ok(requests) => waiting.extend(requests.into_iter().map(|request| {
                    json!({
                        "channel": request.who.channel, "account": request.who.account,
                        "sender": request.who.sender, "code": request.code, "at": request.at,
                    })
                })),
                Err(error) => return problem(StatusCode::SERVICE_UNAVAILABLE, &error.to_string()),
            }
        }
        json_ack(StatusCode::OK, &json!({"pending": waiting}))
    }

    /// Approves one code. Codes are told to the sender in capitals; people type as they like.
    pub(super) async fn approve_pairing(&self, body: &Bytes) -> Ack {
        let approval: Approval = match serde_json::from_slice(body) {
            Ok(approval) => approval,
            Err(error) => {
                let shape = r#"{"channel": "telegram", "account": "default", "code": "ABCD2345"}"#;
                return problem(StatusCode::BAD_REQUEST, &format!("the body must be JSON like {shape}: {error}"));
            }
        };
        let code = approval.code.trim().to_ascii_uppercase();
        match self.let_in(&approval, &code).await {
            Ok(Some(who)) => json_ack(StatusCode::OK, &json!({"approved": who})),
            Ok(None) => problem(
                StatusCode::NOT_FOUND,
                "no request of that channel and account has this code; codes are valid for an hour: GET /pairing lists them",
            ),
            Err(error) => problem(StatusCode::SERVICE_UNAVAILABLE, &error.to_string()),
        }
    }

    /// Recorded first: nobody comes in unseen.
    async fn let_in(&self, approval: &Approval, code: &str) -> Result<Option<SenderRef>, StoreError> {
        let Approval { channel, account, .. } = approval;
        let waiting = self.access.pending(channel, account, self.clock.now()).await?;
        let Some(request) = waiting.iter().find(|request| request.code == code) else { return Ok(None) };
        self.record_let_in(&request.who, code).await?;
        self.access.approve(channel, account, code, self.clock.now()).await
    }

    /// Whoever is let in may spend money, and is an owner where nobody is named as one: that stands in the log.
    async fn record_let_in(&self, who: &SenderRef, code: &str) -> Result<(), StoreError> {
        let built = self.live.current().await;
        let person = mark(&who.channel, &who.sender);
        let happening = Happening {
            what: What::LetIn,
            name: format!("{person}:{code}"),
            agent: String::new(),
            session: String::new(),
            tool: "pairing".to_owned(),
            programs: vec![format!("{}/{}", who.channel, who.account)],
            digest: person,
            by: "api".to_owned(),
            at: self.clock.now(),
        };
        append(self.audit.as_ref(), &built.installation.spend.tenant, &happening).await
    }
}
