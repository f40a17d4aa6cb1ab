//! The store of sessions, with the semantics of its port; mutants take them away.

use chela_core::clock::Millis;
use chela_core::session::{EntryBody, Head, Intent};

use super::attempt::{Id, NOW, Shelves, Told};
use super::scope::Mutant;
use super::world::{State, owner_name};

impl State {
    pub fn head(&self, shelves: &Shelves, session: usize) -> Head {
        self.stored[session].head.map(|id| shelves.heads.get(id).clone()).unwrap_or_default()
    }

    /// Whether the attempt that holds the session is alive.
    pub fn owner_lives(&self, shelves: &Shelves, session: usize) -> Option<Id> {
        let head = shelves.heads.get(self.stored[session].head?);
        let groups = self.functions.iter().flat_map(|function| &function.groups);
        let mut alive = groups.filter(|group| shelves.scope.lines[group.line].session == session);
        alive.find(|group| group.live.is_some() && owner_name(group.owner) == head.owner)?.live
    }

    pub fn claim(
        &mut self,
        shelves: &mut Shelves,
        at: usize,
        group: usize,
        session: usize,
        event: u8,
        until: Millis,
    ) -> Told {
        let mut head = self.head(shelves, session);
        let owner = owner_name(self.functions[at].groups[group].owner);
        let key = shelves.key(event);
        if head.finished(&key) {
            return Told::Finished;
        }
        // A dead attempt's lease runs out by itself, sooner or later: whoever was too early comes again.
        let live = self.owner_lives(shelves, session).is_some() && !self.stored[session].lapsed;
        let free = head.owner.is_empty() || head.owner == owner || !live || shelves.without(Mutant::LeaseOff);
        if !free {
            return Told::Busy;
        }
        if head.current.is_none() {
            head.current = Some(key);
            head.attempts = 0;
        }
        head.attempts += 1;
        head.epoch += 1;
        head.owner = owner;
        head.lease_until = until;
        let head = shelves.heads.put(head);
        self.stored[session].head = Some(head);
        self.stored[session].lapsed = false;
        Told::Held(head)
    }

    pub fn save(
        &mut self,
        shelves: &mut Shelves,
        at: usize,
        group: usize,
        session: usize,
        head: Id,
        reaches: Millis,
    ) -> Told {
        let stored = self.head(shelves, session);
        let owner = owner_name(self.functions[at].groups[group].owner);
        let new = shelves.heads.get(head).clone();
        let ours = stored.epoch == new.epoch && stored.owner == owner;
        let lapsed = self.stored[session].lapsed;
        let lasts = reaches == Millis(0) || (!lapsed && stored.lease_until >= reaches);
        let fence = ours || shelves.without(Mutant::FenceOff);
        if !fence || !(lasts || shelves.without(Mutant::LeaseCheckOff)) {
            return Told::Fenced;
        }
        self.stored[session].head = Some(self.as_kept(shelves, head, new.clone()));
        // Whoever asked for a longer lease and then paused stores an end that has passed.
        let live = shelves.live(self.functions[at].groups[group].live.unwrap());
        self.stored[session].lapsed = new.lease_until <= NOW.plus(live.clock);
        Told::Saved
    }

    pub fn as_kept(&self, shelves: &mut Shelves, id: Id, mut head: Head) -> Id {
        let (tools, parts) = (shelves.without(Mutant::ToolJournalOff), shelves.without(Mutant::OutboxMarkOff));
        let places = shelves.without(Mutant::PlaceholdersForgotten);
        if !tools && !parts && !places {
            return id;
        }
        if places {
            head.preview = None;
        }
        head.intents.retain(|intent| match intent {
            Intent::Tool { .. } => !tools,
            Intent::Send { .. } => !parts,
            Intent::Preview => true,
        });
        shelves.heads.put(head)
    }

    pub fn append(&mut self, shelves: &mut Shelves, session: usize, entry: Id) -> Told {
        let new = shelves.entries.get(entry);
        if shelves.without(Mutant::ToolJournalOff) && matches!(new.body, EntryBody::ToolDone { .. }) {
            return Told::Appended(None);
        }
        let place = new.place();
        let entries = &mut self.stored[session].entries;
        let known = entries.iter().position(|known| shelves.entries.get(*known).place() == place);
        match known {
            Some(at) if shelves.without(Mutant::LastWriterWins) => {
                entries[at] = entry;
                Told::Appended(None)
            }
            Some(at) => Told::Appended(Some(entries[at])),
            None => {
                let at = entries.partition_point(|known| shelves.entries.get(*known).place() < place);
                entries.insert(at, entry);
                Told::Appended(None)
            }
        }
    }
}
