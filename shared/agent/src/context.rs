//! What a model reads of the conversation.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use chela_core::model::{Block, ModelError, ModelMessage, Role};
use chela_core::turn::{
    Measured, Past, PastTurn, add_open_turn, bytes_of, join, plain, recent_enough, together, tokens_of, told, validate,
};

use crate::answer::Attempt;
use crate::prune::{self, Stage, middle_left_out};
use crate::settings::{ContextSettings, ModelChoice};
use crate::window::{Budget, summary, with_margin};

/// Stored entries of the past beyond which it is summed up, well below what is read of it.
const MOST_ENTRIES: usize = 320;

/// Bytes of the past beyond which it is summed up, however much a model reads: several copies of it are in memory while
/// a model is asked.
const MOST_BYTES: usize = 2 * 1024 * 1024;

/// Longest text of a message that does not fit in any other way.
const LAST_CHARS: usize = 500;

/// How the conversation is put, each form simpler than the one before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// As it was.
    Whole,
    /// The turns before this one in words alone: what one provider wrote another may not take.
    PlainPast,
    /// A new segment: a summary of the turns before and this one, all in words.
    Segment,
}

/// The conversation as it stands.
#[derive(Clone, Debug)]
pub(crate) struct Context {
    settings: ContextSettings,
    /// The turns before this one as they were read.
    past: Arc<Past>,
    /// Whether all that is stored of it was read.
    whole: bool,
    /// Turns up to this one are forgotten, or stand in a summary.
    after: u64,
    /// The summary of those, if it was made in this turn.
    summary: Option<PastTurn>,
    /// Whether the past is read as words alone.
    plain: bool,
    /// This turn.
    open: Vec<ModelMessage>,
    /// What was counted in it.
    measured: Option<Measured>,
    /// Tokens of the system prompt and the tools.
    base: u64,
    /// The turn up to which this turn has summed up the past.
    compacted: Option<u64>,
}

/// How long a request is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Estimate {
    /// With all corrections.
    pub(crate) total: u64,
    /// By its characters alone.
    raw: u64,
    /// Whether a provider's count is in it.
    pub(crate) known: bool,
}

impl Estimate {
    /// What a part of it counts in the total.
    fn share(&self, raw: u64) -> u64 {
        let share = u128::from(raw).saturating_mul(u128::from(self.total)).div_ceil(u128::from(self.raw.max(1)));
        u64::try_from(share).unwrap_or(u64::MAX)
    }
}

/// The conversation as it is sent.
struct Shortened {
    turns: Vec<PastTurn>,
    open: Vec<ModelMessage>,
    stage: Stage,
}

impl Context {
    /// The conversation of an attempt, beside a system prompt and tools of `base` tokens.
    pub(crate) fn of(attempt: &Attempt<'_>, base: u64) -> Self {
        let (machine, settings) = (&attempt.machine, attempt.settings);
        let mut open = Vec::new();
        add_open_turn(&mut open, machine.user(), machine.turn());
        if let (Some(text), Some(first)) = (settings.knowledge.called_up(machine.user()), open.first_mut()) {
            first.blocks.push(Block::Text { text });
        }
        let head = machine.head();
        Self {
            settings: settings.context.clone(),
            whole: attempt.whole.load(Ordering::Relaxed),
            past: machine.past_turns().clone(),
            after: head.forgotten,
            summary: None,
            plain: head.plain >= head.last_turn,
            open,
            measured: Measured::of(&machine.turn().entries),
            base,
            compacted: machine.turn().answers().filter_map(|answer| answer.compacted).max(),
        }
    }

    /// The turns before this one that count, a summary first.
    pub(crate) fn turns(&self) -> impl DoubleEndedIterator<Item = &PastTurn> + Clone {
        let replaced = self.summary.is_some();
        self.summary.iter().chain(self.past.since(self.after).filter(move |turn| !(replaced && turn.summary)))
    }

    /// Those that are not stored as they were said but were never read, if there are any.
    pub(crate) fn unread(&self) -> std::ops::Range<u64> {
        let first = self.after.max(self.past.after).saturating_add(1);
        // A turn that ended without an entry is not there, and nobody has left it out.
        if self.whole { first..first } else { first..self.past.first.max(first) }
    }

    /// What was read.
    pub(crate) fn past(&self) -> &Arc<Past> {
        &self.past
    }

    /// The turn in progress.
    pub(crate) fn open(&self) -> &[ModelMessage] {
        &self.open
    }

    /// The turn up to which nothing counts but a summary.
    pub(crate) fn after(&self) -> u64 {
        self.after
    }

    /// The turn up to which an earlier step of this turn has summed up the past, if its summary is not here.
    pub(crate) fn summary_wanted(&self) -> Option<u64> {
        let here = self.turns().any(|turn| turn.summary);
        self.compacted.filter(|cut| *cut == self.after && !here)
    }

    /// The summary that an earlier step of this turn has made of the turns up to `cut`.
    pub(crate) fn recall(&mut self, cut: u64, text: String) {
        self.summary = Some(PastTurn::summary(cut, text));
    }

    /// Lets a summary stand for the turns up to `cut`.
    pub(crate) fn sum_up(&mut self, cut: u64, text: String) {
        self.after = cut;
        self.compacted = Some(cut);
        self.summary = Some(PastTurn::summary(cut, text));
        // What was counted had the turns in it that are gone.
        self.measured = None;
    }

    /// The turn up to which this turn has summed up the past.
    pub(crate) fn compacted(&self) -> Option<u64> {
        self.compacted
    }

    /// How a model's window is shared out.
    pub(crate) fn budget(&self, choice: &ModelChoice) -> Budget {
        Budget::of(choice, self.base, &self.settings.compaction)
    }

    /// How a window is shared out in which this does not fit, whatever is configured.
    pub(crate) fn budget_of_refused(&self, choice: &ModelChoice) -> Budget {
        let window = (self.estimate(choice).raw / 2).min(u64::from(choice.context_window));
        Budget::of_window(window, 0, self.base, &self.settings.compaction)
    }

    /// Whether the past is to be summed up before a model is asked: at the beginning of a turn early enough for the turn
    /// to have room, later only if it would be refused.
    pub(crate) fn crowded(&self, choice: &ModelChoice, first_step: bool) -> bool {
        if self.compacted.is_some() {
            return false;
        }
        let budget = self.budget(choice);
        let total = self.estimate(choice).total;
        if !first_step {
            return total > budget.limit;
        }
        total > budget.threshold || self.overgrown()
    }

    /// Whether more is stored than can be read, or held in memory, at every turn from now on.
    fn overgrown(&self) -> bool {
        let (entries, bytes) = self.turns().fold((0usize, 0usize), |(entries, bytes), turn| {
            (entries.saturating_add(turn.entries), bytes.saturating_add(bytes_of(&turn.messages)))
        });
        !self.unread().is_empty() || entries > MOST_ENTRIES || bytes > MOST_BYTES
    }

    /// The last turn to be summed up, so that the newest ones stay as they were said; `None` if that would win little.
    /// It follows from the past alone: every attempt at a turn finds the same.
    pub(crate) fn cut(&self, budget: &Budget) -> Option<u64> {
        let (mut tokens, mut entries, mut bytes) = (0u64, 0usize, 0usize);
        let kept = |turn: &&PastTurn| {
            tokens = tokens.saturating_add(with_margin(turn.tokens));
            entries = entries.saturating_add(turn.entries);
            bytes = bytes.saturating_add(bytes_of(&turn.messages));
            tokens <= budget.keep && entries <= MOST_ENTRIES / 2 && bytes <= MOST_BYTES / 4
        };
        let said = || self.turns().filter(|turn| !turn.summary);
        let oldest_kept = said().rev().take_while(kept).last().map(|turn| turn.number);
        let old = || said().filter(|turn| oldest_kept.is_none_or(|kept| turn.number < kept));
        let worth = old().fold(0u64, |sum, turn| sum.saturating_add(turn.tokens)) >= budget.worth;
        let last = old().next_back().map(|turn| turn.number);
        if !self.unread().is_empty() {
            return last.or(self.unread().last());
        }
        last.filter(|_| worth || self.overgrown())
    }

    /// The length of what a model would be sent: what the provider counted last, and an estimate of what came since; an
    /// estimate of all where nothing comparable was counted.
    pub(crate) fn estimate(&self, choice: &ModelChoice) -> Estimate {
        let Shortened { turns, open, stage } = self.shortened(choice);
        let open = tokens_of(&open);
        let raw = turns.iter().fold(self.base.saturating_add(open), |sum, turn| sum.saturating_add(turn.tokens));
        let counted = self.counted(choice, &turns, open, stage);
        // A provider that leaves its cache out, or counts something else, is not believed.
        let total = counted.map_or(with_margin(raw), |counted| counted.clamp(raw / 2, raw.saturating_mul(3)));
        Estimate { total, raw, known: counted.is_some() }
    }

    fn counted(&self, choice: &ModelChoice, turns: &[PastTurn], open: u64, stage: Stage) -> Option<u64> {
        let of_model = |measured: &&Measured| measured.model == choice.name;
        if let Some(Measured { tokens, since, .. }) = self.measured.as_ref().filter(of_model) {
            return Some(tokens.saturating_add(with_margin(*since)));
        }
        if self.compacted.is_some() {
            return None;
        }
        let at = turns.iter().rposition(|turn| turn.measured.as_ref().is_some_and(|it| of_model(&it)))?;
        let Measured { tokens, since, .. } = turns.get(at)?.measured.as_ref()?;
        // What was sent then must have been shortened as far as it would be now.
        if self.stage(choice, self.turns().take(at)) != stage {
            return None;
        }
        let later = turns.iter().skip(at.saturating_add(1)).fold(*since, |sum, turn| sum.saturating_add(turn.tokens));
        Some(tokens.saturating_add(with_margin(later.saturating_add(open))))
    }

    fn stage<'a>(&self, choice: &ModelChoice, turns: impl Iterator<Item = &'a PastTurn>) -> Stage {
        prune::stage(turns, u64::from(choice.context_window), self.settings.pruning.as_ref())
    }

    /// The conversation with the old results of tools shortened.
    fn shortened(&self, choice: &ModelChoice) -> Shortened {
        let stage = self.stage(choice, self.turns());
        let mut turns: Vec<PastTurn> = self.turns().cloned().collect();
        if self.plain {
            turns.iter_mut().for_each(put_plainly);
        }
        prune::prune(&mut turns, stage, self.settings.pruning.as_ref());
        let mut open = self.open.clone();
        prune::without_old_pictures(&mut turns, &mut open);
        Shortened { turns, open, stage }
    }

    /// The next form worth trying after this failure of one.
    pub(crate) fn simpler(&self, form: Form, error: &ModelError) -> Option<Form> {
        let rejected = match error {
            ModelError::Rejected { .. } => true,
            ModelError::TooLong { .. } => false,
            _ => return None,
        };
        let past = self.all();
        match form {
            Form::Whole if rejected && past != plain(&past) => Some(Form::PlainPast),
            Form::Whole | Form::PlainPast if !past.is_empty() || self.open != told(&self.open) => Some(Form::Segment),
            _ => None,
        }
    }

    /// As much of it as fits into so many tokens, in a form that a provider takes.
    pub(crate) fn messages(&self, choice: &ModelChoice, budget: u64, form: Form) -> Vec<ModelMessage> {
        let estimate = self.estimate(choice);
        let mut messages = self.put(choice, budget, form, &estimate);
        // A provider would only refuse it, and whatever broke it is stored for good.
        if validate(&messages).is_err() {
            messages = told(&messages);
        }
        let fits = |messages: &[ModelMessage]| estimate.share(self.base.saturating_add(tokens_of(messages))) <= budget;
        squeeze(&mut messages, fits);
        messages
    }

    fn put(&self, choice: &ModelChoice, budget: u64, form: Form, estimate: &Estimate) -> Vec<ModelMessage> {
        let Shortened { mut turns, open, .. } = self.shortened(choice);
        match form {
            Form::Whole => {}
            Form::PlainPast => turns.iter_mut().for_each(put_plainly),
            Form::Segment => {
                let blocks = self.words().map(|text| Block::Text { text }).into_iter().collect();
                let mut messages = Vec::new();
                join(&mut messages, [ModelMessage { role: Role::User, blocks }]);
                join(&mut messages, told(&open));
                return messages;
            }
        }
        let rest = estimate.share(self.base.saturating_add(tokens_of(&open)));
        let cost = |turn: &PastTurn| estimate.share(turn.tokens);
        let mut messages = recent_enough(turns.iter(), budget.saturating_sub(rest), cost);
        join(&mut messages, open);
        messages
    }

    /// The newest of the turns before, shortened, behind the summary of what was before them.
    pub(crate) fn words(&self) -> Option<String> {
        let before = together(self.turns().filter(|turn| turn.summary));
        let newest = summary(&plain(&together(self.turns().filter(|turn| !turn.summary))));
        let texts = before.iter().flat_map(|message| &message.blocks).filter_map(|block| match block {
            Block::Text { text } => Some(text.clone()),
            _ => None,
        });
        let texts: Vec<String> = texts.chain(newest).collect();
        (!texts.is_empty()).then(|| texts.join("\n\n"))
    }

    fn all(&self) -> Vec<ModelMessage> {
        let past = together(self.turns());
        if self.plain { plain(&past) } else { past }
    }
}

fn put_plainly(turn: &mut PastTurn) {
    turn.messages = plain(&turn.messages);
    turn.tokens = tokens_of(&turn.messages);
}

/// Shortens the longest texts until the messages fit: the last resort, when the turn in progress alone is too long. What
/// it is answered with is better than no answer; the stored texts stay.
fn squeeze(messages: &mut [ModelMessage], fits: impl Fn(&[ModelMessage]) -> bool) {
    let mut most = 64 * 1024;
    while most >= LAST_CHARS && !fits(messages) {
        for block in messages.iter_mut().flat_map(|message| &mut message.blocks) {
            if let Block::Text { text } | Block::ToolResult { text, .. } = block
                && let Some(shorter) = middle_left_out(text, most, most / 2, most / 4)
            {
                *text = shorter;
            }
        }
        most /= 2;
    }
}

#[cfg(test)]
mod tests;
