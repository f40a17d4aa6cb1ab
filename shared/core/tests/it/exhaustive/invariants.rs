//! What must hold, whatever happens.

use std::collections::BTreeSet;

use chela_core::model::{Block, ModelMessage, Role};
use chela_core::session::{AssistantEntry, Entry, EntryBody, UserFragment};
use chela_core::tool::Effect;
use chela_core::turn::transcript;

use super::attempt::{Op, Shelves, effect, name, texts};
use super::world::State;

/// A promise that was broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Broken {
    /// I1: a message was neither answered nor flagged nor kept for the owner.
    Lost,
    /// I2: a part is shown twice.
    PartTwice,
    /// I3: an answer stands behind that to a later message.
    Order,
    /// I4: a tool that cannot tell a repetition acted twice.
    EffectTwice,
    /// I5: the model would read what no provider takes, or not what it answers.
    Transcript,
    /// A message counts as answered that is not.
    FalseRow,
    /// Nothing that can still happen leads to the end.
    Stuck,
}

/// What is broken in a state.
pub fn check(shelves: &Shelves, state: &State) -> Option<(Broken, String)> {
    shown_once(shelves, state)
        .or_else(|| in_order(shelves, state))
        .or_else(|| done_once(shelves, state))
        .or_else(|| asked_well(shelves, state))
        .or_else(|| rows_true(shelves, state))
        .or_else(|| if state.at_rest() { rested(shelves, state) } else { None })
}

fn parts(shelves: &Shelves, state: &State) -> Vec<(u8, u16)> {
    let shown = state.shown.iter().map(|id| shelves.shown.get(*id));
    shown.filter_map(|shown| Some((shown.event, shown.part?))).collect()
}

fn shown_once(shelves: &Shelves, state: &State) -> Option<(Broken, String)> {
    let mut known = BTreeSet::new();
    let twice = parts(shelves, state).into_iter().find(|part| !known.insert(*part))?;
    Some((Broken::PartTwice, format!("part {} of the answer to {} is shown twice", twice.1 + 1, name(twice.0))))
}

fn in_order(shelves: &Shelves, state: &State) -> Option<(Broken, String)> {
    let line_of = |event: u8| shelves.scope.lines.iter().position(|line| line.events.contains(&event));
    let parts = parts(shelves, state);
    for (at, later) in parts.iter().enumerate() {
        for earlier in &parts[at + 1..] {
            // The dead letters free their group: a hole in the order that is known.
            let same = line_of(later.0) == line_of(earlier.0) && !state.dead.contains(&earlier.0);
            if same && earlier < later {
                let (one, other) = (name(earlier.0), name(later.0));
                let text = format!("part {} for {one} comes after part {} for {other}", earlier.1 + 1, later.1 + 1);
                return Some((Broken::Order, text));
            }
        }
    }
    None
}

fn done_once(shelves: &Shelves, state: &State) -> Option<(Broken, String)> {
    let mut known = BTreeSet::new();
    for (id, times) in &state.deeds {
        let deed = shelves.deeds.get(*id);
        if effect(&deed.tool) != Some(Effect::Unkeyed) {
            continue;
        }
        if *times > 1 || !known.insert((deed.event, deed.step, deed.tool.clone())) {
            return Some((Broken::EffectTwice, format!("{} acted twice for {}", deed.tool, name(deed.event))));
        }
    }
    None
}

fn asked_well(shelves: &Shelves, state: &State) -> Option<(Broken, String)> {
    let groups = state.functions.iter().flat_map(|function| &function.groups);
    let lives = groups.filter_map(|group| group.live).map(|live| shelves.live(live));
    lives.filter(|live| live.op == Op::Ask).find_map(|live| Some((Broken::Transcript, live.fault.clone()?)))
}

fn entries<'a>(shelves: &'a Shelves, state: &'a State, session: usize) -> impl Iterator<Item = &'a Entry> {
    state.stored[session].entries.iter().map(|entry| shelves.entries.get(*entry))
}

fn said(entry: &Entry) -> &[UserFragment] {
    match &entry.body {
        EntryBody::Assistant(AssistantEntry { user, .. }) | EntryBody::Steered { user } => user,
        EntryBody::ToolDone { .. } | EntryBody::ToolResults { .. } | EntryBody::Summary { .. } => &[],
    }
}

fn heard(shelves: &Shelves, state: &State, session: usize, turn: u64, event: u8) -> bool {
    let mut fragments = entries(shelves, state, session).filter(|entry| entry.turn == turn).flat_map(said);
    fragments.any(|fragment| fragment.text == name(event))
}

/// The row of an event, or the head's memory of it, may count it as answered only if its turn has heard it.
fn rows_true(shelves: &Shelves, state: &State) -> Option<(Broken, String)> {
    for (session, stored) in state.stored.iter().enumerate() {
        let Some(head) = stored.head.map(|id| shelves.heads.get(id)) else { continue };
        for (event, row) in &stored.rows {
            let row = shelves.rows.get(*row);
            let finished = row.turn > 0 && row.turn <= head.last_turn;
            if finished && !heard(shelves, state, session, row.turn, *event) {
                let text = format!("{} counts as answered by turn {}, which never heard it", name(*event), row.turn);
                return Some((Broken::FalseRow, text));
            }
        }
    }
    None
}

fn rested(shelves: &Shelves, state: &State) -> Option<(Broken, String)> {
    for (at, line) in shelves.scope.lines.iter().enumerate() {
        let came = line.later.iter().take(usize::from(state.came[at]));
        for event in line.events.iter().chain(came).filter(|event| !state.dead.contains(event)) {
            if let Some(text) = unanswered(shelves, state, line.session, *event) {
                return Some((Broken::Lost, text));
            }
        }
    }
    (0..state.stored.len()).find_map(|session| {
        let entries: Vec<Entry> = entries(shelves, state, session).cloned().collect();
        // A turn whose message went to the dead letters is unfinished; the next message of its session resumes it.
        let open = state.stored[session].head.map_or(1, |head| shelves.heads.get(head).turn());
        let whole = transcript(&entries, 0, open, 0);
        let repair =
            whole.repairs.first().map(|repair| format!("the results of turn {} were never stored", repair.turn));
        let fault = repair
            .or_else(|| parted(&entries))
            .or_else(|| unsaid(&entries))
            .or_else(|| fault_of_transcript(&whole.past.messages()))?;
        Some((Broken::Transcript, fault))
    })
}

/// A block that was sent and that the stored answer knows nothing of.
fn unsaid(entries: &[Entry]) -> Option<String> {
    let mut sent: Vec<&String> = Vec::new();
    for entry in entries {
        let EntryBody::Assistant(answer) = &entry.body else { continue };
        if answer.is_block() {
            sent.extend(&answer.interim);
            continue;
        }
        let said = format!("{:?}", answer.blocks);
        if let Some(block) = sent.drain(..).find(|block| !said.contains(block.as_str())) {
            return Some(format!("\"{block}\" was sent, and the stored answer says {said}"));
        }
    }
    None
}

/// Stored calls whose stored results are others'. Whoever reads them mends that; it must not be there all the same.
fn parted(entries: &[Entry]) -> Option<String> {
    entries.iter().find_map(|entry| {
        let (EntryBody::Assistant(AssistantEntry { blocks, .. }), turn, step) = (&entry.body, entry.turn, entry.step)
        else {
            return None;
        };
        let calls: Vec<&String> = ids(blocks);
        let mut results = entries.iter().filter(|other| (other.turn, other.step) == (turn, step));
        let results = results.find_map(|other| match &other.body {
            EntryBody::ToolResults { results } => Some(ids(results)),
            _ => None,
        })?;
        (calls != results).then(|| format!("the stored calls {calls:?} are followed by the results of {results:?}"))
    })
}

fn ids(blocks: &[Block]) -> Vec<&String> {
    let named = blocks.iter().filter_map(|block| match block {
        Block::ToolUse { id, .. } | Block::ToolResult { id, .. } => Some(id),
        _ => None,
    });
    named.collect()
}

/// Why an event is not answered; `None` if it is, or every missing part of the answer is flagged.
fn unanswered(shelves: &Shelves, state: &State, session: usize, event: u8) -> Option<String> {
    let called = name(event);
    let last = state.stored[session].head.map_or(0, |head| shelves.heads.get(head).last_turn);
    let Some(turn) = (1..=last).find(|turn| heard(shelves, state, session, *turn, event)) else {
        return Some(format!("{called} is gone from the queue, and no finished turn has heard it"));
    };
    let turns = entries(shelves, state, session).filter(|entry| entry.turn == turn);
    let answers: Vec<&AssistantEntry> = turns
        .filter_map(|entry| match &entry.body {
            EntryBody::Assistant(answer) => Some(answer),
            _ => None,
        })
        .collect();
    if !answers.iter().any(|answer| answer.outbox.is_some()) {
        return Some(format!("the turn of {called} ended without an answer"));
    }
    let promised: usize =
        answers.iter().map(|answer| answer.interim.len() + answer.outbox.as_ref().map_or(0, Vec::len)).sum();
    let first = (0..u8::MAX).take(shelves.envelopes.len()).find(|one| {
        let mut fragments = entries(shelves, state, session).filter(|entry| entry.turn == turn).flat_map(said);
        fragments.any(|fragment| fragment.event.is_none() && fragment.text == name(*one))
    });
    let first = first.unwrap_or(event);
    let shown = parts(shelves, state);
    let missing = (0..u16::try_from(promised).unwrap())
        .find(|part| !shown.contains(&(first, *part)) && !state.stored[session].flags.contains(&(first, *part)));
    // A refusal ends the whole answer and is flagged once.
    let missing = missing.filter(|part| {
        let flags = &state.stored[session].flags;
        !(shelves.scope.left.sends > 0 && flags.iter().any(|(one, flagged)| *one == first && flagged < part))
    });
    missing.map(|part| format!("part {} of the answer to {called} is neither shown nor flagged", part + 1))
}

/// What a provider would refuse.
pub fn fault_of_transcript(messages: &[ModelMessage]) -> Option<String> {
    let mut role = Role::Assistant;
    let mut open: Vec<&str> = Vec::new();
    for message in messages {
        if message.role == role {
            return Some(format!("two messages of the {role:?} follow each other"));
        }
        role = message.role;
        let results: Vec<&str> = message.blocks.iter().filter_map(result_of).collect();
        if results != open {
            return Some(format!("calls {open:?} are followed by the results {results:?}"));
        }
        open = message.blocks.iter().filter_map(call_of).collect();
    }
    if !open.is_empty() {
        return Some(format!("the results of {open:?} are missing"));
    }
    let mut known = BTreeSet::new();
    let twice = texts(messages).into_iter().find(|text| !known.insert(text.clone()));
    twice.map(|text| format!("the user says {text} twice"))
}

fn result_of(block: &Block) -> Option<&str> {
    match block {
        Block::ToolResult { id, .. } => Some(id),
        _ => None,
    }
}

fn call_of(block: &Block) -> Option<&str> {
    match block {
        Block::ToolUse { id, .. } => Some(id),
        _ => None,
    }
}
