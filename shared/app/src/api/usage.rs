//! What was spent, and the switch that stops all spending.

use bytes::Bytes;
use chela_core::channel::Ack;
use http::StatusCode;
use serde::Deserialize;
use serde_json::json;

use super::{Api, json_ack, problem, url_query};
use crate::usage::read;

/// Days that are told of if nobody says how many.
const DAYS: u16 = 1;

/// As many days as are kept.
const MOST_DAYS: u16 = 90;

/// `POST /usage/halt`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Halt {
    /// `false` lets spending go on.
    halted: bool,
}

impl Api {
    /// `GET /usage?days=7`.
    pub(super) async fn usage(&self, query: &str) -> Ack {
        let days = match url_query(query).find(|(key, _)| key == "days") {
            None => DAYS,
            Some((_, days)) => match days.parse() {
                Ok(days) if (1..=MOST_DAYS).contains(&days) => days,
                _ => return problem(StatusCode::BAD_REQUEST, &format!("days must be 1 to {MOST_DAYS}")),
            },
        };
        let built = self.live.current().await;
        match read(self.spend.as_ref(), &built.installation.spend, self.clock.now(), days).await {
            Ok(usage) => json_ack(StatusCode::OK, &json!(usage)),
            Err(error) => problem(StatusCode::SERVICE_UNAVAILABLE, &error.to_string()),
        }
    }

    /// `POST /usage/halt`.
    pub(super) async fn halt(&self, body: &Bytes) -> Ack {
        let Halt { halted } = match serde_json::from_slice(body) {
            Ok(halt) => halt,
            Err(error) => {
                let shape = r#"{"halted": true}"#;
                return problem(StatusCode::BAD_REQUEST, &format!("the body must be JSON like {shape}: {error}"));
            }
        };
        let built = self.live.current().await;
        let rules = &built.installation.spend;
        match self.spend.halt(&rules.tenant, halted).await {
            // What the configuration halts no command resumes.
            Ok(()) => {
                json_ack(StatusCode::OK, &json!({"halted": halted || rules.halted, "byConfiguration": rules.halted}))
            }
            Err(error) => problem(StatusCode::SERVICE_UNAVAILABLE, &error.to_string()),
        }
    }
}
