//! Who waits and who is in flight: the memory of the queue. Knows no database and no clock.
//!
//! A group is either *ready*, and then none of its messages is in flight, or *blocked* until the last visibility of
//! its messages in flight ends. Messages in flight are always the first of their group, because nothing is taken
//! from a blocked group.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;

use chela_core::clock::Millis;
use chela_core::queue::{Depth, Lane};

/// How long the name of an event is remembered, as on SQS: five minutes.
/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/FIFO-queues-exactly-once-processing.html>
const REMEMBERED_MS: u64 = 5 * 60 * 1000;

/// Names are forgotten so many at once, each time with one statement for their rows.
const FORGET_AT_ONCE: usize = 64;

/// Bytes of bodies kept in memory from push to receive, so that a message that is taken at once is never read back.
const BODY_BYTES: usize = 4 * 1024 * 1024;

/// A row of the queue as it is read when the database is opened.
pub(super) struct Row {
    pub(super) id: i64,
    pub(super) lane: Lane,
    pub(super) group: String,
    pub(super) name: Name,
    pub(super) pushed_at: Millis,
    /// Whether it was deleted, and is kept only for its name.
    pub(super) done: bool,
}

/// The name of an event within its session and lane, as 128 bits of a hash.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Name(pub(super) u128);

/// One receive of one message.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Taken {
    pub(super) id: i64,
    pub(super) group: Arc<str>,
    /// Tells this receive from all others.
    pub(super) flight: u64,
    pub(super) receives: u32,
    /// The body, where it is still in memory.
    pub(super) body: Option<String>,
}

/// When something may be received.
#[derive(Debug, PartialEq)]
pub(super) enum Next {
    Now,
    At(Millis),
    /// Not before something is pushed.
    Never,
}

/// What a receipt stands for.
#[derive(Debug, PartialEq)]
pub(super) enum Held {
    /// The newest receive of a message, pushed then.
    Newest { pushed_at: Millis, receives: u32 },
    /// An older receive: somebody else may hold the message.
    Older,
    /// The message is gone.
    Gone,
}

struct Message {
    id: i64,
    pushed_at: Millis,
    receives: u32,
    /// The newest receive, 0 if there was none.
    flight: u64,
    hidden_until: Millis,
    body: Option<String>,
}

#[derive(Default)]
struct Group {
    messages: VecDeque<Message>,
    /// `None` if it is ready.
    blocked_until: Option<Millis>,
}

#[derive(Default)]
struct LaneLines {
    groups: HashMap<Arc<str>, Group>,
    ready: VecDeque<Arc<str>>,
    blocked: BTreeSet<(Millis, Arc<str>)>,
}

#[derive(Default)]
pub(crate) struct Lines {
    live: LaneLines,
    scheduled: LaneLines,
    background: LaneLines,
    flights: u64,
    last_id: i64,
    body_bytes: usize,
    names: HashMap<Name, Millis>,
    /// The same names in the order they were pushed, with their rows.
    pushes: VecDeque<(Millis, i64, Name)>,
    /// The last row whose name was forgotten.
    forgotten: i64,
}

impl Lines {
    /// Takes up a row, oldest first.
    pub(super) fn restore(&mut self, row: Row) {
        self.last_id = self.last_id.max(row.id);
        self.names.insert(row.name, row.pushed_at);
        self.pushes.push_back((row.pushed_at, row.id, row.name));
        if !row.done {
            self.add(row.lane, &row.group, row.id, row.pushed_at, None);
        }
    }

    /// An id for the next message: greater than all before it, and never that of another, since it holds the time.
    pub(super) fn next_id(&mut self, now: Millis) -> i64 {
        let by_time = i64::try_from(now.0).unwrap_or(i64::MAX).saturating_mul(1024);
        self.last_id = self.last_id.saturating_add(1).max(by_time);
        self.last_id
    }

    /// Remembers a name; false if it was pushed less than five minutes ago.
    pub(super) fn remember(&mut self, name: Name, now: Millis) -> bool {
        if self.names.get(&name).is_some_and(|pushed_at| remembered(*pushed_at, now)) {
            return false;
        }
        self.names.insert(name, now);
        true
    }

    /// Takes [`Lines::remember`] back.
    pub(super) fn unremember(&mut self, name: Name) {
        self.names.remove(&name);
    }

    /// Puts a message with a remembered name at the end of its line.
    pub(super) fn push(&mut self, row: Row, body: String) {
        self.pushes.push_back((row.pushed_at, row.id, row.name));
        self.add(row.lane, &row.group, row.id, row.pushed_at, Some(body));
    }

    /// Forgets names that need no longer be remembered, if they are many. Their rows are after the first answered id,
    /// up to the second.
    pub(super) fn forget(&mut self, now: Millis) -> Option<(i64, i64)> {
        let (pushed_at, last, _) = self.pushes.get(FORGET_AT_ONCE - 1)?;
        if remembered(*pushed_at, now) {
            return None;
        }
        let last = *last;
        for (pushed_at, _, name) in self.pushes.drain(..FORGET_AT_ONCE) {
            // A name pushed again after its time is remembered by its newer push.
            if self.names.get(&name) == Some(&pushed_at) {
                self.names.remove(&name);
            }
        }
        Some((std::mem::replace(&mut self.forgotten, last), last))
    }

    /// Whether the row of a message pushed then must stay for its name when the message is deleted.
    pub(super) fn row_stays(pushed_at: Millis, now: Millis) -> bool {
        remembered(pushed_at, now)
    }

    /// Takes up to `max` messages from the groups that have been ready longest, and blocks these groups.
    pub(super) fn take(&mut self, lane: Lane, max: usize, now: Millis, until: Millis) -> Vec<Taken> {
        let mut flights = self.flights;
        let mut freed_bytes = 0;
        let lines = self.lane(lane);
        lines.free(now);
        let mut taken = Vec::new();
        while taken.len() < max
            && let Some(name) = lines.ready.pop_front()
        {
            let Some(group) = lines.groups.get_mut(&name) else { continue };
            for message in group.messages.iter_mut().take(max - taken.len()) {
                flights += 1;
                message.receives = message.receives.saturating_add(1);
                message.flight = flights;
                message.hidden_until = until;
                let body = message.body.take();
                freed_bytes += body.as_ref().map_or(0, String::len);
                let (id, receives) = (message.id, message.receives);
                taken.push(Taken { id, group: name.clone(), flight: flights, receives, body });
            }
            group.blocked_until = Some(until);
            lines.blocked.insert((until, name));
        }
        self.flights = flights;
        self.body_bytes = self.body_bytes.saturating_sub(freed_bytes);
        taken
    }

    /// Takes [`Lines::take`] back, as if it had never been.
    pub(super) fn untake(&mut self, lane: Lane, taken: &Taken) {
        let lines = self.lane(lane);
        if let Some(message) = lines.message(&taken.group, taken.id)
            && message.flight == taken.flight
        {
            message.receives = message.receives.saturating_sub(1);
            message.hidden_until = Millis(0);
            lines.settle(&taken.group, Millis(0));
        }
    }

    /// What a receive stands for now.
    pub(super) fn held(&mut self, lane: Lane, group: &str, id: i64, flight: u64) -> Held {
        match self.lane(lane).message(group, id) {
            None => Held::Gone,
            Some(message) if message.flight != flight => Held::Older,
            Some(message) => Held::Newest { pushed_at: message.pushed_at, receives: message.receives },
        }
    }

    /// Removes a message.
    pub(super) fn remove(&mut self, lane: Lane, group: &str, id: i64, now: Millis) {
        let lines = self.lane(lane);
        let Some(messages) = lines.groups.get_mut(group).map(|group| &mut group.messages) else { return };
        let Ok(at) = messages.binary_search_by_key(&id, |message| message.id) else { return };
        let bytes = messages.remove(at).and_then(|message| message.body).map_or(0, |body| body.len());
        lines.settle(group, now);
        self.body_bytes = self.body_bytes.saturating_sub(bytes);
    }

    /// Hides a message in flight until then instead; false if this receive no longer holds it.
    pub(super) fn hide(&mut self, lane: Lane, group: &str, id: i64, flight: u64, now: Millis, until: Millis) -> bool {
        let lines = self.lane(lane);
        let Some(message) = lines.message(group, id) else { return false };
        if message.flight != flight || message.hidden_until <= now {
            return false;
        }
        message.hidden_until = until;
        lines.settle(group, now);
        true
    }

    /// When something may be received from this lane.
    pub(super) fn next(&self, lane: Lane, now: Millis) -> Next {
        let lines = self.lane_ref(lane);
        match (lines.ready.is_empty(), lines.blocked.first()) {
            (false, _) => Next::Now,
            (true, Some((until, _))) if *until <= now => Next::Now,
            (true, Some((until, _))) => Next::At(*until),
            (true, None) => Next::Never,
        }
    }

    /// How many messages the lane holds.
    pub(super) fn depth(&self, lane: Lane, now: Millis) -> Depth {
        let mut depth = Depth::default();
        for message in self.lane_ref(lane).groups.values().flat_map(|group| &group.messages) {
            let counted = if message.hidden_until > now { &mut depth.in_flight } else { &mut depth.waiting };
            *counted += 1;
        }
        depth
    }

    fn add(&mut self, lane: Lane, group: &str, id: i64, pushed_at: Millis, body: Option<String>) {
        let room = BODY_BYTES.saturating_sub(self.body_bytes);
        let body = body.filter(|body| body.len() <= room);
        self.body_bytes += body.as_ref().map_or(0, String::len);
        let lines = self.lane(lane);
        let message = Message { id, pushed_at, receives: 0, flight: 0, hidden_until: Millis(0), body };
        match lines.groups.get_mut(group) {
            Some(group) => group.messages.push_back(message),
            None => {
                let name: Arc<str> = group.into();
                lines.ready.push_back(name.clone());
                lines.groups.insert(name, Group { messages: VecDeque::from([message]), blocked_until: None });
            }
        }
    }

    fn lane(&mut self, lane: Lane) -> &mut LaneLines {
        match lane {
            Lane::Live => &mut self.live,
            Lane::Scheduled => &mut self.scheduled,
            Lane::Background => &mut self.background,
        }
    }

    fn lane_ref(&self, lane: Lane) -> &LaneLines {
        match lane {
            Lane::Live => &self.live,
            Lane::Scheduled => &self.scheduled,
            Lane::Background => &self.background,
        }
    }
}

impl LaneLines {
    /// Makes groups ready whose last visibility has ended.
    fn free(&mut self, now: Millis) {
        while self.blocked.first().is_some_and(|(until, _)| *until <= now) {
            let Some((_, name)) = self.blocked.pop_first() else { return };
            if let Some(group) = self.groups.get_mut(&name) {
                group.blocked_until = None;
                self.ready.push_back(name);
            }
        }
    }

    fn message(&mut self, group: &str, id: i64) -> Option<&mut Message> {
        let messages = &mut self.groups.get_mut(group)?.messages;
        let at = messages.binary_search_by_key(&id, |message| message.id).ok()?;
        messages.get_mut(at)
    }

    /// Blocks, frees or forgets a group after one of its messages changed.
    fn settle(&mut self, name: &str, now: Millis) {
        let Some((key, group)) = self.groups.get_key_value(name) else { return };
        let empty = group.messages.is_empty();
        let Some(before) = group.blocked_until else {
            if empty {
                self.ready.retain(|ready| **ready != *name);
                self.groups.remove(name);
            }
            return;
        };
        let in_flight = group.messages.iter().take_while(|message| message.flight > 0);
        let until = in_flight.map(|message| message.hidden_until).max().filter(|until| *until > now);
        if until == Some(before) {
            return;
        }
        let key = key.clone();
        self.blocked.remove(&(before, key.clone()));
        if empty {
            self.groups.remove(name);
            return;
        }
        match until {
            Some(until) => self.blocked.insert((until, key)),
            None => {
                self.ready.push_back(key);
                true
            }
        };
        if let Some(group) = self.groups.get_mut(name) {
            group.blocked_until = until;
        }
    }
}

/// A clock that was set back must not make a name unforgettable.
fn remembered(pushed_at: Millis, now: Millis) -> bool {
    now.since(pushed_at) < REMEMBERED_MS && pushed_at.since(now) < REMEMBERED_MS
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Millis = Millis(4_000_000_000_000);

    fn push(lines: &mut Lines, group: &str, name: u128, body: String) -> i64 {
        let id = lines.next_id(NOW);
        let row = Row { id, lane: Lane::Live, group: group.to_owned(), name: Name(name), pushed_at: NOW, done: false };
        lines.push(row, body);
        id
    }

    #[test]
    fn bodies_in_memory_have_a_limit_and_make_room_again() {
        let mut lines = Lines::default();
        let megabytes = |n: usize| "x".repeat(n * 1024 * 1024);
        for round in 0..3 {
            for (at, size) in [3, 2, 1, 1].into_iter().enumerate() {
                push(&mut lines, "a", round * 10 + at as u128, megabytes(size));
            }
            let taken = lines.take(Lane::Live, 10, NOW, NOW.plus(1));
            let kept: Vec<_> = taken.iter().map(|taken| taken.body.as_ref().map(String::len)).collect();
            assert_eq!(kept, [Some(3 << 20), None, Some(1 << 20), None], "round {round}");
            taken.iter().for_each(|taken| lines.remove(Lane::Live, "a", taken.id, NOW));
        }
    }

    #[test]
    fn ids_grow_also_when_the_clock_is_set_back() {
        let mut lines = Lines::default();
        let ids = [NOW, NOW, Millis(0), NOW.plus(1), Millis(u64::MAX), NOW].map(|now| lines.next_id(now));
        assert!(ids.is_sorted_by(|a, b| a < b || *b == i64::MAX), "{ids:?}");
    }

    #[test]
    fn a_clock_that_was_set_back_does_not_make_names_unforgettable() {
        let mut lines = Lines::default();
        assert!(lines.remember(Name(1), NOW.plus(365 * 24 * 3600 * 1000)));
        assert!(lines.remember(Name(1), NOW), "an hour in the far future is no repetition");
        assert!(!lines.remember(Name(1), NOW.plus(1)));
    }

    #[test]
    fn a_name_pushed_again_after_its_time_is_remembered_by_its_newer_push() {
        let mut lines = Lines::default();
        for name in 0..64 {
            assert!(lines.remember(Name(name), NOW));
            push(&mut lines, "a", name, String::new());
        }
        assert_eq!(lines.forget(NOW), None, "their time is not over");
        let later = NOW.plus(REMEMBERED_MS);
        assert!(lines.remember(Name(0), later));
        assert!(lines.forget(later).is_some());
        assert!(!lines.remember(Name(0), later), "pushed a moment ago");
        assert!(lines.remember(Name(1), later), "forgotten");
    }

    #[test]
    fn a_deleted_message_leaves_no_group_behind() {
        let mut lines = Lines::default();
        let ids = [push(&mut lines, "a", 1, String::new()), push(&mut lines, "b", 2, String::new())];
        lines.take(Lane::Live, 1, NOW, NOW.plus(1000));
        lines.remove(Lane::Live, "a", ids[0], NOW);
        lines.remove(Lane::Live, "b", ids[1], NOW);
        let LaneLines { groups, ready, blocked } = &lines.live;
        assert!(groups.is_empty() && ready.is_empty() && blocked.is_empty());
        assert_eq!(lines.next(Lane::Live, NOW.plus(1000)), Next::Never);
    }
}
