//! The table.

use super::{Group, Name, Spec, Who};

const OF: Spec = Spec {
    name: Name::Help,
    word: "",
    aliases: &[],
    arguments: "",
    words: &[],
    does: "",
    who: Who::Owner,
    group: Group::Conversation,
};

/// Every command, the most used of each group first.
pub const TABLE: &[Spec] = &[
    Spec {
        name: Name::New,
        word: "new",
        arguments: "[model]",
        does: "Begin a new conversation; what was chosen stays",
        who: Who::InOwnChat,
        ..OF
    },
    Spec {
        name: Name::Reset,
        word: "reset",
        does: "Begin a new conversation and forget what was chosen",
        who: Who::InOwnChat,
        ..OF
    },
    Spec { name: Name::Stop, word: "stop", does: "End what I am doing at its next step", who: Who::InOwnChat, ..OF },
    Spec {
        name: Name::Compact,
        word: "compact",
        arguments: "[instructions]",
        does: "Sum up what was said, so that there is room again",
        ..OF
    },
    Spec {
        name: Name::Name,
        word: "name",
        arguments: "[title]",
        does: "Give this conversation a name, or show the one it has",
        who: Who::InOwnChat,
        ..OF
    },
    Spec {
        name: Name::Export,
        word: "export",
        arguments: "[md|html|jsonl]",
        words: &["md", "markdown", "html", "jsonl"],
        does: "Send this conversation as a file",
        ..OF
    },
    Spec {
        name: Name::Status,
        word: "status",
        does: "Who answers here, with which model, at which cost",
        who: Who::Everybody,
        group: Group::Information,
        ..OF
    },
    Spec {
        name: Name::Help,
        word: "help",
        does: "What I understand",
        who: Who::Everybody,
        group: Group::Information,
        ..OF
    },
    Spec {
        name: Name::Commands,
        word: "commands",
        does: "Every command with what may follow it",
        who: Who::Everybody,
        group: Group::Information,
        ..OF
    },
    Spec {
        name: Name::Whoami,
        word: "whoami",
        aliases: &["id"],
        does: "Your id on this platform, and what you may do",
        who: Who::Everybody,
        group: Group::Information,
        ..OF
    },
    Spec {
        name: Name::Context,
        word: "context",
        arguments: "[list|detail|json]",
        words: &["list", "detail", "json"],
        does: "What the model reads, and how long it is",
        group: Group::Information,
        ..OF
    },
    Spec {
        name: Name::Usage,
        word: "usage",
        arguments: "[off|tokens|full|reset|cost]",
        words: &["off", "tokens", "full", "reset", "default", "cost"],
        does: "What today cost; what is told of it under answers",
        group: Group::Information,
        ..OF
    },
    Spec {
        name: Name::Model,
        word: "model",
        arguments: "[name|number|default|list|status]",
        does: "Show or choose the model of this conversation",
        group: Group::Model,
        ..OF
    },
    Spec {
        name: Name::Think,
        word: "think",
        aliases: &["thinking", "t"],
        arguments: "[off|minimal|low|medium|high|xhigh|default]",
        words: &["off", "minimal", "low", "medium", "high", "xhigh", "max", "default"],
        does: "Show or choose how hard the model thinks",
        group: Group::Model,
        ..OF
    },
    Spec {
        name: Name::Memory,
        word: "memory",
        arguments: "search <words> | show [file] | save <text>",
        words: &["search", "show", "save"],
        does: "Search, show or add to my notes",
        group: Group::Work,
        ..OF
    },
    Spec {
        name: Name::Skill,
        word: "skill",
        arguments: "<name> [input]",
        does: "Have a skill used",
        group: Group::Work,
        ..OF
    },
    Spec {
        name: Name::Subagents,
        word: "subagents",
        arguments: "[list | info <number> | log <number> | stop <number>]",
        words: &["list", "info", "log", "stop"],
        does: "What I gave to sub-agents, and how far they are",
        group: Group::Work,
        ..OF
    },
    Spec {
        name: Name::Activation,
        word: "activation",
        arguments: "[mention|always]",
        words: &["mention", "always"],
        does: "In a room: answer everything, or only when addressed",
        group: Group::Room,
        ..OF
    },
    Spec {
        name: Name::Queue,
        word: "queue",
        arguments: "[collect|followup|steer|interrupt|default]",
        words: &["collect", "followup", "steer", "interrupt", "default"],
        does: "What becomes of messages that come while I am busy",
        group: Group::Room,
        ..OF
    },
    Spec {
        name: Name::Approve,
        word: "approve",
        arguments: "<id> [once|always|deny]",
        does: "Decide about something that waits for your approval",
        group: Group::Work,
        ..OF
    },
    Spec {
        name: Name::Approvals,
        word: "approvals",
        arguments: "[list | forget <id>]",
        words: &["list", "forget"],
        does: "What waits for your approval, and what is allowed for ever",
        group: Group::Work,
        ..OF
    },
    Spec {
        name: Name::Deny,
        word: "deny",
        arguments: "<id>",
        does: "Refuse something that waits for your approval",
        group: Group::Work,
        ..OF
    },
    Spec {
        name: Name::Models,
        word: "models",
        arguments: "[provider]",
        does: "The models I may ask",
        group: Group::Model,
        ..OF
    },
    Spec {
        name: Name::Verbose,
        word: "verbose",
        aliases: &["v"],
        arguments: "[on|off|full|default]",
        words: &["on", "off", "full", "default"],
        does: "Whether I tell which tools I use",
        group: Group::Model,
        ..OF
    },
    Spec { name: Name::Agents, word: "agents", does: "Which agents there are", group: Group::Work, ..OF },
];
