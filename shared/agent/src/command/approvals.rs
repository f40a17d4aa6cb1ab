//! `/approve`, `/deny`, `/approvals`.

use chela_core::approval::{Decided, Request, Rule, Said, Verdict};
use chela_core::audit::What;
use chela_core::session::StoreError;
use chela_core::turn::Reply;

use super::{Asked, quoted, say, usage};
use crate::answer::Agent;

/// Most that are listed of each kind.
const LISTED: usize = 20;

impl Agent {
    pub(super) async fn approve(&self, asked: &Asked<'_>) -> Result<Reply, StoreError> {
        let mut words = asked.spoken.rest.split_whitespace();
        let verdict = match (words.next(), words.next().map(str::to_ascii_lowercase).as_deref(), words.next()) {
            (Some(_), None | Some("once" | "allow-once"), None) => Verdict::Once,
            (Some(_), Some("always" | "allow-always"), None) => Verdict::Always,
            (Some(_), Some("deny"), None) => Verdict::Deny,
            _ => return Ok(usage(asked.spoken.spec)),
        };
        self.decide(asked, verdict).await
    }

    pub(super) async fn deny(&self, asked: &Asked<'_>) -> Result<Reply, StoreError> {
        let mut words = asked.spoken.rest.split_whitespace();
        match (words.next(), words.next()) {
            (Some(_), None) => self.decide(asked, Verdict::Deny).await,
            _ => Ok(usage(asked.spoken.spec)),
        }
    }

    async fn decide(&self, asked: &Asked<'_>, verdict: Verdict) -> Result<Reply, StoreError> {
        let attempt = asked.attempt;
        let Some(event) = attempt.machine.accepted().map(|accepted| accepted.event.as_str().to_owned()) else {
            return Ok(say(UNKNOWN));
        };
        let Some(request) = self.approvals.request(asked.request()).await? else { return Ok(say(UNKNOWN)) };
        if !request.asked_in(attempt.machine.session(), asked.inbound) {
            self.record_refused(asked, &request).await?;
            return Ok(say(ELSEWHERE));
        }
        let decided = Decided { by: asked.by(), at: self.clock.now(), event };
        let said = self.desk(attempt.installation).decide(&request.id, verdict, decided).await?;
        Ok(say(match (said, verdict) {
            (Said::Taken(_), Verdict::Once) => format!("Allowed once: `{}`. I go on.", request.id),
            (Said::Taken(_), Verdict::Always) => {
                format!("Allowed, now and from now on: `{}`. I go on; `/approvals` shows what is allowed.", request.id)
            }
            (Said::Taken(_), Verdict::Deny) => format!("Denied: `{}`. Nothing was run.", request.id),
            (Said::Refused(refused), _) => format!("Nothing was done about `{}`: {refused}.", request.id),
            (Said::Unknown, _) => UNKNOWN.to_owned(),
        }))
    }

    /// Who may not decide leaves a trace.
    pub(super) async fn record_refused(&self, asked: &Asked<'_>, request: &Request) -> Result<(), StoreError> {
        let event = asked.attempt.machine.accepted().map(|accepted| accepted.event.as_str().to_owned());
        let desk = self.desk(asked.attempt.installation);
        desk.record(request, What::Refused, &asked.by(), &event.unwrap_or_default(), self.clock.now()).await
    }

    /// The request a command is about, whoever wrote it.
    pub(super) async fn request_meant(&self, asked: &Asked<'_>) -> Result<Option<Request>, StoreError> {
        self.approvals.request(asked.request()).await
    }

    pub(super) async fn approvals(&self, asked: &Asked<'_>) -> Result<Reply, StoreError> {
        let (what, id) = asked.spoken.first();
        match (what.as_str(), id.trim()) {
            ("", _) | ("list", "") => self.listed_approvals(asked).await,
            ("forget", id) if !id.is_empty() => self.forget(asked, id).await,
            _ => Ok(usage(asked.spoken.spec)),
        }
    }

    async fn listed_approvals(&self, asked: &Asked<'_>) -> Result<Reply, StoreError> {
        let (agent, now) = (asked.attempt.agent, self.clock.now());
        self.desk(asked.attempt.installation).sweep(now).await?;
        let waiting = self.approvals.waiting().await?;
        let own = waiting.iter().filter(|request| request.agent == *agent && !request.overdue(now));
        let lines: Vec<String> = own.take(LISTED).map(line).collect();
        let mut text = match lines.as_slice() {
            [] => "Nothing waits for your approval.".to_owned(),
            lines => format!("**These wait**\n{}", lines.join("\n")),
        };
        let rules = self.approvals.rules().await?;
        let own = rules.iter().filter(|rule| rule.agent.as_ref().is_none_or(|of| of == agent));
        let lines: Vec<String> = own.take(LISTED).map(rule_line).collect();
        if !lines.is_empty() {
            text.push_str(&format!("\n**These are allowed from now on**\n{}", lines.join("\n")));
        }
        Ok(say(text))
    }

    async fn forget(&self, asked: &Asked<'_>, id: &str) -> Result<Reply, StoreError> {
        let (by, now) = (asked.by(), self.clock.now());
        let forgotten = self.desk(asked.attempt.installation).forget(id, &by, now).await?;
        Ok(say(if forgotten { "Forgotten: I ask about it again." } else { "Nothing of this name is allowed." }))
    }
}

const UNKNOWN: &str = "Nothing of this name waits for your approval. `/approvals` shows what does.";

const ELSEWHERE: &str = "That was asked in another conversation, and is decided there or with `chela approvals`. Nothing \
                         was done.";

impl Asked<'_> {
    /// The id of the request that the command names.
    fn request(&self) -> &str {
        self.spoken.rest.split_whitespace().next().unwrap_or_default().trim_start_matches('#')
    }

    /// Who writes, as the audit log names them.
    fn by(&self) -> String {
        format!("{}:{}", self.inbound.channel, self.inbound.sender.id)
    }
}

fn line(request: &Request) -> String {
    let names = request.consent.names().join(", ");
    let names = if names.is_empty() { "what exactly cannot be told".to_owned() } else { names };
    quoted(&format!("{}: {} ({names}), sha256 {}", request.id, request.tool, request.short_digest()))
}

fn rule_line(rule: &Rule) -> String {
    quoted(&format!("{}: {}", rule.id, serde_json::json!(rule.words)))
}
