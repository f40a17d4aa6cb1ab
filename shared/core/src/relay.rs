//! How conversations of the house write to one another: work for a sub-agent, a message, and what came of either.
//!
//! Whoever writes waits for nothing. Its address travels with the letter as a [`ReplyAddress`] of the channel
//! [`CHANNEL`], with everything in it that the answer needs when it comes back: for whom the writer worked, and where its
//! own answers go. So nothing is stored that could be lost, and the answer is sent like any other part of a reply.

use serde::{Deserialize, Serialize};

use crate::agent_id::AgentId;
use crate::clock::Millis;
use crate::message::{EventKey, ReplyAddress};
use crate::queue::{Authority, ENVELOPE_VERSION, Envelope, Purpose, Task};
use crate::session_key::SessionKey;
use crate::tool::Caller;
use crate::tool_policy::Limit;

/// The channel of addresses that are conversations of the house. No account of it can be configured.
pub const CHANNEL: &str = "session";

/// Most letters and answers in a row before a person has to say something: two agents that thank each other for ever
/// would spend money for ever.
pub const MOST_HOPS: u8 = 16;

/// Most bytes of what is reported; the rest stays in the transcript. An envelope is to fit into the queue whatever it says.
const REPORT_BYTES: usize = 40_000;

/// What stands for the answer of a conversation that ended without one.
pub const NO_ANSWER: &str = "(no answer)";

/// What stands for the answer of a conversation that was stopped.
pub const STOPPED: &str = "(stopped by a person before it came to an end)";

/// What one conversation writes to another.
#[derive(Clone, Debug)]
pub struct Letter<'a> {
    /// Who writes.
    pub from: &'a SessionKey,
    /// The agent that writes.
    pub from_agent: &'a AgentId,
    /// For whom it writes: what it may do the other may do for it, and no more.
    pub caller: &'a Caller,
    /// To whom.
    pub to: SessionKey,
    /// The agent that is to answer.
    pub to_agent: AgentId,
    /// What for.
    pub purpose: Purpose,
    /// What the work is called.
    pub label: Option<String>,
    /// What is to be done, or is said.
    pub text: String,
    /// The same for every attempt to send it.
    pub idempotency_key: &'a str,
}

/// What an answer needs to find its way back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ticket {
    /// Who answers.
    pub of: SessionKey,
    /// The agent that answers.
    pub agent: AgentId,
    /// What it was asked for.
    pub purpose: Purpose,
    /// What the work is called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// When it was asked.
    pub asked: Millis,
    /// How deep the writer stands.
    pub depth: u8,
    /// Letters so far.
    pub hops: u8,
    /// For whom the writer worked.
    pub authority: Authority,
    /// On whose behalf.
    #[serde(default = "Limit::unknown")]
    pub limit: Limit,
    /// Where the writer's own answers go.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deliver_to: Option<ReplyAddress>,
}

impl Letter<'_> {
    /// What is queued for it; `None` if its answer would be one too many, see [`MOST_HOPS`].
    pub fn envelope(self, now: Millis) -> Option<Envelope> {
        let Self { from, from_agent, caller, to, to_agent, purpose, label, text, idempotency_key } = self;
        let hops = caller.hops.checked_add(1).filter(|hops| *hops < MOST_HOPS)?;
        let ticket = Ticket {
            of: to.clone(),
            agent: to_agent.clone(),
            purpose,
            label: label.clone(),
            asked: now,
            depth: caller.depth,
            hops,
            authority: caller.authority,
            limit: caller.limit.clone(),
            deliver_to: caller.reply_to.clone(),
        };
        let address = ReplyAddress {
            channel: CHANNEL.to_owned(),
            account: from_agent.as_str().to_owned(),
            to: from.as_str().to_owned(),
            thread: None,
            message: Some(serde_json::to_string(&ticket).ok()?),
        };
        let task = Task::Relay {
            from: from.clone(),
            purpose,
            label,
            text,
            depth: caller.depth.saturating_add(1),
            hops,
            authority: caller.authority,
            limit: caller.limit.clone(),
            deliver_to: Some(address),
        };
        let event = EventKey::of(CHANNEL, from.as_str(), idempotency_key);
        Some(Envelope { version: ENVELOPE_VERSION, event, session: to, agent: to_agent, accepted_at: now, task })
    }
}

/// What came of a letter, on its way back.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// What travelled with the letter.
    pub ticket: Ticket,
    /// What is queued for the writer.
    pub envelope: Envelope,
}

/// The answer to a letter, told to the address that came with it; `None` if the address is not one of the house.
pub fn answer(to: &ReplyAddress, text: &str, idempotency_key: &str, now: Millis) -> Option<Answer> {
    let ticket: Ticket = serde_json::from_str(to.message.as_deref().filter(|_| to.channel == CHANNEL)?).ok()?;
    let task = Task::Relay {
        from: ticket.of.clone(),
        purpose: Purpose::Report,
        label: ticket.label.clone(),
        text: shortened(text),
        depth: ticket.depth,
        hops: ticket.hops.saturating_add(1),
        authority: ticket.authority,
        limit: ticket.limit.clone(),
        deliver_to: ticket.deliver_to.clone(),
    };
    let envelope = Envelope {
        version: ENVELOPE_VERSION,
        event: EventKey::of(CHANNEL, &to.account, idempotency_key),
        session: SessionKey::from_stored(&to.to),
        agent: AgentId::new(&to.account),
        accepted_at: now,
        task,
    };
    Some(Answer { ticket, envelope })
}

fn shortened(text: &str) -> String {
    let mut end = text.len().min(REPORT_BYTES);
    while !text.is_char_boundary(end) {
        end = end.saturating_sub(1);
    }
    let kept = text.get(..end).unwrap_or_default();
    if end == text.len() { kept.to_owned() } else { format!("{kept}\n[cut here; sessions_history has the rest]") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tool_policy::Who;

    fn person() -> ReplyAddress {
        ReplyAddress {
            channel: "telegram".into(),
            account: "default".into(),
            to: "7".into(),
            thread: None,
            message: Some("\"42\"".into()),
        }
    }

    /// Somebody in a room, for whom an agent works.
    fn limited(agent: &str) -> Caller {
        let who = Who {
            channel: "telegram".into(),
            account: "default".into(),
            rooms: vec!["-1001234567890".into()],
            senders: vec!["7".into(), "123456789".into()],
        };
        let mut caller = Caller::default();
        caller.limit.add_who(who);
        caller.limit.add_step(&AgentId::new(agent), Some("anthropic/claude-opus-4-5"));
        caller
    }

    fn letter<'a>(caller: &'a Caller, from: &'a SessionKey, agent: &'a AgentId) -> Letter<'a> {
        Letter {
            from,
            from_agent: agent,
            caller,
            to: SessionKey::from_stored("agent:work:subagent:1"),
            to_agent: AgentId::new("work"),
            purpose: Purpose::Assign,
            label: Some("look it up".into()),
            text: "what is the weather?".into(),
            idempotency_key: "key",
        }
    }

    #[test]
    fn an_answer_comes_back_with_what_the_writer_had() {
        let caller =
            Caller { authority: Authority::Owner, reply_to: Some(person()), depth: 2, hops: 3, ..limited("main") };
        let (from, agent) = (SessionKey::from_stored("agent:main:main"), AgentId::new("main"));
        let sent = letter(&caller, &from, &agent).envelope(Millis(5)).unwrap();
        let Task::Relay { depth, hops, authority, limit, deliver_to, .. } = &sent.task else { panic!("a relay") };
        assert_eq!((*depth, *hops, *authority, limit), (3, 4, Authority::Owner, &caller.limit));
        let back = answer(deliver_to.as_ref().unwrap(), "rain", "part", Millis(9)).unwrap();
        let envelope = back.envelope;
        assert_eq!((envelope.session, envelope.agent), (from, agent));
        let Task::Relay { from, purpose, label, text, depth, hops, authority, limit, deliver_to } = envelope.task
        else {
            panic!("a relay")
        };
        assert_eq!((from, purpose, text.as_str()), (sent.session, Purpose::Report, "rain"));
        assert_eq!((label.as_deref(), depth, hops, authority), (Some("look it up"), 2, 5, Authority::Owner));
        assert_eq!((limit, deliver_to), (caller.limit, Some(person())));
    }

    /// Addresses travel in addresses: as deep as sub-agents may ever stand, they stay small.
    #[test]
    fn the_way_back_from_the_deepest_conversation_is_short() {
        let (from, agent) = (SessionKey::from_stored("agent:main:main"), AgentId::new("main"));
        let mut caller = Caller { reply_to: Some(person()), ..limited("main") };
        for depth in 0..5 {
            let sent = letter(&caller, &from, &agent).envelope(Millis(5)).unwrap();
            caller = Caller { reply_to: sent.task.reply_to().cloned(), ..caller };
            caller.limit.add_step(&AgentId::new(&format!("helper-{depth}")), Some("openai/gpt-5.4"));
        }
        let mut to = caller.reply_to.unwrap();
        assert!(to.message.as_ref().unwrap().len() < 8_000, "{}", to.message.unwrap().len());
        while to.channel == CHANNEL {
            to = answer(&to, "x", "k", Millis(5)).unwrap().ticket.deliver_to.unwrap();
        }
        assert_eq!(to, person());
    }

    #[test]
    fn q03_conversations_do_not_write_to_one_another_for_ever() {
        let (from, agent) = (SessionKey::from_stored("agent:main:main"), AgentId::new("main"));
        let hops = |hops| Caller { hops, ..Caller::default() };
        assert!(letter(&hops(MOST_HOPS - 1), &from, &agent).envelope(Millis(5)).is_none());
        let sent = letter(&hops(MOST_HOPS - 2), &from, &agent).envelope(Millis(5)).unwrap();
        let back = answer(sent.task.reply_to().unwrap(), "thanks", "k", Millis(5)).unwrap();
        let Task::Relay { hops: last, .. } = back.envelope.task else { panic!("a relay") };
        assert_eq!(last, MOST_HOPS, "the last letter is answered, and then nobody writes any more");
    }

    #[test]
    fn no_other_address_is_answered_and_a_long_answer_is_cut() {
        assert_eq!(answer(&person(), "x", "k", Millis(5)), None);
        let text = shortened(&"é".repeat(REPORT_BYTES));
        assert!(text.len() < REPORT_BYTES + 60 && text.ends_with("has the rest]"), "{}", text.len());
        assert_eq!(shortened("é"), "é");
    }
}
