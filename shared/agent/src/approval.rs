//! Calls that need a person's consent: whether they may run, what waits, and the turn that goes on when it is decided.
//!
//! Nothing waits in memory. A call that must be asked about gets a result that says so; the turn ends behind it, without
//! a model, and its reply is the request. The decision is an event of its own in the same conversation: its turn repeats
//! the call under a new id, which the machine runs like any other (a mark, a key, a result), and the model goes on with
//! what came of it. So whatever dies on the way is gone on with by what every turn has.

use chela_core::approval::{
    Asking, Desk, MOST_INPUT, MOST_SHOWN, Mode, Permission, Policy, Refused, Request, State, VALID_MS, decide,
    decided_call, digest, listed, request_id, request_parts, wake_up,
};
use chela_core::audit::What;
use chela_core::clock::Millis;
use chela_core::message::ReplyAddress;
use chela_core::model::Block;
use chela_core::queue::{Authority, Task};
use chela_core::session::{AssistantEntry, EntryBody, StoreError};
use chela_core::tool::{Caller, Consent, ToolAnswer};
use chela_core::turn::{Answer, COMMAND, Fate, Input, Outcome, PlannedCall, Reply, Report, Spent, Way};

use crate::answer::{Agent, Attempt};
use crate::mirror::written;
use crate::relay::{is_relay, report};
use crate::settings::Installation;

/// Begins the result of a call that waits; the request's id follows.
const WAITS: &str = "Waiting for approval ";

/// Longest pause before a wake-up that came too early, or met a store that failed, is taken up again.
const AGAIN_AFTER_S: u32 = 60;

/// Digits of a request's id.
const ID_DIGITS: usize = 12;

/// What configuration says about consent, for one agent.
#[derive(Clone, Debug, PartialEq)]
pub struct ApprovalRules {
    /// What runs, what is asked, what is refused.
    pub policy: Policy,
    /// Where the owner is asked about calls of conversations that are not theirs.
    pub places: Vec<ReplyAddress>,
    /// Milliseconds a request waits.
    pub valid_ms: u64,
}

impl Default for ApprovalRules {
    fn default() -> Self {
        Self { policy: Policy::default(), places: Vec::new(), valid_ms: VALID_MS }
    }
}

/// One call on its way to being permitted.
struct Asked<'c> {
    call: &'c PlannedCall,
    consent: &'c Consent,
    caller: &'c Caller,
    /// The idempotency key of the call if it is begun now; without one it is only looked at.
    key: Option<&'c str>,
}

impl Agent {
    /// Where decisions are taken.
    pub(crate) fn desk<'a>(&'a self, installation: &'a Installation) -> Desk<'a> {
        Desk {
            approvals: self.approvals.as_ref(),
            audit: self.audit.as_ref(),
            queue: self.queue.as_ref(),
            tenant: &installation.spend.tenant,
        }
    }

    /// The results of those calls that are not to be begun now: they wait for consent, or may not run.
    pub(crate) async fn admit(&self, attempt: &Attempt<'_>, calls: &[PlannedCall]) -> Result<Vec<Block>, StoreError> {
        let caller = attempt.caller();
        let tools = attempt.tools(&caller);
        let mut results = Vec::new();
        for call in calls.iter().filter(|call| call.fate == Fate::Fresh) {
            let tool = tools.iter().find(|tool| tool.spec().name == call.name);
            let Some(consent) = tool.and_then(|tool| tool.consent(&call.input, &caller)) else { continue };
            let asked = Asked { call, consent: &consent, caller: &caller, key: None };
            if let Err(ToolAnswer { text, is_error, .. }) = self.permission(attempt, &asked).await? {
                results.push(Block::ToolResult { id: call.id.clone(), text, is_error, files: vec![] });
            }
        }
        Ok(results)
    }

    /// Whether a call that needs consent may run now; else what the model is told instead. A store that does not answer
    /// permits nothing, and nothing runs that is not recorded.
    pub(crate) async fn permitted(
        &self,
        attempt: &Attempt<'_>,
        call: &PlannedCall,
        consent: &Consent,
        caller: &Caller,
        key: &str,
    ) -> Result<(), ToolAnswer> {
        let asked = Asked { call, consent, caller, key: Some(key) };
        let permission = self.permission(attempt, &asked).await;
        permission.unwrap_or_else(|error| Err(not_run(call, &format!("whether it may cannot be seen now ({error})"))))
    }

    async fn permission(&self, attempt: &Attempt<'_>, asked: &Asked<'_>) -> Result<Result<(), ToolAnswer>, StoreError> {
        let (policy, now) = (&attempt.settings.approvals.policy, self.clock.now());
        let mode = policy.mode(asked.caller);
        let Some(request) = attempt.request(asked, now) else { return Ok(Err(not_run(asked.call, "it has no turn"))) };
        let granted = match attempt.decision(asked.call) {
            Some(id) if mode != Mode::Deny => match self.grant(id, &request, asked.key, now).await? {
                Ok(by) => Some(by),
                Err(refused) => return Ok(Err(not_run(asked.call, &refused.to_string()))),
            },
            _ => None,
        };
        let remembered = match mode {
            Mode::Allowlist | Mode::Ask | Mode::Auto if asked.consent.programs.is_some() && granted.is_none() => {
                self.approvals.rules().await?
            }
            _ => Vec::new(),
        };
        let rules = policy.rules.iter().chain(&remembered);
        let listed = listed(attempt.agent, &asked.call.name, asked.consent, rules);
        let desk = self.desk(attempt.installation);
        match (decide(mode, asked.consent, listed, granted.is_some()), asked.key) {
            (Permission::Run(_), None) => Ok(Ok(())),
            (Permission::Run(why), Some(key)) => {
                let by = granted.map_or_else(|| why.to_owned(), |by| format!("{why} by {by}"));
                desk.record(&request, What::Ran, &by, key, now).await?;
                Ok(Ok(()))
            }
            (Permission::Refuse(why), _) => {
                desk.record(&request, What::Refused, "policy", &request.id, now).await?;
                Ok(Err(not_run(asked.call, why)))
            }
            (Permission::Ask, _) => self.ask_owner(attempt, asked, request).await.map(Err),
        }
    }

    /// Who allowed this call. With the key of the call that is begun now it is used up: whoever is second does not run it.
    async fn grant(
        &self,
        id: &str,
        wanted: &Request,
        key: Option<&str>,
        now: Millis,
    ) -> Result<Result<String, Refused>, StoreError> {
        let Some(seen) = self.approvals.request(id).await? else { return Ok(Err(Refused::Expired)) };
        let used = match seen.used(&wanted.session, &wanted.digest, key.unwrap_or_default(), now) {
            Ok(used) => used,
            Err(refused) => return Ok(Err(refused)),
        };
        let State::Used { decided, .. } = &used.state else { return Ok(Err(Refused::Undecided)) };
        let by = decided.by.clone();
        if key.is_some() && used != seen && !self.approvals.change(&seen, &used).await? {
            return Ok(Err(Refused::Used { by }));
        }
        Ok(Ok(by))
    }

    /// Files the request and has the owner asked; the answer stands for the call's result until then.
    async fn ask_owner(
        &self,
        attempt: &Attempt<'_>,
        asked: &Asked<'_>,
        request: Request,
    ) -> Result<ToolAnswer, StoreError> {
        let now = self.clock.now();
        if asked.consent.shown.chars().count() > MOST_SHOWN || asked.call.input.to_string().len() > MOST_INPUT {
            let why = format!(
                "it is too long for a person to read before agreeing to it (at most {MOST_SHOWN} characters); put it into a \
                 file of the workspace, or do less at once"
            );
            return Ok(not_run(asked.call, &why));
        }
        if !request.here && request.places.is_empty() {
            let why = "it needs the owner's consent, who is not in this conversation, and no place to ask them is \
                       configured (approvals.exec.targets)";
            return Ok(not_run(asked.call, why));
        }
        let desk = self.desk(attempt.installation);
        self.approvals.ask(&request).await?;
        desk.record(&request, What::Asked, &asked.caller.senders.join(","), &request.id, now).await?;
        for place in &request.places {
            desk.ask_at(&request, place, now).await?;
        }
        if let Some(wake_up) = wake_up(&request) {
            // Without it what nobody answers is told at the next occasion.
            let _ = self.schedules.put(&wake_up).await;
        }
        // Whoever asks anew is a good moment to tell what was never answered.
        let _ = desk.sweep(now).await;
        Ok(ToolAnswer::ok(format!(
            "{WAITS}{}: the owner is asked now, and nothing was run. The result comes later by itself; do not repeat the \
             call.",
            request.id
        )))
    }

    /// The wake-up at the end of a request's time: what nobody answered is told, by a turn of its own conversation.
    pub(crate) async fn lapsed(&self, installation: &Installation, id: &str) -> Outcome {
        match self.desk(installation).lapse(id, self.clock.now()).await {
            Ok(None) => Outcome::Done(Report::default()),
            Ok(Some(left_ms)) => {
                let left_s = u32::try_from(left_ms / 1000).unwrap_or(u32::MAX).saturating_add(1);
                let reason = "the time of the request is not over yet".to_owned();
                Outcome::Again { after_s: left_s.min(AGAIN_AFTER_S), reason }
            }
            Err(error) => Outcome::Again { after_s: 5, reason: error.to_string() },
        }
    }

    /// What ends or begins a step that no model is asked for: the request behind calls that wait, and the call that was
    /// decided about.
    pub(crate) async fn without_model(&self, attempt: &Attempt<'_>, step: u16) -> Result<Option<Input>, StoreError> {
        match attempt.task() {
            Some(Task::Decision { id, .. }) if step == 0 => self.decided(attempt, id).await.map(Some),
            Some(Task::Wrote { text, .. }) if step == 0 => Ok(Some(answered(written(text)))),
            _ => self.parked(attempt).await,
        }
    }

    async fn decided(&self, attempt: &Attempt<'_>, id: &str) -> Result<Input, StoreError> {
        let request = self.approvals.request(id).await?;
        let Some(request) = request.filter(|request| request.session == *attempt.machine.session()) else {
            return Ok(concluded(Vec::new(), "There is nothing left of the request to decide about.".to_owned()));
        };
        let Request { model, tool: name, input, .. } = request;
        let blocks = vec![Block::ToolUse { id: decided_call(id), name, input }];
        Ok(answered(AssistantEntry { blocks, model, ..AssistantEntry::default() }))
    }

    async fn parked(&self, attempt: &Attempt<'_>) -> Result<Option<Input>, StoreError> {
        let mut waiting = Vec::new();
        for (call, id) in attempt.waits() {
            let request = self.approvals.request(&id).await?;
            let (session, turn) = (attempt.machine.session(), attempt.machine.turn().number);
            // What a tool merely says is no request.
            let own = |it: &Request| it.session == *session && it.turn == turn && it.call == call;
            waiting.extend(request.filter(own));
        }
        if waiting.is_empty() {
            return Ok(None);
        }
        let ids: Vec<&str> = waiting.iter().map(|request| request.id.as_str()).collect();
        let said = format!("I have asked for approval and wait for the answer ({}).", ids.join(", "));
        let parts = match attempt.machine.way() {
            Way::To { address, .. } if is_relay(address) => report(Some(said.clone())),
            _ => waiting.iter().flat_map(|request| self.asking_parts(attempt, request)).collect(),
        };
        Ok(Some(concluded(parts, said)))
    }

    fn asking_parts(&self, attempt: &Attempt<'_>, request: &Request) -> Vec<String> {
        if request.here {
            return request_parts(request, attempt.asking());
        }
        vec!["This needs my owner's approval. I have asked, and go on when there is an answer.".to_owned()]
    }

    /// The request of another conversation, as it is put to the owner; silence if it is decided already.
    pub(crate) async fn put_to_owner(&self, attempt: &Attempt<'_>, id: &str) -> Result<Reply, StoreError> {
        let request = self.approvals.request(id).await?;
        let open = request.filter(|it| it.state == State::Waiting && !it.overdue(self.clock.now()));
        let parts = open.map_or_else(Vec::new, |request| request_parts(&request, attempt.asking()));
        Ok(Reply { parts, ..Reply::default() })
    }
}

impl Attempt<'_> {
    /// The request that this call would be; `None` without a turn.
    fn request(&self, asked: &Asked<'_>, now: Millis) -> Option<Request> {
        let Asked { call, consent, caller, .. } = asked;
        let (machine, rules) = (&self.machine, &self.settings.approvals);
        let event = &machine.accepted()?.event;
        let session = machine.session().clone();
        let digest = digest(&call.name, &call.input, &consent.shown);
        let step = machine.turn().entries.last().map_or(0, |entry| entry.step);
        let here = self.owner_is_here(caller);
        Some(Request {
            id: request_id(&session, event, step, &call.id, &digest),
            digest,
            session,
            agent: self.agent.clone(),
            turn: machine.turn().number,
            call: call.id.clone(),
            model: machine.turn().answers().last().map(|answer| answer.model.clone()).unwrap_or_default(),
            tool: call.name.clone(),
            input: call.input.clone(),
            consent: (*consent).clone(),
            caller: (*caller).clone(),
            here,
            places: if here { Vec::new() } else { rules.places.clone() },
            asked_at: now,
            expires_at: now.plus(rules.valid_ms),
            state: State::Waiting,
        })
    }

    /// Whether the owner reads the answer of this turn, and nobody speaks for them.
    fn owner_is_here(&self, caller: &Caller) -> bool {
        let reads = match self.machine.way() {
            Way::To { address, .. } => !is_relay(address),
            Way::Collected => true,
            Way::Gone { .. } => false,
        };
        reads && caller.authority == Authority::Owner && caller.depth == 0 && !caller.senders.is_empty()
    }

    /// The request whose decision has this call run.
    fn decision(&self, call: &PlannedCall) -> Option<&str> {
        match self.task() {
            Some(Task::Decision { id, .. }) if call.id == decided_call(id) => Some(id),
            _ => None,
        }
    }

    /// Calls of the last step whose results say that they wait, with the requests they name.
    pub(crate) fn waits(&self) -> Vec<(String, String)> {
        let entries = &self.machine.turn().entries;
        let last = entries.iter().rev().find(|entry| !matches!(entry.body, EntryBody::Steered { .. }));
        let Some(EntryBody::ToolResults { results }) = last.map(|entry| &entry.body) else { return Vec::new() };
        let waits = |block: &Block| {
            let Block::ToolResult { id, text, is_error: false, .. } = block else { return None };
            let request = text.strip_prefix(WAITS)?.get(..ID_DIGITS)?;
            Some((id.clone(), request.to_owned()))
        };
        results.iter().filter_map(waits).collect()
    }

    /// What the place of the answer takes.
    fn asking(&self) -> Asking {
        let Way::To { address, .. } = self.machine.way() else { return Asking { units: usize::MAX, choices: 0 } };
        self.outlet(address).map_or(Asking { units: usize::MAX, choices: 0 }, |outlet| outlet.asking(address))
    }
}

fn not_run(call: &PlannedCall, why: &str) -> ToolAnswer {
    ToolAnswer::error(format!("\"{}\" was not run: {why}.", call.name))
}

fn answered(entry: AssistantEntry) -> Input {
    Input::Answered(Box::new(Answer { entry, spent: Spent::default(), plain: false }))
}

/// The end of a turn with words no model gave. What is sent is not what the model reads of it later.
fn concluded(parts: Vec<String>, said: String) -> Input {
    let blocks = vec![Block::Text { text: said }];
    answered(AssistantEntry { blocks, model: COMMAND.to_owned(), outbox: Some(parts), ..AssistantEntry::default() })
}
