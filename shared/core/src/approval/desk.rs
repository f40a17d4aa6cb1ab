//! Where decisions are taken: by command, by button, over the API, or by time. One way for all, so that each is checked,
//! recorded and acted on alike.

use super::{ApprovalStore, Decided, Refused, Request, State, Verdict};
use crate::audit::{AuditLog, Happening, What, append, session_mark};
use crate::clock::Millis;
use crate::message::{EventKey, ReplyAddress};
use crate::queue::{ENVELOPE_VERSION, Envelope, Lane, Queue, Task};
use crate::schedule::{MADE, Schedule, ScheduleExpression};
use crate::session::StoreError;
use crate::session_key::SessionKey;

/// What the names of wake-ups begin with, behind [`MADE`]. What agents make has twelve digits there.
const ASKED: &str = "asked.";

/// What decisions work through.
#[derive(Clone, Copy)]
pub struct Desk<'a> {
    /// Requests and rules.
    pub approvals: &'a dyn ApprovalStore,
    /// The log.
    pub audit: &'a dyn AuditLog,
    /// Where the turn of a decision begins.
    pub queue: &'a dyn Queue,
    /// Whose log.
    pub tenant: &'a str,
}

/// What became of a decision.
#[derive(Clone, Debug, PartialEq)]
pub enum Said {
    /// It was taken.
    Taken(Box<Request>),
    /// It was not.
    Refused(Refused),
    /// There is no such request (any more).
    Unknown,
}

/// The event of the turn that acts on a decision: there is one for each request.
pub fn decision_event(id: &str) -> EventKey {
    EventKey::of("approval", "decision", id)
}

/// The conversation in which a request of another one is asked.
pub fn session_of_request(request: &Request) -> SessionKey {
    SessionKey::from_stored(format!("agent:{}:approval:{}", request.agent.as_str(), request.id))
}

/// What wakes the house at the end of a request's time, once; never before it, and late by less than a second and what
/// the scheduler takes. Nothing else is called so: neither what is configured nor what agents make.
pub fn wake_up(request: &Request) -> Option<Schedule> {
    let end = request.expires_at.0.checked_add(999)? / 1000;
    let end = jiff::Timestamp::from_second(i64::try_from(end).ok()?).ok()?;
    let expression = format!("at({})", end.strftime("%Y-%m-%dT%H:%M:%S"));
    let name = format!("{MADE}{ASKED}{}", request.id);
    Some(Schedule { name, expression: ScheduleExpression(expression), timezone: "UTC".to_owned(), enabled: true })
}

/// The request whose time is over when this fires.
pub fn woken_for(firing: &str) -> Option<&str> {
    firing.strip_prefix(MADE)?.strip_prefix(ASKED)
}

impl Desk<'_> {
    /// Decides. The same event again finds its own decision and does what was left undone.
    pub async fn decide(&self, id: &str, verdict: Verdict, decided: Decided) -> Result<Said, StoreError> {
        let Some(seen) = self.approvals.request(id).await? else { return Ok(Said::Unknown) };
        let becomes = match seen.decided(verdict, decided.clone()) {
            Ok(becomes) => becomes,
            Err(Refused::Expired) if seen.state == State::Waiting => {
                self.expire(&seen, decided.at).await?;
                return Ok(Said::Refused(Refused::Expired));
            }
            Err(refused) => return Ok(Said::Refused(refused)),
        };
        if becomes != seen && !self.approvals.change(&seen, &becomes).await? {
            let now = self.approvals.request(id).await?;
            let lost = now.map(|now| now.decided(verdict, decided));
            return Ok(match lost {
                Some(Err(refused)) => Said::Refused(refused),
                _ => Said::Unknown,
            });
        }
        // Only now: of two who decide at once the one who is late leaves nothing behind.
        if verdict == Verdict::Always {
            for rule in seen.rules(&decided) {
                self.approvals.remember(&rule).await?;
            }
        }
        let what = match verdict {
            Verdict::Once => What::AllowedOnce,
            Verdict::Always => What::AllowedAlways,
            Verdict::Deny => What::Denied,
        };
        self.record(&becomes, what, &decided.by, &becomes.id, decided.at).await?;
        self.resume(&becomes, decided.at).await?;
        Ok(Said::Taken(Box::new(becomes)))
    }

    /// Forgets what was allowed for ever. `false` if there was nothing of this id.
    pub async fn forget(&self, id: &str, by: &str, at: Millis) -> Result<bool, StoreError> {
        let rules = self.approvals.rules().await?;
        let Some(rule) = rules.iter().find(|rule| rule.id == id) else { return Ok(false) };
        let happening = Happening {
            what: What::Forgotten,
            name: format!("{id}:{}", at.0),
            agent: rule.agent.as_ref().map(ToString::to_string).unwrap_or_default(),
            session: String::new(),
            tool: rule.tool.clone().unwrap_or_default(),
            programs: rule.words.first().cloned().into_iter().collect(),
            digest: id.to_owned(),
            by: by.to_owned(),
            at,
        };
        append(self.audit, self.tenant, &happening).await?;
        self.approvals.forget(id).await
    }

    /// Denies what nobody decided in time, and has it told. How many there were.
    pub async fn sweep(&self, now: Millis) -> Result<usize, StoreError> {
        let waiting = self.approvals.waiting().await?;
        let mut swept = 0usize;
        for request in waiting.iter().filter(|request| request.overdue(now)) {
            self.expire(request, now).await?;
            swept = swept.saturating_add(1);
        }
        Ok(swept)
    }

    /// Denies a request nobody decided in time, and has it told. If there is time left, that in milliseconds.
    pub async fn lapse(&self, id: &str, now: Millis) -> Result<Option<u64>, StoreError> {
        let request = self.approvals.request(id).await?.filter(|request| request.state == State::Waiting);
        let Some(request) = request else { return Ok(None) };
        if !request.overdue(now) {
            return Ok(Some(request.expires_at.since(now)));
        }
        self.expire(&request, now).await.map(|()| None)
    }

    /// First the turn that tells it: whoever stops between the two leaves a request that expires again, and a turn whose
    /// event is known.
    async fn expire(&self, seen: &Request, now: Millis) -> Result<(), StoreError> {
        self.resume(seen, now).await?;
        self.record(seen, What::Expired, "time", &seen.id, now).await?;
        self.approvals.change(seen, &Request { state: State::Expired, ..seen.clone() }).await.map(drop)
    }

    /// Records something about a request. `name` tells it from other happenings of the same kind.
    pub async fn record(
        &self,
        request: &Request,
        what: What,
        by: &str,
        name: &str,
        at: Millis,
    ) -> Result<(), StoreError> {
        let happening = Happening {
            what,
            name: name.to_owned(),
            agent: request.agent.as_str().to_owned(),
            session: session_mark(&request.session),
            tool: request.tool.clone(),
            programs: request.consent.names(),
            digest: request.digest.clone(),
            by: by.to_owned(),
            at,
        };
        append(self.audit, self.tenant, &happening).await
    }

    /// Begins the turn that acts on the decision. It is made for whom the first turn was made, with no more rights.
    async fn resume(&self, request: &Request, at: Millis) -> Result<(), StoreError> {
        let caller = &request.caller;
        // With several senders it is nobody's in particular: then what it asks for is treated as unattended.
        let sender = match caller.senders.as_slice() {
            [sender] => sender.clone(),
            _ => String::new(),
        };
        let task = Task::Decision {
            id: request.id.clone(),
            sender,
            authority: caller.authority,
            depth: caller.depth,
            hops: caller.hops,
            limit: caller.limit.clone(),
            deliver_to: caller.reply_to.clone(),
        };
        self.push(request, decision_event(&request.id), request.session.clone(), task, at).await
    }

    /// Asks about a request in another place than its own conversation.
    pub async fn ask_at(&self, request: &Request, place: &ReplyAddress, at: Millis) -> Result<(), StoreError> {
        let name = format!("{}:{}:{}:{}", request.id, place.channel, place.account, place.to);
        let task = Task::Approval { id: request.id.clone(), deliver_to: place.clone() };
        self.push(request, EventKey::of("approval", "request", &name), session_of_request(request), task, at).await
    }

    async fn push(
        &self,
        request: &Request,
        event: EventKey,
        session: SessionKey,
        task: Task,
        at: Millis,
    ) -> Result<(), StoreError> {
        let agent = request.agent.clone();
        let envelope = Envelope { version: ENVELOPE_VERSION, event, session, agent, accepted_at: at, task };
        let pushed = self.queue.push(Lane::Live, &envelope).await;
        pushed.map_err(|error| StoreError::Unavailable(error.to_string()))
    }
}
