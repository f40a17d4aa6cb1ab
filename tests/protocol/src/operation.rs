//! What an attempt does, one atomic operation at a time. A fault can come before each.

use crate::design::{Design, Protocol};
use crate::state::Inbound;

/// An operation of an attempt. The designs share them; which follows which, and what is written, is theirs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operation {
    /// Takes the lease, raises the epoch and stores the user's message unless it is there (journaled designs).
    Claim,
    /// Marks the handler as in progress, or finds it completed (handler idempotency).
    MarkInProgress,
    /// Appends the user's message.
    StoreUser,
    /// First model call. Its answer, which asks for the tool, is only in memory.
    AskForToolCall,
    /// Writes the model's answer that asks for the tool.
    StoreToolCall,
    /// Announces that the tool is about to run.
    StoreToolIntent,
    /// The effect in the world.
    RunTool,
    /// Writes what the tool returned.
    StoreToolResult,
    /// Writes "outcome unknown" as the result of a tool that was announced by an attempt that ended.
    StoreUnknownToolResult,
    /// Second model call. The reply is only in memory.
    AskForReply,
    /// Writes the reply, in journaled designs together with its place in the outbox.
    StoreReply,
    /// Announces that the reply is about to be sent.
    StoreSendIntent,
    /// The reply becomes visible.
    Send,
    /// Writes that the reply was sent.
    StoreSent,
    /// Gives up on a reply announced by an attempt that ended, and flags it.
    StoreSendUnknown,
    /// Writes message, tool call, result and reply at once (save at the end).
    SaveTurn,
    /// Marks the handler as completed (handler idempotency).
    MarkCompleted,
    /// Returns success: the queue deletes the message, if it is still this attempt's.
    Acknowledge,
}

impl Operation {
    /// What a fresh delivery starts with.
    pub(crate) fn first(design: &Design) -> Operation {
        match design.protocol {
            Protocol::SaveAtTheEnd => Operation::AskForToolCall,
            Protocol::AppendAsYouGo => Operation::StoreUser,
            Protocol::HandlerIdempotency => Operation::MarkInProgress,
            Protocol::Journaled(_) => Operation::Claim,
        }
    }

    /// Whether the table refuses it from an attempt that is not the latest to have claimed. The claim itself is not such
    /// a write, and no fence reaches the world.
    pub(crate) fn is_fenced(self) -> bool {
        matches!(
            self,
            Operation::StoreToolCall
                | Operation::StoreToolIntent
                | Operation::StoreToolResult
                | Operation::StoreUnknownToolResult
                | Operation::StoreReply
                | Operation::StoreSendIntent
                | Operation::StoreSent
                | Operation::StoreSendUnknown
        )
    }

    /// Whether it announces an effect or gives one up, which only the owner of the lease may do.
    pub(crate) fn needs_lease(self) -> bool {
        matches!(
            self,
            Operation::StoreToolIntent
                | Operation::StoreUnknownToolResult
                | Operation::StoreSendIntent
                | Operation::StoreSendUnknown
        )
    }

    /// Whether it waits for someone outside, with a deadline earlier than the end of the lease.
    pub(crate) fn has_an_effect(self) -> bool {
        matches!(self, Operation::RunTool | Operation::Send)
    }

    /// Its verb, as in "it can write".
    pub(crate) fn verb(self) -> &'static str {
        match self {
            Operation::Claim => "claim",
            Operation::MarkInProgress | Operation::MarkCompleted => "mark",
            Operation::AskForToolCall | Operation::AskForReply => "ask",
            Operation::RunTool => "run",
            Operation::Send => "send",
            Operation::SaveTurn => "save",
            Operation::Acknowledge => "acknowledge",
            Operation::StoreUser
            | Operation::StoreToolCall
            | Operation::StoreToolIntent
            | Operation::StoreToolResult
            | Operation::StoreUnknownToolResult
            | Operation::StoreReply
            | Operation::StoreSendIntent
            | Operation::StoreSent
            | Operation::StoreSendUnknown => "write",
        }
    }

    /// What follows its verb.
    pub(crate) fn object(self, inbound: Inbound) -> String {
        match self {
            Operation::Claim => format!("the session to work on {inbound}"),
            Operation::MarkInProgress => format!("{inbound} as in progress"),
            Operation::StoreUser => format!("{inbound} into the transcript"),
            Operation::AskForToolCall => format!("the model about {inbound}"),
            Operation::StoreToolCall => format!("the model's tool call for {inbound}"),
            Operation::StoreToolIntent => format!("the tool intent for {inbound}"),
            Operation::RunTool => format!("the tool for {inbound}"),
            Operation::StoreToolResult => format!("the tool's result for {inbound}"),
            Operation::StoreUnknownToolResult => format!("\"outcome unknown\" as the tool's result for {inbound}"),
            Operation::AskForReply => format!("the model for the reply to {inbound}"),
            Operation::StoreReply => format!("the reply to {inbound}"),
            Operation::StoreSendIntent => format!("the send intent for {inbound}"),
            Operation::Send => format!("the reply to {inbound}"),
            Operation::StoreSent => format!("that the reply to {inbound} was sent"),
            Operation::StoreSendUnknown => format!("that nobody knows whether the reply to {inbound} was sent"),
            Operation::SaveTurn => format!("the whole turn of {inbound}"),
            Operation::MarkCompleted => format!("{inbound} as completed"),
            Operation::Acknowledge => inbound.to_string(),
        }
    }
}
