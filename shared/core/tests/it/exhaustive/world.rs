//! Everything outside the machines: queue, store, platform, tools; and all that can happen next.

use chela_core::model::{Block, Usage};
use chela_core::session::{Accepted, AssistantEntry};
use chela_core::session::{Entry, EntryBody, Head, UserFragment};

use super::attempt::{Id, NOW, Op, Shelves, Told, name};
use super::scope::{Left, Mutant, Past};

/// The rows of one session.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Stored {
    pub head: Option<Id>,
    /// The lease ran out while its owner still lives.
    pub lapsed: bool,
    pub rows: Vec<(u8, Id)>,
    /// By place.
    pub entries: Vec<Id>,
    /// Parts noted for the owner.
    pub flags: Vec<(u8, u16)>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Message {
    pub event: u8,
    pub receives: u8,
    /// The function that holds it.
    pub holder: Option<u8>,
}

/// A function at work on a batch.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Function {
    pub id: u8,
    /// Whether its receipts are still good.
    pub holds: bool,
    pub groups: Vec<Group>,
}

/// The messages of one line in a batch.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Group {
    pub line: usize,
    pub owner: u8,
    /// The attempt; `None` once all is done.
    pub live: Option<Id>,
    /// Not yet answered, the one at work first.
    pub waiting: Vec<u8>,
    pub done: Vec<u8>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct State {
    pub stored: Vec<Stored>,
    pub lines: Vec<Vec<Message>>,
    /// How many of the later events of each line have come.
    pub came: Vec<u8>,
    pub functions: Vec<Function>,
    /// What the platform shows, in order.
    pub shown: Vec<Id>,
    /// What tools have done, and how often it showed.
    pub deeds: Vec<(Id, u8)>,
    pub dead: Vec<u8>,
    pub stopped: bool,
    pub left: Left,
}

/// What happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Move {
    /// A function receives this many messages of each line.
    Deliver {
        lines: [u8; 2],
        function: u8,
    },
    /// A group's attempt does what it is about to do.
    Act {
        function: u8,
        group: usize,
        how: How,
    },
    /// The function answers the queue.
    Respond(u8),
    Crash(u8),
    Reshow(u8),
    Lapse(usize),
    Repeat(usize, u8),
    Come(usize),
    Bury(usize),
    Stop,
}

/// What comes of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    Well,
    /// The store does not answer, and wrote nothing.
    Throttled,
    /// The store does not answer, and wrote.
    ThrottledLate,
    NotSent,
    /// Not confirmed, and it arrived.
    UnconfirmedArrived,
    /// Not confirmed, and it did not arrive.
    UnconfirmedLost,
    Refused,
    Silent,
    Draft,
    Block,
    Tick,
}

impl State {
    pub fn first(shelves: &mut Shelves) -> Self {
        let scope = shelves.scope;
        let sessions = scope.lines.iter().map(|line| line.session).max().unwrap_or(0) + 1;
        let fresh = |event: &u8| Message { event: *event, receives: 0, holder: None };
        let mut state = Self {
            stored: vec![Stored::default(); sessions],
            lines: scope.lines.iter().map(|line| line.events.iter().map(fresh).collect()).collect(),
            came: vec![0; scope.lines.len()],
            functions: vec![],
            shown: vec![],
            deeds: vec![],
            dead: vec![],
            stopped: false,
            left: scope.left,
        };
        state.remember(shelves);
        state
    }

    /// What was stored before the story begins.
    fn remember(&mut self, shelves: &mut Shelves) {
        let event = shelves.envelopes[0].event.clone();
        let task = Some(shelves.envelopes[0].task.clone());
        let text = if shelves.scope.past == Past::LongAgo { name(0) } else { "before".to_owned() };
        let entry = |step, body| Entry { turn: 1, step, at: NOW, body };
        let answer = |step, text: Option<String>, blocks, outbox| {
            let fragment = |text| UserFragment { sender: "7".into(), name: None, text, ..Default::default() };
            let user = text.into_iter().map(fragment).collect();
            let (model, usage) = ("m".to_owned(), Usage::default());
            entry(
                step,
                EntryBody::Assistant(AssistantEntry { user, blocks, model, usage, outbox, ..Default::default() }),
            )
        };
        let said = |text: &str| vec![Block::Text { text: text.to_owned() }];
        let (head, entries) = match shelves.scope.past {
            Past::Nothing => return,
            Past::Hopeless => (Head { current: Some(event.clone()), attempts: 8, ..Head::default() }, vec![]),
            Past::LongAgo => {
                let row = Accepted { event, turn: 1, at: NOW, task };
                self.stored[0].rows.push((0, shelves.rows.put(row)));
                let shown = (0..shelves.scope.parts).map(|part| super::attempt::Shown {
                    event: 0,
                    part: Some(u16::from(part)),
                    markdown: "long ago".into(),
                    key: "old".into(),
                });
                self.shown = shown.map(|part| shelves.shown.put(part)).collect();
                let outbox = Some(vec!["long ago".to_owned(); usize::from(shelves.scope.parts)]);
                (Head { last_turn: 1, ..Head::default() }, vec![answer(0, Some(text), said("long ago"), outbox)])
            }
            Past::Unrepaired => {
                let call = Block::ToolUse { id: "old".into(), name: "book".into(), input: serde_json::Value::Null };
                let last = answer(1, None, said("well"), Some(vec!["well".to_owned()]));
                (Head { last_turn: 1, ..Head::default() }, vec![answer(0, Some(text), vec![call], None), last])
            }
        };
        self.stored[0].head = Some(shelves.heads.put(head));
        self.stored[0].entries = entries.into_iter().map(|entry| shelves.entries.put(entry)).collect();
    }

    /// Nothing is left to do.
    pub fn at_rest(&self) -> bool {
        self.functions.is_empty() && self.lines.iter().all(Vec::is_empty)
    }

    /// All that can happen next.
    pub fn moves(&self, shelves: &mut Shelves) -> Vec<(Move, Self)> {
        let mut out = Vec::new();
        self.deliver(shelves, &mut out);
        for at in 0..self.functions.len() {
            self.act(shelves, at, &mut out);
        }
        self.faults(shelves, &mut out);
        out
    }

    fn next(&self, out: &mut Vec<(Move, Self)>, step: Move, change: impl FnOnce(&mut Self)) {
        let mut next = self.clone();
        change(&mut next);
        out.push((step, next));
    }

    // ---- the queue

    /// How many messages of a line may be received now.
    fn ready(&self, shelves: &Shelves, line: usize) -> usize {
        let messages = &self.lines[line];
        if messages.iter().any(|message| message.holder.is_some()) {
            return 0;
        }
        let limit = shelves.scope.receives;
        let fresh = messages.iter().take_while(|message| limit == 0 || message.receives < limit);
        fresh.count().min(shelves.scope.batch)
    }

    fn deliver(&self, shelves: &mut Shelves, out: &mut Vec<(Move, Self)>) {
        let scope = shelves.scope;
        let ready: Vec<usize> = (0..self.lines.len()).map(|line| self.ready(shelves, line)).collect();
        for (line, ready) in ready.iter().enumerate() {
            let first = self.lines[line].first();
            if *ready == 0 && first.is_some_and(|first| first.holder.is_none() && first.receives > 0) {
                let free = self.lines[line].iter().all(|message| message.holder.is_none());
                if free {
                    self.next(out, Move::Bury(line), |next| {
                        let buried = next.lines[line].remove(0);
                        next.dead.push(buried.event);
                        next.dead.sort_unstable();
                    });
                }
            }
        }
        if self.functions.len() >= scope.functions {
            return;
        }
        let id = (0..).find(|id| self.functions.iter().all(|function| function.id != *id)).unwrap();
        let second = ready.get(1).copied().unwrap_or(0);
        for one in 0..=ready[0] {
            for two in 0..=second {
                if (one, two) == (0, 0) || (!scope.several_lines && one > 0 && two > 0) {
                    continue;
                }
                let lines = [u8::try_from(one).unwrap(), u8::try_from(two).unwrap()];
                let mut next = self.clone();
                next.receive(shelves, id, &[one, two]);
                out.push((Move::Deliver { lines, function: id }, next));
            }
        }
    }

    fn receive(&mut self, shelves: &mut Shelves, id: u8, counts: &[usize]) {
        self.functions.push(Function { id, holds: true, groups: vec![] });
        let at = self.functions.len() - 1;
        for (line, count) in counts.iter().enumerate().filter(|(_, count)| **count > 0) {
            for message in self.lines[line].iter_mut().take(*count) {
                message.holder = Some(id);
                if shelves.scope.receives > 0 {
                    message.receives += 1;
                }
            }
            let waiting = self.lines[line].iter().take(*count).map(|message| message.event).collect();
            self.functions[at].groups.push(Group { line, owner: 0, live: None, waiting, done: vec![] });
            let group = self.functions[at].groups.len() - 1;
            self.begin(shelves, at, group);
        }
        self.functions.sort_by_key(|function| function.id);
    }

    /// The next attempt of a group, if there is anything to answer.
    fn begin(&mut self, shelves: &mut Shelves, function: usize, group: usize) {
        let taken = |owner: u8, state: &Self| {
            let name = owner_name(owner);
            let alive = state.functions.iter().flat_map(|one| &one.groups);
            alive.filter(|one| one.live.is_some()).any(|one| one.owner == owner)
                || state.stored.iter().any(|stored| stored.head.is_some_and(|id| shelves.heads.get(id).owner == name))
        };
        let owner = (0..).find(|owner| !taken(*owner, self)).unwrap();
        let waiting = self.functions[function].groups[group].waiting.clone();
        let live = waiting.split_first().map(|(first, joined)| shelves.begin(*first, joined, &owner_name(owner)));
        let group = &mut self.functions[function].groups[group];
        group.owner = if live.is_some() { owner } else { 0 };
        group.live = live;
    }

    /// Takes a group's attempt forward; one that has ended makes room for the next.
    fn go_on(&mut self, shelves: &mut Shelves, function: usize, group: usize, told: &Told) {
        let one = &mut self.functions[function].groups[group];
        let next = shelves.advance(one.live.unwrap(), told);
        one.live = Some(next);
        match shelves.live(next).op.clone() {
            Op::Done { also } => {
                let first = one.waiting.remove(0);
                one.done.push(first);
                let (joined, rest) = one.waiting.iter().partition(|event| also.contains(event));
                let (joined, rest): (Vec<u8>, Vec<u8>) = (joined, rest);
                one.done.extend(joined);
                one.waiting = rest;
                self.begin(shelves, function, group);
            }
            Op::Again { .. } => {
                one.live = None;
                one.owner = 0;
            }
            op if shelves.at_once(next, &op) => {
                let told = self.perform(shelves, function, group, &op, How::Well);
                self.go_on(shelves, function, group, &told);
            }
            _ => {}
        }
    }

    // ---- what attempts do

    fn act(&self, shelves: &mut Shelves, at: usize, out: &mut Vec<(Move, Self)>) {
        let function = &self.functions[at];
        let id = function.id;
        if function.groups.iter().all(|group| group.live.is_none()) {
            self.next(out, Move::Respond(id), |next| {
                next.respond(at);
                next.forget(shelves);
            });
        }
        for (group, one) in function.groups.iter().enumerate() {
            let Some(live) = one.live else { continue };
            let op = shelves.live(live).op.clone();
            for how in self.hows(&op) {
                let mut next = self.clone();
                let told = next.perform(shelves, at, group, &op, how);
                next.go_on(shelves, at, group, &told);
                next.forget(shelves);
                out.push((Move::Act { function: id, group, how }, next));
            }
        }
    }

    fn respond(&mut self, at: usize) {
        let function = self.functions.remove(at);
        if function.holds {
            for group in &function.groups {
                self.lines[group.line]
                    .retain(|message| message.holder != Some(function.id) || !group.done.contains(&message.event));
            }
            self.show_again(function.id);
        }
    }

    fn show_again(&mut self, id: u8) {
        for message in self.lines.iter_mut().flatten().filter(|message| message.holder == Some(id)) {
            message.holder = None;
        }
    }

    fn hows(&self, op: &Op) -> Vec<How> {
        let mut hows = vec![How::Well];
        let mut may = |left: u8, more: &[How]| {
            if left > 0 {
                hows.extend_from_slice(more);
            }
        };
        match op {
            Op::Claim { .. } | Op::Accept { .. } | Op::Save { .. } | Op::Append(_) | Op::Flag { .. } => {
                may(self.left.throttles, &[How::Throttled, How::ThrottledLate]);
            }
            Op::Find(_) | Op::Load { .. } | Op::Look => may(self.left.throttles, &[How::Throttled]),
            Op::Send(_) => {
                may(self.left.sends, &[How::NotSent, How::UnconfirmedArrived, How::UnconfirmedLost, How::Refused]);
            }
            Op::Edit(_) => may(self.left.sends, &[How::Refused]),
            Op::SendPreview(_) => may(self.left.sends, &[How::UnconfirmedArrived]),
            Op::Ask | Op::KeepAsking => {
                may(self.left.silences, &[How::Silent]);
                may(self.left.drafts, &[How::Draft]);
                may(self.left.blocks, &[How::Block]);
                may(self.left.ticks, &[How::Tick]);
            }
            _ => {}
        }
        hows
    }

    fn spend(&mut self, how: How) {
        let left = &mut self.left;
        match how {
            How::Well => {}
            How::Throttled | How::ThrottledLate => left.throttles -= 1,
            How::NotSent | How::UnconfirmedArrived | How::UnconfirmedLost | How::Refused => left.sends -= 1,
            How::Silent => left.silences -= 1,
            How::Draft => left.drafts -= 1,
            How::Block => left.blocks -= 1,
            How::Tick => left.ticks -= 1,
        }
    }

    /// Does it, and says what the attempt is told.
    pub fn perform(&mut self, shelves: &mut Shelves, at: usize, group: usize, op: &Op, how: How) -> Told {
        self.spend(how);
        if how == How::Throttled {
            return Told::Unavailable;
        }
        let session = shelves.scope.lines[self.functions[at].groups[group].line].session;
        let told = match op {
            Op::Claim { event, until } => self.claim(shelves, at, group, session, *event, *until),
            Op::Find(event) => Told::Found(self.row(session, *event)),
            Op::Accept { event, row } => {
                let known = self.row(session, *event);
                let rows = &mut self.stored[session].rows;
                if known.is_none() && !shelves.without(Mutant::RowsForgotten) {
                    rows.push((*event, *row));
                    rows.sort_unstable();
                }
                Told::Accepted(*row, known)
            }
            Op::Load { after } => {
                let entries = self.stored[session].entries.iter().copied();
                Told::Loaded(entries.filter(|entry| shelves.entries.get(*entry).turn > *after).collect())
            }
            Op::Save { head, reaches } => self.save(shelves, at, group, session, *head, *reaches),
            Op::Append(entry) => self.append(shelves, session, *entry),
            Op::Look => {
                let line = self.functions[at].groups[group].line;
                let waiting = self.functions[at].groups[group].waiting.iter().skip(1).copied();
                let behind = self.lines[line].iter().filter(|message| message.holder.is_none());
                let steering = waiting.chain(behind.map(|message| message.event));
                Told::Looked(if shelves.scope.steering { steering.collect() } else { vec![] }, self.stopped)
            }
            Op::Flag { part } => {
                let live = self.functions[at].groups[group].live.unwrap();
                let flag = (shelves.live(live).event.unwrap(), *part);
                let flags = &mut self.stored[session].flags;
                if !flags.contains(&flag) {
                    flags.push(flag);
                    flags.sort_unstable();
                }
                Told::Flagged
            }
            Op::Consult => Told::Consulted,
            Op::Admit => Told::Admitted,
            Op::Ask | Op::KeepAsking => match how {
                How::Silent => Told::Silent,
                How::Draft => Told::Draft,
                How::Block => Told::Block,
                How::Tick => Told::Tick,
                _ => Told::Answered,
            },
            Op::SendPreview(shown) => {
                self.shown.push(*shown);
                Told::PreviewSent((how == How::Well).then_some(self.shown.len()))
            }
            Op::RenewPreview => Told::PreviewRenewed,
            Op::Run(deed) => self.run(shelves, *deed),
            Op::Send(part) => self.send(shelves, *part, how),
            Op::Edit(part) if how == How::Well => {
                // The same message: however often, it is shown once.
                if !self.shown.contains(part) {
                    self.shown.push(*part);
                }
                Told::Edited
            }
            Op::Edit(_) => Told::Refused,
            Op::Wait => Told::Tick,
            Op::Announce => Told::Announced,
            Op::Done { .. } | Op::Again { .. } => unreachable!("an ended attempt does nothing"),
        };
        if how == How::ThrottledLate { Told::Unavailable } else { told }
    }

    fn row(&self, session: usize, event: u8) -> Option<Id> {
        self.stored[session].rows.iter().find(|(known, _)| *known == event).map(|(_, row)| *row)
    }

    // ---- the world

    fn run(&mut self, shelves: &Shelves, deed: Id) -> Told {
        let keyed = super::attempt::effect(&shelves.deeds.get(deed).tool) != Some(chela_core::tool::Effect::Unkeyed);
        match self.deeds.iter_mut().find(|(known, _)| *known == deed) {
            Some((_, times)) => *times += u8::from(!keyed),
            None => self.deeds.push((deed, 1)),
        }
        self.deeds.sort_unstable();
        Told::Returned
    }

    fn send(&mut self, shelves: &Shelves, part: Id, how: How) -> Told {
        if matches!(how, How::Well | How::UnconfirmedArrived) {
            let key = &shelves.shown.get(part).key;
            let known = self.shown.iter().any(|shown| shelves.shown.get(*shown).key == *key);
            if !(shelves.scope.keyed && known) {
                self.shown.push(part);
            }
        }
        match how {
            How::NotSent => Told::NotSent,
            How::UnconfirmedArrived | How::UnconfirmedLost => Told::Unconfirmed,
            How::Refused => Told::Refused,
            _ => Told::Sent,
        }
    }

    // ---- faults

    fn faults(&self, shelves: &mut Shelves, out: &mut Vec<(Move, Self)>) {
        for (at, function) in self.functions.iter().enumerate() {
            let id = function.id;
            if self.left.crashes > 0 {
                self.next(out, Move::Crash(id), |next| {
                    next.left.crashes -= 1;
                    let dead = next.functions.remove(at);
                    next.forget(shelves);
                    if dead.holds {
                        next.show_again(id);
                    }
                });
            }
            if self.left.reshown > 0 && function.holds {
                self.next(out, Move::Reshow(id), |next| {
                    next.left.reshown -= 1;
                    next.functions[at].holds = false;
                    next.show_again(id);
                });
            }
        }
        for session in 0..self.stored.len() {
            let Some(owner) = self.owner_lives(shelves, session) else { continue };
            let outside = matches!(shelves.live(owner).op, Op::Run(_) | Op::Send(_) | Op::Edit(_) | Op::SendPreview(_));
            let may = !outside || shelves.without(Mutant::A1Off);
            if self.left.leases > 0 && may && !self.stored[session].lapsed {
                let late = shelves.paused(owner);
                self.next(out, Move::Lapse(session), |next| {
                    next.left.leases -= 1;
                    next.stored[session].lapsed = true;
                    let groups = next.functions.iter_mut().flat_map(|function| &mut function.groups);
                    let ours = |group: &&mut Group| group.live == Some(owner);
                    groups.filter(ours).for_each(|group| group.live = Some(late));
                });
            }
        }
        for (at, line) in shelves.scope.lines.iter().enumerate() {
            if self.left.repeats > 0 {
                for event in line.events {
                    self.next(out, Move::Repeat(at, *event), |next| {
                        next.left.repeats -= 1;
                        next.lines[at].push(Message { event: *event, receives: 0, holder: None });
                    });
                }
            }
            if let Some(event) = line.later.get(usize::from(self.came[at])) {
                self.next(out, Move::Come(at), |next| {
                    next.came[at] += 1;
                    next.lines[at].push(Message { event: *event, receives: 0, holder: None });
                });
            }
        }
        if self.left.stops > 0 {
            self.next(out, Move::Stop, |next| {
                next.left.stops -= 1;
                next.stopped = true;
            });
        }
    }

    /// Forgets what nobody can tell apart any more: whose lease it was that a dead attempt held, and the number of an
    /// epoch that no living attempt remembers.
    fn forget(&mut self, shelves: &mut Shelves) {
        for session in 0..self.stored.len() {
            let Some(id) = self.stored[session].head else { continue };
            if self.owner_lives(shelves, session).is_some() {
                continue;
            }
            self.stored[session].lapsed = false;
            let groups = self.functions.iter().flat_map(|function| &function.groups);
            let ours = groups.filter(|group| shelves.scope.lines[group.line].session == session);
            let remembered =
                ours.filter_map(|group| group.live).any(|live| shelves.live(live).machine.head().epoch > 0);
            let mut head = shelves.heads.get(id).clone();
            head.release();
            if !remembered {
                head.epoch = 0;
            }
            self.stored[session].head = Some(shelves.heads.put(head));
        }
    }
}

pub fn owner_name(owner: u8) -> String {
    format!("a{owner}")
}
