//! `message`: what an agent says and does in conversations beside its reply.
//!
//! The conversation of the turn is the caller's own. Any other place is the owner's to decide: each call is shown to them,
//! whole, unless the place is listed. A guest has no other place.

use async_trait::async_trait;
use chela_core::approval::escaped;
use chela_core::channel::{Poll, SendError};
use chela_core::message::ReplyAddress;
use chela_core::model::ToolSpec;
use chela_core::post::{Errand, Undone};
use chela_core::queue::Authority;
use chela_core::relay;
use chela_core::tool::{Caller, Consent, Effect, Tool, ToolAnswer, ToolCall};
use chela_core::turn::OUTCOME_UNKNOWN;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::arguments::arguments;

/// Longest text: what is longer is a file.
const TEXT_MAX: usize = 16 * 1024;

/// Longest of everything else that is written.
const WORD_MAX: usize = 512;

/// Most options of a poll, and the longest: what the narrowest platform takes.
const OPTIONS: usize = 10;
const OPTION_CHARS: usize = 55;

/// The tool, with the places that need nobody's consent.
pub(crate) struct Message {
    pub(crate) allow: Vec<ReplyAddress>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Action {
    Send,
    React,
    Edit,
    Delete,
    Poll,
    Pin,
    Unpin,
    Thread,
}

impl Action {
    /// What a guest may have done: nothing that takes from others what was said.
    fn is_for_guests(self) -> bool {
        matches!(self, Self::Send | Self::React | Self::Poll)
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Arguments {
    action: Action,
    #[serde(default)]
    channel: Option<String>,
    #[serde(default)]
    account: Option<String>,
    #[serde(default, alias = "target")]
    to: Option<String>,
    #[serde(default)]
    thread: Option<String>,
    #[serde(default, alias = "message")]
    text: String,
    #[serde(default)]
    file: Option<String>,
    #[serde(default)]
    message_id: Option<String>,
    #[serde(default)]
    reply_to: Option<String>,
    #[serde(default)]
    emoji: Option<String>,
    #[serde(default)]
    options: Vec<String>,
    #[serde(default)]
    multiple: bool,
}

/// A call that can be carried out.
struct Wanted {
    action: Action,
    to: ReplyAddress,
    /// It is the conversation of the turn.
    here: bool,
    /// The message it is about, where one is named.
    message: Option<String>,
    given: Arguments,
}

impl Wanted {
    /// Reads a call. What is refused here needs nobody's consent.
    fn read(input: &Value, caller: &Caller) -> Result<Self, String> {
        let given: Arguments = arguments(input)?;
        given.check()?;
        let own = caller.reply_to.as_ref().filter(|to| to.channel != relay::CHANNEL);
        let mut to = given.place(own)?;
        let here = own.is_some_and(|own| same(own, &to));
        if let (true, Some(own)) = (here, own) {
            // What else the channel keeps in the address is needed there.
            to = own.clone();
        }
        // Channels take it for granted that what is answered stands there, so no other call may name it.
        if given.action == Action::Send && given.reply_to.is_some() {
            to.message.clone_from(&given.reply_to);
        }
        Ok(Self { action: given.action, to, here, message: given.message_id.clone(), given })
    }

    /// What the channels are asked to do; `answered` is the message that the turn answers.
    fn errand(&self, answered: Option<String>) -> Result<Errand, String> {
        let Arguments { text, file, emoji, options, multiple, .. } = &self.given;
        let own = || answered.filter(|_| self.here);
        let named = self.message.clone();
        let needed = |message: Option<String>| message.ok_or_else(|| "Say which message, by messageId.".to_owned());
        Ok(match self.action {
            Action::Send => Errand::Say { text: text.clone(), file: file.clone() },
            Action::React => {
                let emoji = emoji.clone().ok_or_else(|| "Say which emoji.".to_owned())?;
                Errand::React { message: needed(named.or_else(own))?, emoji }
            }
            Action::Edit => Errand::Edit { message: needed(named)?, text: text.clone() },
            Action::Delete => Errand::Delete { message: needed(named)? },
            Action::Poll => Errand::Ask(Poll { question: text.clone(), options: options.clone(), multiple: *multiple }),
            Action::Pin | Action::Unpin => {
                Errand::Pin { message: needed(named.or_else(own))?, pinned: self.action == Action::Pin }
            }
            Action::Thread => Errand::Open { name: text.clone(), message: named },
        })
    }

    /// All that decides what happens, each on a line of its own.
    fn seen(&self) -> String {
        let Arguments { text, file, emoji, options, .. } = &self.given;
        let line = |name: &str, value: &str| format!("{name}: {}", escaped(value).replace('\n', "\\n"));
        let action = format!("{:?}", self.action).to_lowercase();
        let mut seen = vec![line("do", &action), line("to", &spoken(&self.to))];
        seen.extend(self.given.reply_to.as_deref().map(|message| line("in reply to", message)));
        seen.extend(self.message.as_deref().map(|message| line("message", message)));
        seen.extend(emoji.as_deref().map(|emoji| line("emoji", emoji)));
        seen.extend(file.as_deref().map(|file| line("file", file)));
        seen.extend(options.iter().map(|option| line("option", option)));
        // Each line is marked, so that no text can pass for one of ours.
        seen.extend(text.lines().map(|text| format!("| {}", escaped(text))));
        seen.join("\n")
    }
}

impl Arguments {
    fn check(&self) -> Result<(), String> {
        let words = [
            ("channel", &self.channel),
            ("account", &self.account),
            ("to", &self.to),
            ("thread", &self.thread),
            ("file", &self.file),
            ("messageId", &self.message_id),
            ("replyTo", &self.reply_to),
            ("emoji", &self.emoji),
        ];
        for (name, word) in words {
            let fits = |word: &String| {
                !word.trim().is_empty() && word.len() <= WORD_MAX && !word.chars().any(char::is_control)
            };
            if word.as_ref().is_some_and(|word| !fits(word)) {
                return Err(format!("{name} must be one line of 1 to {WORD_MAX} bytes; leave it out if it has none."));
            }
        }
        if self.text.len() > TEXT_MAX {
            return Err(format!("The text is longer than {TEXT_MAX} bytes. Write a file and send that."));
        }
        let empty = self.text.trim().is_empty();
        match self.action {
            Action::Send if empty && self.file.is_none() => Err("There is nothing to send: give text or file.".into()),
            Action::Edit | Action::Thread if empty => {
                Err("Give the new text, or the name of the thread, as text.".into())
            }
            Action::Poll => {
                let fits = |option: &String| {
                    let chars = option.chars().count();
                    (1..=OPTION_CHARS).contains(&chars) && !option.chars().any(char::is_control)
                };
                let right = (2..=OPTIONS).contains(&self.options.len()) && self.options.iter().all(fits) && !empty;
                let wrong = || {
                    format!(
                        "A poll has a question as text and 2 to {OPTIONS} options of 1 to {OPTION_CHARS} characters."
                    )
                };
                if right { Ok(()) } else { Err(wrong()) }
            }
            _ => Ok(()),
        }
    }

    /// The place that is meant: what is left out is as in the conversation of the turn.
    fn place(&self, own: Option<&ReplyAddress>) -> Result<ReplyAddress, String> {
        let Some(channel) = self.channel.clone().or_else(|| own.map(|own| own.channel.clone())) else {
            return Err("This turn answers no chat: say channel and to.".to_owned());
        };
        let own = own.filter(|own| own.channel == channel);
        let account = self.account.clone().or_else(|| own.map(|own| own.account.clone()));
        let account = account.unwrap_or_else(|| "default".to_owned());
        let own = own.filter(|own| own.account == account);
        let Some(to) = self.to.clone().or_else(|| own.map(|own| own.to.clone())) else {
            return Err("Say to whom: to is the chat, room or person as the channel names it.".to_owned());
        };
        let own = own.filter(|own| own.to == to);
        let thread = self.thread.clone().or_else(|| own.and_then(|own| own.thread.clone()));
        Ok(ReplyAddress { channel, account, to, thread, message: None })
    }
}

/// Whether two addresses are one place. A thread is a place of its own: on some channels it decides alone.
fn same(one: &ReplyAddress, other: &ReplyAddress) -> bool {
    let place = |it: &ReplyAddress| (it.channel.clone(), it.account.clone(), it.to.clone(), it.thread.clone());
    place(one) == place(other)
}

fn spoken(to: &ReplyAddress) -> String {
    let thread = to.thread.as_deref().map(|thread| format!(", thread {thread}")).unwrap_or_default();
    format!("{} {} ({}){thread}", to.channel, to.to, to.account)
}

#[async_trait]
impl Tool for Message {
    fn spec(&self) -> ToolSpec {
        let text = |description: &str| json!({ "type": "string", "description": description });
        ToolSpec {
            name: "message".into(),
            description: "Send a message or file beside your reply, react, edit, delete, poll, pin, or begin a thread, on any \
                          chat channel. Without channel and to it acts in this conversation. Anywhere else the owner is \
                          asked first. Do not use it for your reply itself."
                .into(),
            input_schema: json!({
                "type": "object",
                "properties": {
                    "action": {
                        "type": "string",
                        "enum": ["send", "react", "edit", "delete", "poll", "pin", "unpin", "thread"],
                    },
                    "channel": text("such as telegram; this conversation's if left out"),
                    "account": text("our account there"),
                    "to": text("chat, room or person, as the channel names it"),
                    "thread": text("thread in it"),
                    "text": text("the message, the poll's question, or the thread's name"),
                    "file": text("path of a file of the workspace to send"),
                    "messageId": text("the message to react to, edit, delete, pin or begin a thread under"),
                    "replyTo": text("id of the message this answers"),
                    "emoji": text("for react"),
                    "options": { "type": "array", "items": { "type": "string" }, "description": "of the poll" },
                    "multiple": { "type": "boolean", "description": "several may be chosen" },
                },
                "required": ["action"],
            }),
        }
    }

    /// A call that was begun is run again; what must not be done twice is told apart by [`ToolCall::again`].
    fn effect(&self) -> Effect {
        Effect::Keyed
    }

    fn on_demand(&self) -> bool {
        true
    }

    /// Everywhere but in the conversation of the turn. A guest is refused there without anybody being asked.
    fn consent(&self, input: &Value, caller: &Caller) -> Option<Consent> {
        let wanted = Wanted::read(input, caller).ok()?;
        let free = wanted.here || self.allow.iter().any(|place| same(place, &wanted.to));
        let asked = !free && caller.authority == Authority::Owner;
        // No list of programs lets words to people pass: only a person can agree.
        asked.then(|| Consent { shown: wanted.seen(), programs: None, beside: String::new() })
    }

    async fn run(&self, call: ToolCall<'_>) -> ToolAnswer {
        let wanted = match Wanted::read(call.input, call.caller) {
            Ok(wanted) => wanted,
            Err(error) => return ToolAnswer::error(error),
        };
        if call.caller.authority == Authority::Guest && !(wanted.here && wanted.action.is_for_guests()) {
            return ToolAnswer::error(
                "Whoever speaks here is not your owner: for them you may only send, react and poll in this conversation.",
            );
        }
        let errand = match wanted.errand(call.post.answered()) {
            Ok(errand) => errand,
            Err(error) => return ToolAnswer::error(error),
        };
        match call.post.run(&wanted.to, &errand, call.idempotency_key, call.again).await {
            Ok(ids) => ToolAnswer::ok(done(&errand, &wanted.to, &ids).to_string()),
            Err(undone) => ToolAnswer::error(failed(&undone, &call)),
        }
    }
}

/// What the model reads of what was done.
fn done(errand: &Errand, to: &ReplyAddress, ids: &[String]) -> Value {
    let place = spoken(to);
    match errand {
        Errand::Say { .. } | Errand::Ask(_) => json!({ "sent": true, "to": place, "messageIds": ids }),
        Errand::Open { .. } => json!({ "opened": true, "in": place, "thread": ids.first() }),
        Errand::Edit { message, .. }
        | Errand::React { message, .. }
        | Errand::Delete { message }
        | Errand::Pin { message, .. } => json!({ "done": true, "in": place, "messageId": message }),
    }
}

fn failed(undone: &Undone, call: &ToolCall<'_>) -> String {
    let Undone { ids, error } = undone;
    let what = match error {
        SendError::RateLimited { .. } => "It was not done; try again later.".to_owned(),
        SendError::NotSent { .. } => "It was not done; try again.".to_owned(),
        SendError::Unknown { .. } => OUTCOME_UNKNOWN.to_owned(),
        SendError::Refused { channel: "none", .. } => {
            let accounts = call.post.accounts();
            let names: Vec<String> =
                accounts.iter().map(|(channel, account)| format!("{channel} ({account})")).collect();
            format!("It was not done. There are: {}.", names.join(", "))
        }
        SendError::Refused { .. } => "It was not done, and will not be if tried again.".to_owned(),
    };
    let before = if ids.is_empty() {
        String::new()
    } else {
        format!(" Only its beginning was sent, as messages {}.", ids.join(", "))
    };
    format!("{error}. {what}{before}")
}

#[cfg(test)]
mod tests;
