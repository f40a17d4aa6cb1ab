//! Deletes one conversation, or a person's part in it, under its lease.

use chela_core::directory::Listing;
use chela_core::erasure::{Redaction, Row, RowBody, without_past};
use chela_core::message::EventKey;
use chela_core::session::{Accepted, Claim, Claimed, Control, Entry, Fence, Head, StoreError};
use chela_core::session_key::SessionKey;
use futures_util::future::try_join_all;

use super::find::{PAGE, Work};
use super::{ForgetError, Forgetting, How, State};

/// Longer than one call works.
const LEASE_MS: u64 = 45_000;

/// What is done with the rows of a conversation.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Pass {
    /// All go; events only lose their words.
    Clear,
    /// Words on the turns from this one on are replaced.
    Past(u64),
    /// Events of the person lose their words.
    Events,
}

/// A session that nobody else works on.
struct Hold {
    session: SessionKey,
    owner: String,
    event: EventKey,
    head: Head,
}

impl Forgetting<'_> {
    /// Takes the session, or `None` if a turn is at work in it.
    async fn hold(&self, session: &SessionKey) -> Result<Option<Hold>, StoreError> {
        let (clock, owner) = (self.stores.clock, self.stores.clock.unique());
        let event = EventKey::of("forget", "", &owner);
        let now = clock.now();
        let claim = Claim { event: &event, owner: &owner, now, until: now.plus(LEASE_MS) };
        Ok(match self.stores.sessions.claim(session, &claim).await? {
            Claimed::Held(head) => Some(Hold { session: session.clone(), owner, event, head }),
            Claimed::Busy { .. } | Claimed::Finished => None,
        })
    }

    async fn save(&self, hold: &mut Hold, head: Head) -> Result<(), StoreError> {
        let fence = Fence { epoch: head.epoch, owner: &hold.owner, lease_reaches: Default::default() };
        self.stores.sessions.save(&hold.session, &head, &fence).await?;
        hold.head = head;
        Ok(())
    }

    async fn release(&self, mut hold: Hold) -> Result<(), StoreError> {
        let mut head = hold.head.clone();
        head.release();
        head.revision = head.revision.saturating_add(1);
        self.save(&mut hold, head).await
    }

    /// Deletes a conversation as a whole. Its head stays for some days, see [`chela_core::erasure`].
    pub(super) async fn delete(&self, work: &Work) -> Result<State, ForgetError> {
        let (session, stores) = (&work.listing.session, &self.stores);
        let mut hold = None;
        if stores.sessions.head(session).await?.is_some() {
            let Some(mut held) = self.hold(session).await? else {
                // Whatever it is about, it is not to be finished.
                stores.sessions.set_control(session, &Control { stop_before: stores.clock.now() }).await?;
                return Ok(State::Busy);
            };
            let head = held.head.clone().deleted(&held.event, stores.clock.now());
            self.save(&mut held, head).await?;
            hold = Some(held);
        }
        chela_failpoint::reached("forget.barred");
        let whole = self.each_row(&work.listing, Pass::Clear).await?;
        if whole {
            stores.erasure.remove_marks(session).await?;
        }
        if let Some(hold) = hold {
            self.release(hold).await?;
        }
        if !whole {
            return Ok(State::Left);
        }
        chela_failpoint::reached("forget.cleared");
        stores.erasure.unlist(&work.listing).await?;
        Ok(State::Done)
    }

    /// Replaces a person's part in a conversation.
    pub(super) async fn redact(&self, work: &Work) -> Result<State, ForgetError> {
        let (session, stores, looked) = (&work.listing.session, &self.stores, &work.looked);
        let Some(first) = looked.first() else { return Ok(State::Done) };
        let Some(mut hold) = self.hold(session).await? else { return Ok(State::Busy) };
        let open = hold.head.current.as_ref().filter(|event| **event != hold.event);
        let theirs = open.is_some() && looked.has(hold.head.turn());
        let head = hold.head.clone().redacted(&hold.event, &self.person, theirs, stores.clock.now());
        self.save(&mut hold, head).await?;
        stores.erasure.remove_left(session).await?;
        // What was summed up goes first, and the events that say whose a turn is go last: whoever is stopped in between
        // leaves enough to find the rest by.
        let whole = self.each_row(&work.listing, Pass::Past(first)).await?
            && self.redact_turns(work).await?
            && self.each_row(&work.listing, Pass::Events).await?;
        self.release(hold).await?;
        Ok(if whole { State::Done } else { State::Left })
    }

    /// In order, because what follows in a turn goes with what was said in it.
    async fn redact_turns(&self, work: &Work) -> Result<bool, ForgetError> {
        let session = &work.listing.session;
        let mut redaction = Redaction::new(&self.person, session, work.looked.theirs.clone());
        let mut after = String::new();
        loop {
            let page = self.stores.erasure.stored(session, &after, PAGE).await?;
            let Some(last) = page.last() else { return Ok(true) };
            after.clone_from(&last.name);
            for row in &page {
                let RowBody::Entry(entry) = &row.body else { continue };
                let without = redaction.of(entry);
                if without.is_some() {
                    self.remove_files(&self.files_of(&work.listing, row, How::Redact).await?).await?;
                }
                self.put(session, &row.name, without).await?;
            }
            if self.stores.clock.now() >= self.until {
                return Ok(false);
            }
        }
    }

    async fn put(&self, session: &SessionKey, name: &str, entry: Option<Entry>) -> Result<(), StoreError> {
        let Some(entry) = entry else { return Ok(()) };
        let row = Row { name: name.to_owned(), body: RowBody::Entry(entry) };
        self.stores.erasure.replace(session, &row).await
    }

    /// Goes through all rows, those of a page at once. `false` if time ran out.
    async fn each_row(&self, listing: &Listing, pass: Pass) -> Result<bool, ForgetError> {
        let mut after = String::new();
        loop {
            let page = self.stores.erasure.stored(&listing.session, &after, PAGE).await?;
            let Some(last) = page.last() else { return Ok(true) };
            after.clone_from(&last.name);
            try_join_all(page.iter().map(|row| self.row(listing, pass, row))).await?;
            if self.stores.clock.now() >= self.until {
                return Ok(false);
            }
        }
    }

    /// Files first: the row that names them goes last.
    async fn row(&self, listing: &Listing, pass: Pass, row: &Row) -> Result<(), ForgetError> {
        let (session, erasure) = (&listing.session, self.stores.erasure);
        match (pass, &row.body) {
            (Pass::Past(since), RowBody::Entry(entry)) => {
                self.put(session, &row.name, without_past(entry, since)).await?;
            }
            (Pass::Clear, RowBody::Entry(_)) => {
                self.remove_files(&self.files_of(listing, row, How::Delete).await?).await?;
                erasure.remove(session, &row.name).await?;
            }
            // Its name stays for eight days, so that the platform's repetition of it is known.
            (Pass::Clear | Pass::Events, RowBody::Event(accepted)) => {
                let how = if pass == Pass::Clear { How::Delete } else { How::Redact };
                let theirs = |task| how == How::Delete || self.person.began(task);
                if accepted.task.as_ref().is_some_and(theirs) {
                    self.remove_files(&self.files_of(listing, row, how).await?).await?;
                    let body = RowBody::Event(Accepted { task: None, ..accepted.clone() });
                    erasure.replace(session, &Row { name: row.name.clone(), body }).await?;
                }
            }
            (Pass::Past(_), RowBody::Event(_)) | (Pass::Events, RowBody::Entry(_)) => {}
        }
        Ok(())
    }
}
