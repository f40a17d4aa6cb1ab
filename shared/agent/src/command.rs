//! What is answered without a model: strangers ([`pairing`]), and the commands of [`chela_core::command::TABLE`], by group.
//!
//! Every command passes the same three questions before it does anything: may this sender use it here, is it turned on,
//! is it written as it should be. What it changes of the conversation travels in its [`Reply`] and is stored with it;
//! everything else it does may be done twice, because a turn that dies is answered again.

mod approvals;
mod choices;
mod context;
mod conversation;
mod export;
mod help;
mod memory;
mod money;
mod others;
mod pairing;
mod room;
mod status;

pub use export::export_name;

use chela_core::command::{Name, Spec, Spoken, Who, directed, for_model, heard, own_chat, thinking};
use chela_core::message::Inbound;
use chela_core::queue::{Authority, Standing, Task};
use chela_core::session::{Choices, StoreError};
use chela_core::turn::{Reply, Way};

use crate::answer::{Agent, Attempt};

/// A command on its way.
struct Asked<'a> {
    attempt: &'a Attempt<'a>,
    inbound: &'a Inbound,
    spoken: Spoken<'a>,
    authority: Authority,
}

impl Attempt<'_> {
    /// The command that the message begins with.
    fn spoken(&self) -> Option<(&Inbound, Spoken<'_>)> {
        let Some(Task::Message { inbound, .. }) = self.task() else { return None };
        Some((inbound, heard(inbound, self.installation.commands.typed)?))
    }

    /// What is chosen for this turn: what is chosen for its conversation, but for what stands before the message's words.
    pub(crate) fn choices(&self) -> Choices {
        let mut choices = self.machine.head().choices.clone();
        let Some(directed) = self.spoken().and_then(|(inbound, _)| directed(&inbound.text)) else { return choices };
        if let Some(model) = directed.model.and_then(|word| choices::model(&self.settings.models, word)) {
            choices.model = model;
        }
        if let Some(level) = directed.thinking.and_then(thinking) {
            choices.thinking = level;
        }
        choices
    }

    /// Takes what is not for the model away from the message.
    pub(crate) fn reword(&mut self) {
        if let Some(words) = self.spoken().and_then(|(inbound, _)| for_model(&inbound.text)) {
            self.machine.reword(&words);
        }
    }
}

impl Agent {
    /// The answer to a stranger or a command; `None` if the model is to answer.
    pub(crate) async fn consult(&self, attempt: &Attempt<'_>) -> Result<Option<Reply>, StoreError> {
        if let Some(Task::Approval { id, .. }) = attempt.task() {
            return self.put_to_owner(attempt, id).await.map(Some);
        }
        let Some(Task::Message { inbound, standing, .. }) = attempt.task() else { return Ok(None) };
        if *standing == Standing::IfPaired
            && let Some(reply) = self.pair(attempt, inbound).await?
        {
            return Ok(Some(reply));
        }
        let Some((inbound, spoken)) = attempt.spoken() else { return Ok(None) };
        let asked = Asked { attempt, inbound, spoken, authority: attempt.caller().authority };
        let reply = match asked.refusal() {
            Some(refusal) => {
                if [Name::Approve, Name::Deny].contains(&asked.spoken.spec.name)
                    && let Some(request) = self.request_meant(&asked).await?
                {
                    self.record_refused(&asked, &request).await?;
                }
                Some(say(refusal))
            }
            None => self.obey(&asked).await?,
        };
        Ok(reply.map(|reply| fitted(attempt, reply)))
    }

    async fn obey(&self, asked: &Asked<'_>) -> Result<Option<Reply>, StoreError> {
        if let Some(directed) = directed(&asked.inbound.text) {
            return Ok(directed.model.and_then(|word| choices::unknown(asked, word)));
        }
        if !asked.spoken.fits() {
            return Ok(Some(usage(asked.spoken.spec)));
        }
        Ok(Some(match asked.spoken.spec.name {
            // The model is asked for it, in other words; or the conversation is summed up where it is put together.
            Name::Skill if !asked.spoken.rest.is_empty() => return Ok(None),
            Name::Compact => return Ok(None),
            Name::Skill => usage(asked.spoken.spec),
            Name::New => conversation::new(asked),
            // OpenClaw's `/reset soft` keeps what was said; nobody who asks for that shall lose it.
            Name::Reset if !asked.spoken.rest.is_empty() => usage(asked.spoken.spec),
            Name::Reset => conversation::reset(),
            Name::Stop => say("Stopped."),
            Name::Export => self.export(asked).await?,
            Name::Name => self.name(asked).await?,
            Name::Status => say(self.status_text(asked).await),
            Name::Help => say(help::help(asked)),
            Name::Commands => say(help::commands(asked)),
            Name::Whoami => say(help::whoami(asked)),
            Name::Context => say(context::told(asked)),
            Name::Usage => self.usage(asked).await,
            Name::Model => choices::choose_model(asked),
            Name::Models => say(choices::list(asked, asked.spoken.rest)),
            Name::Think => choices::think(asked),
            Name::Verbose => choices::verbose(asked),
            Name::Memory => self.memory(asked).await,
            Name::Agents => say(others::agents(asked)),
            Name::Subagents => self.subagents(asked).await?,
            Name::Approve => self.approve(asked).await?,
            Name::Deny => self.deny(asked).await?,
            Name::Approvals => self.approvals(asked).await?,
            Name::Activation => self.activation(asked).await?,
            Name::Queue => self.queue_mode(asked).await?,
        }))
    }
}

impl Asked<'_> {
    /// Whether the sender may use a command.
    fn allows(&self, spec: &Spec) -> bool {
        spec.allows(self.authority, own_chat(self.inbound, self.attempt.machine.session()))
    }

    fn is_disabled(&self, spec: &Spec) -> bool {
        let disabled = &self.attempt.installation.commands.disabled;
        disabled.iter().any(|word| chela_core::command::named(word).is_some_and(|other| other.name == spec.name))
    }

    /// Why nothing is done.
    fn refusal(&self) -> Option<String> {
        let spec = self.spoken.spec;
        if !self.allows(spec) {
            let why = match spec.who {
                Who::InOwnChat => "others have a part in this conversation",
                Who::Everybody | Who::Owner => "it changes or shows how I work, what I know or what I cost",
            };
            return Some(format!(
                "`/{}` is for my owner here: {why}. Nothing was done. The owner can do it for you, or make you an owner \
                 by the id that `/whoami` shows.",
                spec.word
            ));
        }
        self.is_disabled(spec).then(|| format!("`/{}` is turned off here.", spec.word))
    }

    /// The conversation's choices with one of them changed.
    fn chosen(&self, change: impl FnOnce(&mut Choices)) -> Option<Choices> {
        let mut choices = self.attempt.machine.head().choices.clone();
        change(&mut choices);
        Some(choices)
    }
}

fn say(text: impl Into<String>) -> Reply {
    Reply { parts: vec![text.into()], ..Reply::default() }
}

/// What somebody stored, as a quotation: nothing in it is taken for a file to send or for buttons.
fn quoted(text: &str) -> String {
    text.trim().lines().map(|line| format!("> {line}\n")).collect::<String>().replace("[[", "[ [").trim_end().to_owned()
}

/// How a command is written.
fn usage(spec: &Spec) -> Reply {
    say(format!("{}. Write it as `{}`.", spec.does, spec.usage()))
}

/// The reply cut to what the channel takes.
fn fitted(attempt: &Attempt<'_>, reply: Reply) -> Reply {
    let Way::To { address, .. } = attempt.machine.way() else { return reply };
    let Some(outlet) = attempt.installation.outlet(address) else { return reply };
    let parts = reply.parts.iter().flat_map(|part| outlet.parts(address, part)).collect();
    Reply { parts, ..reply }
}
