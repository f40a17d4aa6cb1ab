//! A trace in plain English.

use std::collections::BTreeMap;

use chela_core::session::{EntryBody, Intent};

use super::attempt::{Id, Op, Shelves, Told, name};
use super::world::{How, Move, State};

/// Tells what happened, one numbered sentence a step, and what is broken in the end.
pub fn tell(shelves: &mut Shelves, moves: &[Move], end: &str) -> Vec<String> {
    let mut state = State::first(shelves);
    let mut names: BTreeMap<u8, usize> = BTreeMap::new();
    let mut dealt = 0;
    let mut story = Vec::new();
    for step in moves {
        if let Move::Deliver { function, .. } = step {
            dealt += 1;
            names.insert(*function, dealt);
        }
        let next = state.moves(shelves).into_iter().find(|(one, _)| one == step);
        let Some((_, next)) = next else { panic!("the story cannot be told again at {step:?}") };
        story.push(sentence(shelves, &state, &next, *step, &names));
        state = next;
    }
    story.push(format!("So {end}."));
    story.iter().enumerate().map(|(at, text)| format!("{}. {text}", at + 1)).collect()
}

fn sentence(shelves: &mut Shelves, state: &State, next: &State, step: Move, names: &BTreeMap<u8, usize>) -> String {
    let attempt = |function: &u8| format!("Attempt {}", names.get(function).copied().unwrap_or_default());
    match step {
        Move::Deliver { function, .. } => {
            let held = next.lines.iter().flatten().filter(|message| message.holder == Some(function));
            let held: Vec<String> = held.map(|message| name(message.event)).collect();
            format!("{} receives {} from the queue.", attempt(&function), held.join(" and "))
        }
        Move::Respond(function) => format!("{} answers the queue and ends.", attempt(&function)),
        Move::Crash(function) => format!("{} dies.", attempt(&function)),
        Move::Reshow(function) => {
            format!("The time for which the queue hides the message of attempt {} ends.", names[&function])
        }
        Move::Lapse(session) => {
            let owner = state.owner_lives(shelves, session);
            let function = state.functions.iter().find(|one| one.groups.iter().any(|group| group.live == owner));
            format!("{} pauses, and its lease runs out.", attempt(&function.map_or(0, |one| one.id)))
        }
        Move::Repeat(_, event) => format!("The platform posts {} again, long after the first time.", name(event)),
        Move::Come(line) => {
            let event = next.lines[line].last().map_or(0, |message| message.event);
            format!("{} comes.", name(event))
        }
        Move::Bury(line) => {
            format!(
                "The queue has shown {} too often and moves it to the dead letters.",
                name(state.lines[line][0].event)
            )
        }
        Move::Stop => "The owner says stop.".to_owned(),
        Move::Act { function, group, how } => {
            let at = state.functions.iter().position(|one| one.id == function).unwrap();
            let live = state.functions[at].groups[group].live.unwrap();
            let op = shelves.live(live).op.clone();
            let deed = deed(shelves, live, &op);
            let mut then = state.clone();
            let told = match how {
                How::Well => told(shelves, &mut then, at, group, &op),
                _ => String::new(),
            };
            format!("{} {deed}{}{told}.", attempt(&function), manner(how))
        }
    }
}

fn deed(shelves: &Shelves, live: Id, op: &Op) -> String {
    let event = shelves.live(live).event.map_or_else(String::new, name);
    match op {
        Op::Claim { event, .. } => format!("claims the session for {}", name(*event)),
        Op::Find(event) => format!("looks up {}", name(*event)),
        Op::Accept { event, .. } => format!("stores {}", name(*event)),
        Op::Load { .. } => "loads the transcript".to_owned(),
        Op::Save { head, .. } => saved(shelves, *head),
        Op::Append(entry) => format!("stores {} of {event}", entry_words(shelves, *entry)),
        Op::Flag { part } => format!("flags part {} of the answer to {event} for the owner", part + 1),
        Op::Admit => "sees which calls may be begun".to_owned(),
        Op::Consult => "sees whether a model is needed".to_owned(),
        Op::Look => "looks what came meanwhile".to_owned(),
        Op::Ask => format!("asks the model about {event}"),
        Op::KeepAsking => "goes on waiting for the model".to_owned(),
        Op::SendPreview(_) => "shows a message that is not the answer yet".to_owned(),
        Op::RenewPreview => "shows more of the answer".to_owned(),
        Op::Run(deed) => format!("runs {} for {event}", shelves.deeds.get(*deed).tool),
        Op::Send(part) => format!("sends \"{}\"", shelves.shown.get(*part).markdown),
        Op::Edit(part) => format!("puts \"{}\" in the place of that message", shelves.shown.get(*part).markdown),
        Op::Wait => "waits".to_owned(),
        Op::Announce => "announces it".to_owned(),
        Op::Done { .. } | Op::Again { .. } => "ends".to_owned(),
    }
}

fn saved(shelves: &Shelves, head: Id) -> String {
    let head = shelves.heads.get(head);
    let marks: Vec<String> = head
        .intents
        .iter()
        .map(|intent| match intent {
            Intent::Tool { id, .. } => id.trim_end_matches(|letter: char| letter.is_ascii_digit()).to_owned(),
            Intent::Send { part } => format!("part {}", part + 1),
            Intent::Preview => "the preview".to_owned(),
        })
        .collect();
    match (&head.current, marks.is_empty(), head.owner.is_empty()) {
        (None, ..) if head.last_turn > 0 => format!("marks turn {} as finished", head.last_turn),
        (_, false, false) => format!("marks {} as begun", marks.join(" and ")),
        (_, _, true) => "gives the session back".to_owned(),
        _ => "renews its lease".to_owned(),
    }
}

fn entry_words(shelves: &Shelves, entry: Id) -> &'static str {
    match &shelves.entries.get(entry).body {
        EntryBody::Assistant(answer) if answer.outbox.is_some() => "the final answer",
        EntryBody::Assistant(answer) if answer.is_block() => "a block of the answer",
        EntryBody::Assistant(_) => "the model's call of tools",
        EntryBody::ToolDone { .. } => "one tool's result",
        EntryBody::ToolResults { .. } => "the tools' results",
        EntryBody::Steered { .. } => "what came meanwhile",
        EntryBody::Summary { .. } => "a summary",
    }
}

fn manner(how: How) -> &'static str {
    match how {
        How::Well => "",
        How::Throttled => "; the store does not answer, and has written nothing",
        How::ThrottledLate => "; the store writes it and does not answer",
        How::NotSent => "; the platform cannot be reached",
        How::UnconfirmedArrived => "; it arrives, and the platform does not confirm it",
        How::UnconfirmedLost => "; it is lost, and the platform does not confirm it",
        How::Refused => "; the platform refuses it",
        How::Silent => "; no model answers",
        How::Block => "; a block of the answer can be sent",
        How::Draft => "; the answer begins to grow",
        How::Tick => "; it takes its time",
    }
}

fn told(shelves: &mut Shelves, state: &mut State, at: usize, group: usize, op: &Op) -> String {
    let known = match op {
        Op::Claim { .. } | Op::Save { .. } | Op::Accept { .. } | Op::Append(_) | Op::Find(_) => {
            Some(state.perform(shelves, at, group, op, How::Well))
        }
        _ => None,
    };
    match known {
        Some(Told::Fenced) => ", and is refused".to_owned(),
        Some(Told::Busy) => ", which another attempt holds".to_owned(),
        Some(Told::Finished) => ", and learns that its turn is finished".to_owned(),
        Some(Told::Appended(Some(_)) | Told::Accepted(_, Some(_))) => ", and finds that it is already there".to_owned(),
        Some(Told::Found(None)) => ", and finds nothing".to_owned(),
        _ => String::new(),
    }
}
