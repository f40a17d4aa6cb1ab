//! Calls that wait for consent, the owner's decisions about them, and what is allowed for ever. Whoever has the key of the
//! API is the owner.

use bytes::Bytes;
use chela_core::approval::{Decided, Desk, Request, Rule, Said, Verdict};
use chela_core::channel::Ack;
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Api, json_ack, problem};

/// `POST /approvals`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Decision {
    /// The request.
    id: String,
    decision: Verdict,
    /// The digest of what the owner saw: nothing else is decided about.
    digest: String,
}

/// `POST /approvals/forget`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Forget {
    /// The rule.
    id: String,
}

/// Who decides here, in the audit log.
const BY: &str = "api";

impl Api {
    /// What waits, and what is allowed for ever. What nobody answered in time is denied by this look.
    pub(super) async fn open_approvals(&self) -> Ack {
        let built = self.live.current().await;
        let desk = self.desk(&built.installation.spend.tenant);
        let swept = desk.sweep(self.clock.now()).await;
        let (waiting, rules) = (self.approvals.waiting().await, self.approvals.rules().await);
        match (swept, waiting, rules) {
            (Ok(_), Ok(waiting), Ok(rules)) => {
                let waiting: Vec<Value> = waiting.iter().map(request_json).collect();
                let rules: Vec<Value> = rules.iter().map(rule_json).collect();
                json_ack(StatusCode::OK, &json!({"waiting": waiting, "allowed": rules}))
            }
            (Err(error), ..) | (_, Err(error), _) | (.., Err(error)) => {
                problem(StatusCode::SERVICE_UNAVAILABLE, &error.to_string())
            }
        }
    }

    pub(super) async fn decide_approval(&self, body: &Bytes) -> Ack {
        let decision: Decision = match serde_json::from_slice(body) {
            Ok(decision) => decision,
            Err(error) => {
                let shape = r#"{"id": "0123456789ab", "decision": "once", "digest": "…"}, or always, or deny"#;
                return problem(StatusCode::BAD_REQUEST, &format!("the body must be JSON like {shape}: {error}"));
            }
        };
        let request = match self.approvals.request(&decision.id).await {
            Ok(Some(request)) => request,
            Ok(None) => return problem(StatusCode::NOT_FOUND, UNKNOWN),
            Err(error) => return problem(StatusCode::SERVICE_UNAVAILABLE, &error.to_string()),
        };
        if request.digest != decision.digest {
            return problem(StatusCode::CONFLICT, "that is the digest of something else than what waits; look again");
        }
        let built = self.live.current().await;
        let decided = Decided { by: BY.to_owned(), at: self.clock.now(), event: self.clock.unique() };
        let desk = self.desk(&built.installation.spend.tenant);
        match desk.decide(&request.id, decision.decision, decided).await {
            Ok(Said::Taken(request)) => json_ack(StatusCode::OK, &json!({"decided": request_json(&request)})),
            Ok(Said::Refused(refused)) => problem(StatusCode::CONFLICT, &refused.to_string()),
            Ok(Said::Unknown) => problem(StatusCode::NOT_FOUND, UNKNOWN),
            Err(error) => problem(StatusCode::SERVICE_UNAVAILABLE, &error.to_string()),
        }
    }

    pub(super) async fn forget_approval(&self, body: &Bytes) -> Ack {
        let forget: Forget = match serde_json::from_slice(body) {
            Ok(forget) => forget,
            Err(error) => {
                let shape = r#"{"id": "0123456789ab"}"#;
                return problem(StatusCode::BAD_REQUEST, &format!("the body must be JSON like {shape}: {error}"));
            }
        };
        let built = self.live.current().await;
        let desk = self.desk(&built.installation.spend.tenant);
        match desk.forget(&forget.id, BY, self.clock.now()).await {
            Ok(true) => json_ack(StatusCode::OK, &json!({"forgotten": forget.id})),
            Ok(false) => problem(StatusCode::NOT_FOUND, "nothing of this id is allowed: GET /approvals lists what is"),
            Err(error) => problem(StatusCode::SERVICE_UNAVAILABLE, &error.to_string()),
        }
    }

    fn desk<'a>(&'a self, tenant: &'a str) -> Desk<'a> {
        Desk { approvals: self.approvals.as_ref(), audit: self.audit.as_ref(), queue: self.queue.as_ref(), tenant }
    }
}

const UNKNOWN: &str = "no request has this id: GET /approvals lists those that wait";

fn request_json(request: &Request) -> Value {
    json!({
        "id": request.id, "agent": request.agent, "session": request.session, "tool": request.tool,
        "shown": request.consent.shown, "programs": request.consent.programs, "digest": request.digest,
        "askedAt": request.asked_at, "expiresAt": request.expires_at, "state": request.state,
    })
}

fn rule_json(rule: &Rule) -> Value {
    json!({"id": rule.id, "agent": rule.agent, "tool": rule.tool, "words": rule.words, "by": rule.by, "at": rule.at})
}
