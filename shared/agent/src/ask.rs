//! Asks the models, and meanwhile keeps the lease, shows that somebody is typing, and shows the answer while it grows.

use std::pin::{Pin, pin};
use std::time::Duration;

use chela_core::channel::OutboundPart;
use chela_core::clock::Millis;
use chela_core::queue::Task;
use chela_core::reply::growing;
use chela_core::session_key::PeerKind;
use chela_core::turn::{Command, Input, TICK_MS, Way, idempotency_key};
use futures_util::future::{Either, FutureExt, select};

use crate::answer::{Agent, Attempt, failpoint};
use crate::draft::Draft;
use crate::flow::Flow;
use crate::question::Question;
use crate::settings::{Outlet, SeenScope};

/// Answers quicker than this need no typing signal.
const TYPING_AFTER: Duration = Duration::from_millis(700);

/// A preview shorter than this looks like a mistake.
const PREVIEW_MIN_CHARS: usize = 24;

/// Longest wait for a preview to be renewed.
const RENEWAL: Duration = Duration::from_secs(10);

impl Agent {
    /// Asks, and returns what the machine wants then.
    pub(crate) async fn ask(&self, attempt: &mut Attempt<'_>, step: u16) -> Command {
        failpoint("asking", "before");
        match self.without_model(attempt, step).await {
            Ok(None) => {}
            Ok(Some(input)) => return attempt.machine.handle(self.clock.now(), input),
            Err(error) => return attempt.machine.handle(self.clock.now(), Input::Failed(error)),
        }
        if let Some(overdue) = attempt.overdue(self.clock.now()) {
            return attempt.machine.handle(self.clock.now(), Input::Unanswered(overdue));
        }
        attempt.reword();
        let draft = Draft::default();
        let (question, aloud) = (Question::of(self, attempt, step), self.aloud(attempt, step));
        let call = question.put(self.clock.as_ref(), self.files.as_ref(), &draft);
        let mut call = pin!(call.then(|answer| aloud.added(answer)));
        let mut answer = None;
        let mut progress = Progress::new(attempt, self.clock.now());
        while answer.is_none() {
            let wait = tokio::time::sleep(progress.wait);
            if let Either::Left((input, _)) = select(call.as_mut(), pin!(wait)).await {
                answer = Some(input);
                break;
            }
            let now = self.clock.now();
            let Some(input) = self.progress(attempt, &mut progress, &draft, now, &mut call, &mut answer).await else {
                continue;
            };
            let mut command = attempt.machine.handle(now, input);
            while command != Command::KeepAsking {
                if !attempt.machine.is_asking() {
                    return command; // The session is lost: whatever the model says, nobody would read it.
                }
                let work = self.beside(attempt, command, &draft);
                let input = meanwhile(call.as_mut(), &mut answer, work).await;
                command = attempt.machine.handle(self.clock.now(), input);
            }
        }
        failpoint("asking", "after");
        let answer = answer.unwrap_or(Input::Tick);
        attempt.machine.handle(self.clock.now(), answer)
    }

    /// What is due: a longer lease, a preview; a typing signal is sent here.
    async fn progress<F: Future<Output = Input>>(
        &self,
        attempt: &Attempt<'_>,
        progress: &mut Progress<'_>,
        draft: &Draft,
        now: Millis,
        call: &mut Pin<&mut F>,
        answer: &mut Option<Input>,
    ) -> Option<Input> {
        if now.since(progress.ticked_at) >= TICK_MS {
            progress.ticked_at = now;
            return Some(Input::Tick);
        }
        let outlet = progress.outlet?;
        let Way::To { address, .. } = attempt.machine.way() else { return None };
        let limits = outlet.channel.limits(address);
        progress.wait = limits.edit_every.unwrap_or(TYPING_AFTER);
        if let Some(parts) = progress.flow.as_mut().and_then(|flow| flow.next(attempt, draft, now)) {
            return Some(Input::Block(parts));
        }
        if !progress.seen {
            progress.seen = true;
            let _ = meanwhile(call.as_mut(), answer, seen(attempt, outlet)).await; // Only a courtesy.
        }
        let text = growing(&draft.text());
        if outlet.streaming && limits.edit_every.is_some() && text.chars().count() >= PREVIEW_MIN_CHARS {
            let news = text != progress.shown;
            progress.shown = text;
            return news.then_some(Input::Draft);
        }
        let lasts = u64::try_from(limits.typing_for?.as_millis()).unwrap_or(u64::MAX);
        let due = progress.typed_at.is_none_or(|at| now.since(at).saturating_add(500) >= lasts);
        if due {
            progress.typed_at = Some(now);
            let _ = meanwhile(call.as_mut(), answer, outlet.channel.typing(address)).await; // Only a courtesy.
        }
        None
    }

    /// One thing beside the call.
    async fn beside(&self, attempt: &Attempt<'_>, command: Command, draft: &Draft) -> Input {
        let text = growing(&draft.text());
        match command {
            Command::SendPreview { until } => {
                let left = Duration::from_millis(until.since(self.clock.now()));
                let sent = show(attempt, &text, left, None).await;
                Input::PreviewSent(sent)
            }
            Command::RenewPreview { message } => {
                show(attempt, &text, RENEWAL, Some(&message)).await;
                Input::PreviewRenewed
            }
            command => self.perform(attempt, command).await,
        }
    }
}

/// Sends or renews the preview; returns the platform's id of it if the platform confirmed.
async fn show(attempt: &Attempt<'_>, text: &str, timeout: Duration, message: Option<&str>) -> Option<String> {
    let Way::To { address: to, .. } = attempt.machine.way() else { return None };
    let outlet = attempt.outlet(to)?;
    let parts = outlet.parts(to, text);
    let event = &attempt.machine.accepted()?.event;
    let key = idempotency_key(attempt.machine.session(), event, "preview");
    let markdown = parts.first()?;
    let part = OutboundPart { to, number: 0, markdown, choices: &[], idempotency_key: &key, timeout };
    match message {
        Some(id) => outlet.channel.edit(id, &part).await.ok().map(|()| id.to_owned()),
        None if timeout.is_zero() => None,
        None => outlet.channel.send(&part).await.ok().map(|receipt| receipt.message_id),
    }
}

/// Marks the message as seen, where that is wished.
async fn seen(attempt: &Attempt<'_>, outlet: &Outlet) -> Option<()> {
    let Some(Task::Message { inbound, .. }) = attempt.task() else { return None };
    let (emoji, scope) = outlet.seen.as_ref()?;
    let direct = inbound.peer.kind == PeerKind::Direct;
    let wished = match scope {
        SeenScope::GroupMentions => !direct && inbound.addressed,
        SeenScope::GroupAll => !direct,
        SeenScope::Direct => direct,
        SeenScope::All => true,
    };
    let id = inbound.message_id.as_ref().filter(|_| wished)?;
    outlet.channel.react(&inbound.reply_to, id, emoji).await.ok()
}

/// Does `work` while the call goes on. An answer that comes first is kept.
async fn meanwhile<F, T>(call: Pin<&mut F>, answer: &mut Option<Input>, work: impl Future<Output = T>) -> T
where
    F: Future<Output = Input>,
{
    if answer.is_some() {
        return work.await;
    }
    match select(call, pin!(work)).await {
        Either::Left((input, work)) => {
            *answer = Some(input);
            work.await
        }
        Either::Right((done, _)) => done,
    }
}

/// What has been shown of one call.
struct Progress<'a> {
    outlet: Option<&'a Outlet>,
    flow: Option<Flow<'a>>,
    wait: Duration,
    ticked_at: Millis,
    typed_at: Option<Millis>,
    seen: bool,
    shown: String,
}

impl<'a> Progress<'a> {
    fn new(attempt: &Attempt<'a>, now: Millis) -> Self {
        // Nobody waits for a heartbeat, and it may well end silently.
        let watched = !matches!(attempt.task(), Some(Task::Heartbeat { .. }));
        let outlet = match attempt.machine.way() {
            Way::To { address, .. } if watched => attempt.outlet(address),
            _ => None,
        };
        let wait = if outlet.is_some() { TYPING_AFTER } else { Duration::from_millis(TICK_MS) };
        let flow = outlet.and_then(|outlet| Flow::of(attempt, outlet, now));
        Self { outlet, flow, wait, ticked_at: now, typed_at: None, seen: false, shown: String::new() }
    }
}
