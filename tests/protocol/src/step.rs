//! What the next operation of an attempt changes.

use crate::design::{Design, Protections, Protocol};
use crate::operation::Operation;
use crate::state::{Attempt, Entry, Inbound, Outbox, State, ToolRecord, ToolResult};

/// How an operation went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It did what it is for.
    Done,
    /// There was nothing left to do for this message; it is acknowledged.
    AlreadyOver,
    /// Refused: another attempt has claimed the session since. The attempt ends.
    Fenced,
    /// Refused: the lease is no longer this attempt's. The attempt ends.
    LeaseLost,
}

/// Does the next operation of an attempt. None while it has to wait for a lease.
pub(crate) fn step(design: &Design, state: &State, attempt: &Attempt) -> Option<(Outcome, State)> {
    let protections = match &design.protocol {
        Protocol::SaveAtTheEnd => return straight(&SAVE_AT_THE_END, state, attempt),
        Protocol::AppendAsYouGo => return straight(&APPEND_AS_YOU_GO, state, attempt),
        Protocol::HandlerIdempotency => return straight(&HANDLER_IDEMPOTENCY, state, attempt),
        Protocol::Journaled(protections) => protections,
    };
    if attempt.next == Operation::Claim {
        return claim(protections, state, attempt);
    }
    let mut after = state.clone();
    if let Some(refusal) = refusal(protections, state, attempt) {
        after.end(attempt);
        return Some((refusal, after));
    }
    if attempt.next == Operation::Acknowledge {
        after.acknowledge(attempt);
        return Some((Outcome::Done, after));
    }
    let next = journaled(protections, &mut after, attempt);
    if let Some(attempt) = after.attempt_mut(attempt.number) {
        attempt.next = next;
    }
    Some((Outcome::Done, after))
}

const SAVE_AT_THE_END: [Operation; 6] = [
    Operation::AskForToolCall,
    Operation::RunTool,
    Operation::AskForReply,
    Operation::Send,
    Operation::SaveTurn,
    Operation::Acknowledge,
];

const APPEND_AS_YOU_GO: [Operation; 9] = [
    Operation::StoreUser,
    Operation::AskForToolCall,
    Operation::StoreToolCall,
    Operation::RunTool,
    Operation::StoreToolResult,
    Operation::AskForReply,
    Operation::StoreReply,
    Operation::Send,
    Operation::Acknowledge,
];

const HANDLER_IDEMPOTENCY: [Operation; 11] = [
    Operation::MarkInProgress,
    Operation::StoreUser,
    Operation::AskForToolCall,
    Operation::StoreToolCall,
    Operation::RunTool,
    Operation::StoreToolResult,
    Operation::AskForReply,
    Operation::StoreReply,
    Operation::Send,
    Operation::MarkCompleted,
    Operation::Acknowledge,
];

/// A program that runs from top to bottom and looks at nothing, but for the mark of the handler.
fn straight(program: &[Operation], state: &State, attempt: &Attempt) -> Option<(Outcome, State)> {
    let (mut after, inbound) = (state.clone(), attempt.inbound);
    let place = program.iter().position(|operation| *operation == attempt.next)?;
    let mut next = program.get(place + 1).copied();
    let mut outcome = Outcome::Done;
    match attempt.next {
        Operation::MarkInProgress => {
            if state.facts.turns[inbound].completed {
                (next, outcome) = (Some(Operation::Acknowledge), Outcome::AlreadyOver);
            } else if state.lease.is_none() {
                after.lease = Some(attempt.number);
            } else {
                return None;
            }
        }
        Operation::StoreUser => after.facts.transcript.push(Entry::User, inbound),
        Operation::StoreToolCall => after.facts.transcript.push(Entry::ToolCall, inbound),
        Operation::StoreToolResult => after.facts.transcript.push(Entry::ToolResult, inbound),
        Operation::StoreReply => after.facts.transcript.push(Entry::Reply, inbound),
        Operation::RunTool => run_tool(&mut after, inbound, false),
        Operation::Send => send(&mut after, inbound, false),
        Operation::SaveTurn => {
            for entry in [Entry::User, Entry::ToolCall, Entry::ToolResult, Entry::Reply] {
                after.facts.transcript.push(entry, inbound);
            }
        }
        Operation::MarkCompleted => after.facts.turns[inbound].completed = true,
        Operation::Acknowledge => after.acknowledge(attempt),
        // What the model says stays in memory; the others are of journaled designs.
        _ => {}
    }
    if let (Some(next), Some(attempt)) = (next, after.attempt_mut(attempt.number)) {
        attempt.next = next;
    }
    Some((outcome, after))
}

/// Lease, epoch and the user's message in one write.
fn claim(protections: &Protections, state: &State, attempt: &Attempt) -> Option<(Outcome, State)> {
    let (mut after, inbound) = (state.clone(), attempt.inbound);
    if state.facts.turns[inbound].is_over() {
        after.acknowledge(attempt);
        return Some((Outcome::AlreadyOver, after));
    }
    if protections.lease && state.lease.is_some() {
        return None;
    }
    after.lease = Some(attempt.number);
    after.epoch += 1;
    if !state.facts.turns[inbound].user {
        after.facts.turns[inbound].user = true;
        after.facts.transcript.push(Entry::User, inbound);
    }
    let (epoch, next) = (after.epoch, next(protections, &after, inbound));
    let claimed = after.attempt_mut(attempt.number)?;
    (claimed.epoch, claimed.next) = (epoch, next);
    Some((Outcome::Done, after))
}

/// Why the table does not take a write.
fn refusal(protections: &Protections, state: &State, attempt: &Attempt) -> Option<Outcome> {
    if protections.fence && attempt.next.is_fenced() && attempt.epoch != state.epoch {
        return Some(Outcome::Fenced);
    }
    let lost = state.lease != Some(attempt.number);
    (protections.lease_recheck && attempt.next.needs_lease() && lost).then_some(Outcome::LeaseLost)
}

/// An operation of a journaled turn after its claim; what comes next.
///
/// Entries are appended even when the table has them: it is the fence that keeps a late attempt from getting here.
fn journaled(protections: &Protections, state: &mut State, attempt: &Attempt) -> Operation {
    let inbound = attempt.inbound;
    let facts = &mut state.facts;
    match attempt.next {
        Operation::AskForToolCall => return Operation::StoreToolCall,
        Operation::StoreToolCall => {
            facts.transcript.push(Entry::ToolCall, inbound);
            facts.turns[inbound].tool_call = true;
        }
        Operation::StoreToolIntent => {
            facts.turns[inbound].tool = ToolRecord::Started;
            return Operation::RunTool;
        }
        Operation::RunTool => {
            run_tool(state, inbound, protections.idempotent_tools);
            return Operation::StoreToolResult;
        }
        Operation::StoreToolResult => {
            facts.transcript.push(Entry::ToolResult, inbound);
            let turn = &mut facts.turns[inbound];
            if turn.tool_result == ToolResult::Absent {
                (turn.tool, turn.tool_result) = (ToolRecord::Done, ToolResult::Returned);
            }
        }
        Operation::StoreUnknownToolResult => {
            facts.transcript.push(Entry::ToolResult, inbound);
            facts.turns[inbound].tool_result = ToolResult::Unknown;
        }
        Operation::AskForReply => return Operation::StoreReply,
        Operation::StoreReply => {
            facts.transcript.push(Entry::Reply, inbound);
            let turn = &mut facts.turns[inbound];
            if !turn.reply {
                (turn.reply, turn.outbox) = (true, Outbox::Pending);
            }
        }
        Operation::StoreSendIntent => {
            facts.turns[inbound].outbox = Outbox::Sending;
            return Operation::Send;
        }
        Operation::Send => {
            send(state, inbound, protections.idempotent_send);
            return Operation::StoreSent;
        }
        Operation::StoreSent | Operation::StoreSendUnknown => {
            let sent = attempt.next == Operation::StoreSent;
            let turn = &mut facts.turns[inbound];
            (turn.outbox, turn.completed) = (if sent { Outbox::Sent } else { Outbox::Unknown }, true);
            return Operation::Acknowledge;
        }
        // Done by their own functions, or of designs that are not journaled.
        Operation::Claim
        | Operation::Acknowledge
        | Operation::MarkInProgress
        | Operation::StoreUser
        | Operation::SaveTurn
        | Operation::MarkCompleted => {}
    }
    next(protections, state, inbound)
}

/// Where a turn goes on, from what is recorded.
fn next(protections: &Protections, state: &State, inbound: Inbound) -> Operation {
    let turn = &state.facts.turns[inbound];
    if !turn.tool_call {
        return Operation::AskForToolCall;
    }
    if turn.tool_result == ToolResult::Absent {
        return match turn.tool {
            _ if !protections.tool_journal => Operation::RunTool,
            ToolRecord::Absent => Operation::StoreToolIntent,
            ToolRecord::Started | ToolRecord::Done if protections.idempotent_tools => Operation::RunTool,
            ToolRecord::Started | ToolRecord::Done => Operation::StoreUnknownToolResult,
        };
    }
    if !turn.reply {
        return Operation::AskForReply;
    }
    match turn.outbox {
        Outbox::Pending if protections.outbox_intent => Operation::StoreSendIntent,
        Outbox::Pending => Operation::Send,
        Outbox::Sending if protections.idempotent_send || protections.resend_unknown => Operation::Send,
        Outbox::Sending => Operation::StoreSendUnknown,
        Outbox::Absent | Outbox::Sent | Outbox::Unknown => Operation::Acknowledge,
    }
}

/// The tool's effect, unless the tool knows its key.
fn run_tool(state: &mut State, inbound: Inbound, keyed: bool) {
    let facts = &mut state.facts;
    if keyed && std::mem::replace(&mut facts.tool_keys[inbound], true) {
        return;
    }
    facts.tool_runs[inbound] = 3.min(facts.tool_runs[inbound] + 1);
}

/// The reply becomes visible, unless the platform knows its key.
fn send(state: &mut State, inbound: Inbound, keyed: bool) {
    let facts = &mut state.facts;
    if keyed && std::mem::replace(&mut facts.send_keys[inbound], true) {
        return;
    }
    facts.sends[inbound] = 3.min(facts.sends[inbound] + 1);
    if let Some(free) = facts.replies.iter_mut().find(|reply| reply.is_none()) {
        *free = Some(inbound);
    }
}
