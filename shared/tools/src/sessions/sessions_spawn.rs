//! `sessions_spawn`: work for a sub-agent, in a conversation of its own. What comes of it arrives as a message.

use std::sync::Arc;

use async_trait::async_trait;
use chela_core::agent_id::AgentId;
use chela_core::clock::Millis;
use chela_core::directory::{Listing, at_work};
use chela_core::message::EventKey;
use chela_core::model::{Thinking, ToolSpec};
use chela_core::queue::{Authority, Lane, Purpose};
use chela_core::relay::{CHANNEL, Letter};
use chela_core::session::{Choices, Claim, Claimed, Fence, StoreError};
use chela_core::session_key::{SessionKey, subagent_session_key};
use chela_core::tool::{Caller, Effect, Tool, ToolAnswer, ToolCall};
use serde::Deserialize;
use serde_json::json;

use super::{House, LOOKED_AT, Member, away, label_of, not_queued};
use crate::arguments::arguments;

/// Longest description of a task, in bytes.
const TASK_MAX: usize = 32 * 1024;

/// How long a new conversation is held to note what was chosen for it.
const HELD_MS: u64 = 5_000;

pub(super) struct SessionsSpawn(pub(super) Arc<House>);

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Arguments {
    task: String,
    label: Option<String>,
    agent_id: Option<String>,
    model: Option<String>,
    thinking: Option<Thinking>,
}

#[async_trait]
impl Tool for SessionsSpawn {
    fn spec(&self) -> ToolSpec {
        let text = || json!({ "type": "string" });
        let mut properties = json!({
            "task": { "type": "string", "description": "all it needs to know: it sees nothing of this conversation" },
            "label": text(), "model": text(), "thinking": text(),
        });
        if let (false, Some(properties)) = (self.0.allowed.is_empty(), properties.as_object_mut()) {
            properties.insert("agentId".to_owned(), text());
        }
        ToolSpec {
            name: "sessions_spawn".into(),
            description: "Give a task to a sub-agent working in the background. Answers at once; the result comes later as a message, so end your turn instead of waiting.".into(),
            input_schema: json!({ "type": "object", "properties": properties, "required": ["task"] }),
        }
    }

    fn effect(&self) -> Effect {
        Effect::Keyed
    }

    fn offered(&self, caller: &Caller) -> bool {
        self.0.may_spawn(caller)
    }

    async fn run(&self, call: ToolCall<'_>) -> ToolAnswer {
        self.spawn(&call).await.map_or_else(ToolAnswer::error, ToolAnswer::ok)
    }
}

impl SessionsSpawn {
    async fn spawn(&self, call: &ToolCall<'_>) -> Result<String, String> {
        let Arguments { task, label, agent_id, model, thinking } = arguments(call.input)?;
        if task.trim().is_empty() || task.len() > TASK_MAX {
            return Err(format!("The task must have 1 to {TASK_MAX} bytes."));
        }
        if !self.0.may_spawn(call.caller) {
            return Err("You are a sub-agent yourself and may not start others: do the work in this turn.".to_owned());
        }
        if call.caller.authority != Authority::Owner && (model.is_some() || thinking.is_some()) {
            return Err("What a sub-agent costs is the owner's choice: leave out model and thinking.".to_owned());
        }
        let (agent, member) = self.agent(call.agent, agent_id.as_deref())?;
        let model = model_of(member, model)?;
        let id = EventKey::of(CHANNEL, call.session.as_str(), call.idempotency_key);
        let child = subagent_session_key(agent, id.as_str());
        let label = label_of(label.as_deref());
        let letter = Letter {
            from: call.session,
            from_agent: call.agent,
            caller: call.caller,
            to: child.clone(),
            to_agent: agent.clone(),
            purpose: Purpose::Assign,
            label: label.clone(),
            text: task,
            idempotency_key: call.idempotency_key,
        };
        let Some(envelope) = letter.envelope(call.clock.now()) else {
            return Err("This has been handed on often enough: answer the user first.".to_owned());
        };
        self.list(call, agent, &child, label).await?;
        let choices = Choices { model, thinking, ..Choices::default() };
        if !choices.is_none() {
            choose(call, &child, &envelope.event, choices).await.map_err(|error| away(&error))?;
        }
        call.queue.push(Lane::Background, &envelope).await.map_err(|error| not_queued(&error))?;
        Ok(format!(
            "Accepted: {child} works in the background, and its result will come as a message. Tell the user if it \
             matters, or answer NO_REPLY, and end your turn; do not ask for it."
        ))
    }

    /// The agent that is to do it, if this one may give it work.
    fn agent<'h>(&'h self, own: &'h AgentId, wanted: Option<&str>) -> Result<(&'h AgentId, &'h Member), String> {
        let wanted = wanted.map(str::trim).filter(|id| !id.is_empty());
        let id = wanted.map_or_else(|| own.clone(), AgentId::new);
        let may = |agent: &AgentId| agent == own || self.0.allowed.contains(agent);
        // An id that is no id becomes that of the default agent, whom nobody meant.
        let meant = wanted.is_none_or(|wanted| wanted.eq_ignore_ascii_case(id.as_str()));
        self.0.agents.get_key_value(&id).filter(|(agent, _)| meant && may(agent)).ok_or_else(|| {
            let known: Vec<&str> = self.0.agents.keys().filter(|agent| may(agent)).map(AgentId::as_str).collect();
            format!("You cannot give work to that agent. Those you can: {}.", known.join(", "))
        })
    }

    /// Notes the conversation, if there is room for another one. One that was noted before is the same call again.
    async fn list(
        &self,
        call: &ToolCall<'_>,
        agent: &AgentId,
        child: &SessionKey,
        label: Option<String>,
    ) -> Result<(), String> {
        let (now, sessions) = (call.clock.now(), call.sessions);
        let children = call.directory.children(call.session, LOOKED_AT).await.map_err(|error| away(&error))?;
        if children.iter().any(|known| known.session == *child) {
            return Ok(());
        }
        let working = at_work(sessions, children, now).await.map_err(|error| away(&error))?.len();
        if working >= usize::from(self.0.max_children) {
            return Err(format!("{working} sub-agents work for this conversation already. Wait for a result."));
        }
        let of_agent = call.directory.listed(agent, LOOKED_AT).await.map_err(|error| away(&error))?;
        let working = at_work(sessions, of_agent, now).await.map_err(|error| away(&error))?.len();
        if working >= usize::from(self.0.max_concurrent) {
            return Err(format!("{working} sub-agents of {agent} are at work already. Try again later."));
        }
        let listing = Listing {
            session: child.clone(),
            agent: agent.clone(),
            label,
            parent: Some(call.session.clone()),
            began: now,
            ended: None,
        };
        call.directory.list(&listing).await.map_err(|error| away(&error))
    }
}

/// The model it is to use, if another than the agent's first.
fn model_of(member: &Member, wanted: Option<String>) -> Result<Option<String>, String> {
    match wanted.filter(|model| !model.trim().is_empty()) {
        None => Ok(member.model.clone()),
        Some(wanted) if member.models.contains(&wanted) => Ok(Some(wanted)),
        Some(_) => Err(format!("That model is not one of this agent's: {}.", member.models.join(", "))),
    }
}

/// Notes what was chosen for a conversation that has not begun; one that has is left alone.
async fn choose(call: &ToolCall<'_>, child: &SessionKey, event: &EventKey, choices: Choices) -> Result<(), StoreError> {
    let owner = format!("spawn-{}", event.short());
    let now = call.clock.now();
    let head = call.sessions.head(child).await?;
    if head.is_some_and(|head| head.owner != owner) {
        return Ok(());
    }
    let claim = Claim { event, owner: &owner, now, until: now.plus(HELD_MS) };
    let Claimed::Held(mut head) = call.sessions.claim(child, &claim).await? else { return Ok(()) };
    head.choices = choices;
    head.current = None;
    head.attempts = 0;
    head.revision = head.revision.saturating_add(1);
    head.release();
    let fence = Fence { epoch: head.epoch, owner: &owner, lease_reaches: Millis(0) };
    call.sessions.save(child, &head, &fence).await
}
