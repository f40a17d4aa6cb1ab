//! Who agreed to what: the audit log, page by page. Whoever reads it verifies its chain; nothing here can change it.

use chela_core::channel::Ack;
use http::StatusCode;
use serde_json::json;

use super::{Api, json_ack, problem, url_query};

/// Records of one page.
const PAGE: usize = 500;

impl Api {
    /// `GET /audit?before=<number>`: records with a lower number, newest first; all from the newest without `before`. An
    /// empty page is the end.
    pub(super) async fn audit_log(&self, query: &str) -> Ack {
        let before = url_query(query).find_map(|(key, value)| (key == "before").then_some(value));
        let before = match before.map(|number| number.parse()) {
            None => u64::MAX,
            Some(Ok(number)) => number,
            Some(Err(_)) => return problem(StatusCode::BAD_REQUEST, "before is a record's number, as in ?before=500"),
        };
        let built = self.live.current().await;
        match self.audit.records(&built.installation.spend.tenant, before, PAGE).await {
            Ok(records) => json_ack(StatusCode::OK, &json!({"records": records})),
            Err(error) => problem(StatusCode::SERVICE_UNAVAILABLE, &error.to_string()),
        }
    }
}
