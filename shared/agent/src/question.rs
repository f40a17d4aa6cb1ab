//! What models are asked for one step, one after the other until one answers.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use chela_core::agent_id::AgentId;
use chela_core::blob::BlobStore;
use chela_core::clock::{Clock, Millis};
use chela_core::message::ReplyAddress;
use chela_core::model::{Block, ModelAnswer, ModelError, ModelRequest, Stop, Usage};
use chela_core::queue::{Authority, Task};
use chela_core::session::{AssistantEntry, Choices};
use chela_core::session_key::PeerKind;
use chela_core::turn::{Answer, COMMAND, Input, Spent, Unanswered, Way, tokens};
use sha2::{Digest, Sha256};

use crate::answer::{Agent, Attempt};
use crate::blocks::{rest, said, unshown, without_notes, without_private_files, without_thoughts};
use crate::compact::{Compactor, Hindrance, When, on_demand, told_to_user};
use crate::context::{Context, Form};
use crate::draft::Draft;
use crate::failover::{Failover, Heard, Unheard};
use crate::media::files_for;
use crate::offer::Offer;
use crate::outlook::{Occasion, Outlook};
use crate::purse::Notices;
use crate::relay::{is_relay, report};
use crate::repeats::stuck;
use crate::settings::{AgentSettings, ModelChoice, Outlet};
use crate::spend::{SpendRules, footer};
use crate::voice::opened;

/// Longest wait for one model call.
const MODEL_TIMEOUT: Duration = Duration::from_secs(75);

/// A call that has less time than this would only fail, and its credential would be blamed for it.
const LEAST_MS: u64 = 5_000;

/// Rests that one attempt waits for; then it ends, and the queue waits.
const MOST_WAITS: u16 = 2;

/// Models that may call the same request wrong; then it is.
const MOST_REJECTIONS: u16 = 2;

/// Characters of an answer; the rest is cut, and the reader is told.
const MOST_CHARS: usize = 100_000;

/// What is said for a model that only calls tools when it has none left.
const NO_END: &str = "I have stopped here: I kept calling tools without coming to an answer. Please ask again, perhaps in \
                      smaller steps.";

/// One step's question.
pub(crate) struct Question<'a> {
    agent: &'a AgentId,
    settings: &'a AgentSettings,
    rules: &'a SpendRules,
    failover: Failover<'a>,
    /// The prompt for those whose words are in the turn.
    system: &'a str,
    /// What sends the answer, and where to.
    outlet: Option<(&'a Outlet, ReplyAddress)>,
    heartbeat: bool,
    /// A guest's words are in the turn: what only the owner may read is not sent.
    for_guests: bool,
    /// Others than the owner read the answer.
    in_a_room: bool,
    /// Only the owner reads the answer.
    private: bool,
    accepted_at: Option<Millis>,
    /// What was chosen for the conversation.
    choices: Choices,
    /// The same, with what was chosen for this turn alone.
    chosen: Choices,
    /// What was answered before in this turn.
    answers: Vec<AssistantEntry>,
    /// What the answer begins with.
    opening: Option<&'a str>,
    context: Context,
    compactor: Compactor<'a>,
    /// The user wants the past summed up and nothing else, perhaps with instructions.
    on_demand: Option<String>,
    first_step: bool,
    tools: Offer,
    deadline: Millis,
    /// Model calls of the steps before.
    before: Vec<(String, Usage)>,
    notices: Notices,
    /// The conversation, as providers are told of it.
    conversation: String,
}

impl<'a> Question<'a> {
    pub(crate) fn of(agent: &'a Agent, attempt: &Attempt<'a>, step: u16) -> Self {
        let machine = &attempt.machine;
        let asked = machine.turn().answers().filter(|answer| !answer.is_block()).count();
        let last = asked.saturating_add(1) >= usize::from(attempt.settings.max_steps) || stuck(&machine.turn().entries);
        let tools = if last { Offer::default() } else { Offer::of(attempt) };
        let system = attempt.settings.system_for(attempt.caller().authority);
        let base = tokens(system).saturating_add(tools.tokens());
        let outlet = match machine.way() {
            Way::To { address, .. } => attempt.outlet(address).map(|outlet| (outlet, address.clone())),
            Way::Collected | Way::Gone { .. } => None,
        };
        Self {
            agent: attempt.agent,
            settings: attempt.settings,
            rules: &attempt.installation.spend,
            failover: Failover::of(agent, attempt),
            system,
            outlet,
            heartbeat: matches!(attempt.task(), Some(Task::Heartbeat { .. })),
            for_guests: attempt.caller().authority == Authority::Guest,
            in_a_room: in_a_room(attempt.task()),
            private: attempt.private(),
            accepted_at: machine.accepted().map(|accepted| accepted.at),
            choices: machine.head().choices.clone(),
            chosen: attempt.choices(),
            answers: machine.turn().answers().cloned().collect(),
            context: Context::of(attempt, base),
            compactor: Compactor::of(agent, attempt),
            on_demand: on_demand(attempt),
            first_step: step == 0,
            opening: attempt.settings.voice.opening(attempt.task()),
            tools,
            deadline: machine.deadline(),
            before: machine
                .turn()
                .answers()
                .filter(|answer| !answer.is_block())
                .map(|answer| (answer.model.clone(), answer.usage))
                .collect(),
            notices: attempt.notices.clone(),
            conversation: conversation(attempt),
        }
    }

    /// Asks until a model answers.
    pub(crate) async fn put(mut self, clock: &dyn Clock, files: &dyn BlobStore, draft: &Draft) -> Input {
        let (mut spent, mut waits) = (Spent::default(), 0u16);
        loop {
            let outlook = match self.ask_all(clock, files, draft, &mut spent).await {
                Ok(input) => return input,
                Err(outlook) => outlook,
            };
            let now = self.failover.now();
            let latest = Millis(self.deadline.0.saturating_sub(LEAST_MS));
            match outlook.worth_waiting(now, latest).filter(|_| waits < MOST_WAITS) {
                Some(until) => self.failover.wait(until).await,
                None => return self.unanswered(outlook, now, spent),
            }
            waits = waits.saturating_add(1);
        }
    }

    /// Asks each model in turn.
    async fn ask_all(
        &mut self,
        clock: &dyn Clock,
        files: &dyn BlobStore,
        draft: &Draft,
        spent: &mut Spent,
    ) -> Result<Input, Outlook> {
        let mut outlook = Outlook::default();
        let mut rejections = 0u16;
        for choice in self.in_order() {
            match self.make_room(choice, false, spent).await {
                Ok(None) => {}
                Ok(Some(input)) => return Ok(input),
                Err(unheard) => {
                    outlook.add(unheard);
                    continue;
                }
            }
            let limit = self.context.budget(choice).limit;
            let (mut budget, mut form, mut silent) = (limit, Form::Whole, false);
            let unheard = loop {
                if self.deadline.since(clock.now()) < LEAST_MS {
                    outlook.late = true;
                    return Err(outlook);
                }
                let mut request = self.request(choice, budget, form, clock.now());
                request.files = files_for(files, self.agent, choice.sees, &mut request.messages).await;
                let unheard = match self.failover.ask(choice, &request, draft).await {
                    Ok(heard) => {
                        let answer = &heard.answer;
                        spent.calls = spent.calls.saturating_add(heard.calls);
                        spent.add(&answer.usage);
                        if says_something(answer) || self.heartbeat && silent {
                            return Ok(self.answered(choice, heard, *spent, form, &draft.finish()));
                        }
                        if silent || answer.stop == Stop::Refusal {
                            return Ok(Input::Unanswered(nothing_said(answer.stop, *spent)));
                        }
                        silent = true;
                        continue;
                    }
                    Err(unheard) => unheard,
                };
                spent.calls = spent.calls.saturating_add(unheard.calls);
                if !draft.sent().is_empty() {
                    return Ok(Input::Unanswered(broken_off(&unheard, *spent)));
                }
                match &unheard.failure {
                    // The past in short; if it is short already, half of it once.
                    Some(ModelError::TooLong { .. }) if budget == limit => {
                        let compacted = self.context.compacted();
                        match self.make_room(choice, true, spent).await {
                            Ok(Some(input)) => return Ok(input),
                            Ok(None) if self.context.compacted() != compacted => {}
                            Ok(None) | Err(_) => budget /= 2,
                        }
                    }
                    Some(error) => match self.context.simpler(form, error) {
                        Some(simpler) => form = simpler,
                        None => break unheard,
                    },
                    None => break unheard,
                }
            };
            if matches!(unheard.failure, Some(ModelError::Rejected { .. })) {
                rejections = rejections.saturating_add(1);
            }
            outlook.add(unheard);
            if outlook.halted() || rejections >= MOST_REJECTIONS {
                break;
            }
        }
        Err(outlook)
    }

    /// Sums up the past where it is time for that, and answers if the turn ends with it or cannot go on now. An error is
    /// the model's.
    async fn make_room(
        &mut self,
        choice: &ModelChoice,
        refused: bool,
        spent: &mut Spent,
    ) -> Result<Option<Input>, Unheard> {
        let when = match &self.on_demand {
            Some(wishes) => When::Asked(wishes),
            None if refused => When::Refused,
            None => When::Crowded { first_step: self.first_step },
        };
        let lost = Mutex::new(None);
        let failover = &self.failover;
        let ask = |request: ModelRequest| {
            let lost = &lost;
            async move {
                match failover.ask(choice, &request, &Draft::default()).await {
                    Ok(heard) => Ok(heard.answer),
                    Err(mut unheard) => {
                        let none = || ModelError::Unavailable {
                            provider: choice.provider().to_owned(),
                            reason: "none of its credentials may be asked now".to_owned(),
                        };
                        let error = unheard.failure.take().unwrap_or_else(none);
                        *lost.lock().unwrap_or_else(PoisonError::into_inner) = Some(unheard);
                        Err(error)
                    }
                }
            }
        };
        let made = self.compactor.make_room(&mut self.context, choice, when, spent, ask).await;
        match made {
            Ok(compacted) if self.on_demand.is_some() => Ok(Some(self.concluded(told_to_user(compacted), *spent))),
            Ok(_) => Ok(None),
            Err(Hindrance::Model(error)) => {
                let unheard = lost.into_inner().unwrap_or_else(PoisonError::into_inner).unwrap_or_default();
                let failure = unheard.stopped.is_none().then_some(error);
                Err(Unheard { failure, ..unheard })
            }
            Err(Hindrance::Store(error)) => Ok(Some(Input::Failed(error))),
            Err(Hindrance::NoTime) => Ok(Some(Input::Unanswered(Unanswered {
                again_after_s: Some(0),
                reason: "the rest of the slice is too short to sum up the past".to_owned(),
                apology: String::new(),
                spent: *spent,
                parked: true,
            }))),
        }
    }

    /// The end of a turn with words no model gave.
    fn concluded(&self, text: String, spent: Spent) -> Input {
        let outbox = match &self.outlet {
            Some((outlet, to)) => outlet.parts(to, &text),
            None => vec![text.clone()],
        };
        let entry = AssistantEntry {
            blocks: vec![Block::Text { text }],
            model: COMMAND.to_owned(),
            outbox: Some(outbox),
            compacted: self.context.compacted(),
            ..AssistantEntry::default()
        };
        Input::Answered(Box::new(Answer { entry, spent, plain: false }))
    }

    /// The conversation's own model first, then the configured ones.
    fn in_order(&self) -> impl Iterator<Item = &'a ModelChoice> + use<'a> {
        let chosen = self.chosen.model.as_deref();
        let chosen = self.settings.all_models().find(|choice| Some(choice.name.as_str()) == chosen);
        let others = self.settings.models.iter().filter(move |choice| chosen.is_none_or(|it| it.name != choice.name));
        chosen.into_iter().chain(others)
    }

    fn request(&self, choice: &ModelChoice, budget: u64, form: Form, now: Millis) -> ModelRequest {
        ModelRequest {
            model: choice.id.clone(),
            system: self.system.to_owned(),
            messages: self.context.messages(choice, budget, form),
            tools: self.tools.to(choice).to_vec(),
            thinking: self.chosen.thinking.unwrap_or(self.settings.thinking),
            files: BTreeMap::new(),
            conversation: self.conversation.clone(),
            max_tokens: choice.max_tokens,
            timeout: MODEL_TIMEOUT.min(Duration::from_millis(self.deadline.since(now))),
        }
    }

    fn answered(&self, choice: &ModelChoice, heard: Heard, spent: Spent, form: Form, sent: &str) -> Input {
        let Heard { answer: ModelAnswer { mut blocks, usage, .. }, profile, .. } = heard;
        let plain = form == Form::PlainPast;
        let wants_tools = |blocks: &[Block]| blocks.iter().any(|block| matches!(block, Block::ToolUse { .. }));
        if self.tools.to(choice).is_empty() && wants_tools(&blocks) {
            blocks.retain(|block| !matches!(block, Block::ToolUse { .. }));
            if !blocks.iter().any(is_words) {
                blocks.push(Block::Text { text: NO_END.to_owned() });
            }
        }
        cut(&mut blocks);
        let calls = self.before.iter().map(|(model, usage)| (model.as_str(), usage));
        let calls = calls.chain([(choice.name.as_str(), &usage)]);
        let footer = footer(self.choices.usage, self.settings, &choice.name, calls);
        let (interim, outbox) = self.parts(&blocks, wants_tools(&blocks), footer, sent);
        // With a single credential there is nothing to remember.
        let moved = choice.profiles.len() > 1 && self.choices.profile.as_ref() != Some(&profile);
        let choices = moved.then(|| Box::new(Choices { profile: Some(profile), ..self.choices.clone() }));
        let entry = AssistantEntry {
            user: vec![],
            blocks: without_thoughts(blocks),
            model: choice.name.clone(),
            usage,
            interim,
            outbox,
            forget: false,
            plain,
            summary: if form == Form::Segment { self.context.words() } else { None },
            compacted: self.context.compacted().filter(|_| form != Form::Segment),
            choices,
        };
        Input::Answered(Box::new(Answer { entry, spent, plain }))
    }

    /// What is sent of an answer: on the way if tools are to run, else as the end of the turn, with what its reader is to
    /// know beside it. Cut to what the channel takes; empty if the model chose silence, or if all of it was sent.
    fn parts(
        &self,
        blocks: &[Block],
        tools: bool,
        footer: Option<String>,
        sent: &str,
    ) -> (Vec<String>, Option<Vec<String>>) {
        let least = self.outlet.as_ref().and_then(|(outlet, _)| outlet.blocks).map(|blocks| blocks.least);
        let begun = !sent.is_empty() || self.answers.last().is_some_and(AssistantEntry::is_block);
        let mut text = match least {
            _ if begun => rest(&said(blocks, self.heartbeat), sent).to_owned(),
            Some(_) => unshown(self.answers.iter(), blocks, self.heartbeat),
            None => said(blocks, self.heartbeat),
        };
        if self.for_guests {
            text = without_private_files(&text);
        } else if self.in_a_room {
            text = without_notes(&text);
        }
        let cut = |text: &str| match &self.outlet {
            _ if text.is_empty() => Vec::new(),
            Some((outlet, to)) => outlet.parts(to, text),
            None => vec![text.to_owned()],
        };
        if tools {
            let to_person = !self.outlet.as_ref().is_some_and(|(_, to)| is_relay(to));
            let enough = to_person && (begun || least.is_some_and(|least| text.chars().count() >= least));
            return (if enough { cut(&text) } else { Vec::new() }, None);
        }
        if self.outlet.as_ref().is_some_and(|(_, to)| is_relay(to)) {
            return (Vec::new(), Some(report(Some(text).filter(|text| !text.is_empty()))));
        }
        if !text.is_empty() || !sent.is_empty() {
            text = opened(self.opening.filter(|_| !begun), text);
            let notices = std::mem::take(&mut *self.notices.lock().unwrap_or_else(PoisonError::into_inner));
            for line in notices.into_iter().chain(footer) {
                text.push_str(if text.is_empty() { "" } else { "\n\n" });
                text.push_str(&line);
            }
        }
        (Vec::new(), Some(cut(&text)))
    }

    fn unanswered(&self, outlook: Outlook, now: Millis, spent: Spent) -> Input {
        if self.heartbeat && outlook.out_of_money() {
            // Nobody asked, and the next heartbeat would say so again.
            let entry = AssistantEntry { model: COMMAND.to_owned(), outbox: Some(vec![]), ..AssistantEntry::default() };
            return Input::Answered(Box::new(Answer { entry, spent, plain: false }));
        }
        let accepted_at = self.accepted_at.unwrap_or(now);
        let occasion = Occasion { rules: self.rules, private: self.private, accepted_at, now };
        Input::Unanswered(outlook.unanswered(&occasion, spent))
    }
}

/// A name for the conversation since it began anew: the same in every turn, different for every other, and it does not
/// tell whose it is.
fn conversation(attempt: &Attempt<'_>) -> String {
    let (tenant, machine) = (&attempt.installation.spend.tenant, &attempt.machine);
    let (session, forgotten) = (machine.session().as_str(), machine.head().forgotten);
    let digest = Sha256::digest(format!("conversation\0{tenant}\0{session}\0{forgotten}"));
    digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

fn in_a_room(task: Option<&Task>) -> bool {
    matches!(task, Some(Task::Message { inbound, .. }) if inbound.peer.kind != PeerKind::Direct)
}

fn is_words(block: &Block) -> bool {
    matches!(block, Block::Text { text } if !text.trim().is_empty())
}

fn says_something(answer: &ModelAnswer) -> bool {
    answer.blocks.iter().any(|block| is_words(block) || matches!(block, Block::ToolUse { .. }))
}

/// A model broke off after some of its answer was sent: another attempt asks for the rest.
fn broken_off(unheard: &Unheard, spent: Spent) -> Unanswered {
    let failure = unheard.failure.as_ref().map_or_else(|| "it was stopped".to_owned(), ToString::to_string);
    Unanswered {
        again_after_s: Some(0),
        reason: format!("the model broke off within its answer: {failure}"),
        apology: "My model broke off here and could not be reached again. Please ask me to go on.".to_owned(),
        spent,
        parked: false,
    }
}

/// No model answers with nothing twice and with something the third time.
fn nothing_said(stop: Stop, spent: Spent) -> Unanswered {
    let (reason, apology) = match stop {
        Stop::Refusal => ("the model refuses", "My model refuses to answer this. Please ask in other words."),
        Stop::MaxTokens => (
            "the model used up its tokens without a word",
            "My model thought until its tokens were used up and said nothing. Please ask for less at once, or choose a \
             lower thinking level.",
        ),
        Stop::End | Stop::ToolUse => (
            "the model said nothing, twice",
            "My model answered with nothing at all, twice. Please ask again, perhaps in other words.",
        ),
    };
    Unanswered { again_after_s: None, reason: reason.to_owned(), apology: apology.to_owned(), spent, parked: false }
}

/// Cuts what no reader would read and no row would hold.
fn cut(blocks: &mut [Block]) {
    let mut left = MOST_CHARS;
    for block in blocks {
        let Block::Text { text } = block else { continue };
        match text.char_indices().nth(left) {
            Some((end, _)) => {
                text.truncate(end);
                text.push_str("\n\n[cut here: the answer was longer]");
                left = 0;
            }
            None => left = left.saturating_sub(text.chars().count()),
        }
    }
}
