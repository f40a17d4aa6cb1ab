//! Which conversations hold something of a person, and how much.

use std::collections::{BTreeMap, BTreeSet};

use chela_agent::STORED;
use chela_core::agent_id::AgentId;
use chela_core::clock::Millis;
use chela_core::directory::Listing;
use chela_core::erasure::{Redaction, Row, RowBody, channel_of_room};
use chela_core::model::Block;
use chela_core::queue::Task;
use chela_core::session::{Accepted, Entry, EntryBody, UserFragment};
use chela_core::session_key::{DmScope, Peer, PeerKind, SessionKey, SessionKeyInput, build_session_key};
use chela_core::shown;

use super::{ForgetError, Forgetting, How, Rooms};

/// Most conversations of an agent, and of one that gave them work, that are looked at.
const MOST: usize = 100_000;

/// Rows read at once.
pub(super) const PAGE: usize = 100;

/// Most files of one message.
const FILES_OF_MESSAGE: usize = 100;

/// One conversation, and what becomes of it.
pub(super) struct Work {
    pub(super) listing: Listing,
    pub(super) how: How,
    pub(super) looked: Looked,
}

/// What was found in a conversation.
#[derive(Default)]
pub(super) struct Looked {
    /// Rows that hold words.
    pub(super) rows: usize,
    /// Files that belong to them.
    pub(super) files: usize,
    /// Turns that events say are theirs.
    pub(super) theirs: Vec<u64>,
    /// Turns that they have a part in, and from when to when each lasted.
    turns: BTreeMap<u64, (Millis, Millis)>,
}

impl Looked {
    /// The first turn they have a part in.
    pub(super) fn first(&self) -> Option<u64> {
        self.turns.keys().chain(&self.theirs).min().copied()
    }

    pub(super) fn has(&self, turn: u64) -> bool {
        self.turns.contains_key(&turn) || self.theirs.contains(&turn)
    }

    /// Whether something that began then was begun in one of these turns: a conversation has one turn at a time.
    fn began(&self, at: Millis) -> bool {
        self.turns.values().any(|(first, last)| (*first..=*last).contains(&at))
    }
}

impl Forgetting<'_> {
    /// All conversations that hold something of them; those that were given work before those that gave it, so that nothing
    /// they report comes back.
    pub(super) async fn conversations(&self) -> Result<Vec<Work>, ForgetError> {
        let mut work: Vec<Work> = Vec::new();
        let mut known: BTreeSet<SessionKey> = BTreeSet::new();
        for agent in &self.house.agents {
            let listings = self.stores.directory.listed(agent, MOST).await?;
            let own = self.own_keys(agent);
            for listing in self.theirs(agent, &listings, &own).await? {
                known.insert(listing.session.clone());
                let looked = self.look(&listing, How::Delete).await?;
                let children = self.stores.directory.children(&listing.session, MOST).await?;
                work.push(Work { listing, how: How::Delete, looked });
                self.add_children(children, &mut work, &mut known).await?;
            }
            for listing in listings {
                if listing.parent.is_some() || known.contains(&listing.session) || !self.may_speak_in(&listing.session)
                {
                    continue;
                }
                let looked = self.look(&listing, How::Redact).await?;
                if looked.first().is_none() {
                    continue;
                }
                self.add_shared(listing, looked, &mut work, &mut known).await?;
            }
        }
        // Whoever gave work was found first.
        work.reverse();
        Ok(work)
    }

    async fn add_shared(
        &self,
        listing: Listing,
        looked: Looked,
        work: &mut Vec<Work>,
        known: &mut BTreeSet<SessionKey>,
    ) -> Result<(), ForgetError> {
        known.insert(listing.session.clone());
        let mut children = self.stores.directory.children(&listing.session, MOST).await?;
        match self.wish.rooms {
            Rooms::Delete => {
                let looked = self.look(&listing, How::Delete).await?;
                work.push(Work { listing, how: How::Delete, looked });
            }
            Rooms::Redact => {
                children.retain(|child| looked.began(child.began));
                work.push(Work { listing, how: How::Redact, looked });
            }
        }
        self.add_children(children, work, known).await
    }

    /// What was begun from a conversation goes as a whole, and what was begun from that.
    async fn add_children(
        &self,
        mut children: Vec<Listing>,
        work: &mut Vec<Work>,
        known: &mut BTreeSet<SessionKey>,
    ) -> Result<(), ForgetError> {
        while let Some(child) = children.pop() {
            if known.insert(child.session.clone()) {
                children.extend(self.stores.directory.children(&child.session, MOST).await?);
                let looked = self.look(&child, How::Delete).await?;
                work.push(Work { listing: child, how: How::Delete, looked });
            }
        }
        Ok(())
    }

    /// The keys of all conversations with an agent that are theirs alone, however direct messages are and were grouped.
    pub(super) fn own_keys(&self, agent: &AgentId) -> BTreeSet<SessionKey> {
        let mut keys = BTreeSet::new();
        for (channel, id) in &self.person.ids {
            let of_channel = self.house.accounts.iter().filter(|(known, _)| channel.is_empty() || known == channel);
            let named = (channel.clone(), "default".to_owned());
            for (channel, account) in of_channel.chain(std::iter::once(&named)) {
                if *channel == self.wish.channel && self.wish.account.as_ref().is_some_and(|wanted| wanted != account) {
                    continue;
                }
                for scope in [DmScope::PerPeer, DmScope::PerChannelPeer, DmScope::PerAccountChannelPeer] {
                    for links in [None, self.house.links] {
                        keys.insert(build_session_key(&SessionKeyInput {
                            agent_id: Some(agent.as_str().to_owned()),
                            channel: Some(channel.clone()),
                            account_id: Some(account.clone()),
                            peer: Some(Peer::new(PeerKind::Direct, id.clone())),
                            dm_scope: Some(scope),
                            identity_links: links.cloned(),
                            ..SessionKeyInput::default()
                        }));
                    }
                }
            }
        }
        keys
    }

    /// Those of these keys that are there, listed or not, and their threads.
    async fn theirs(
        &self,
        agent: &AgentId,
        listings: &[Listing],
        own: &BTreeSet<SessionKey>,
    ) -> Result<Vec<Listing>, ForgetError> {
        let is_own = |session: &SessionKey| {
            let base = session.as_str().split_once(":thread:").map_or(session.as_str(), |(base, _)| base);
            own.contains(session) || own.contains(&SessionKey::from_stored(base))
        };
        let mut found: Vec<Listing> = listings.iter().filter(|it| is_own(&it.session)).cloned().collect();
        for key in own {
            if found.iter().any(|listing| listing.session == *key) {
                continue;
            }
            // A conversation that was deleted before leaves a head for a while; there is nothing else of it.
            if self.stores.sessions.head(key).await?.is_some_and(|head| head.expires().is_none())
                || !self.stores.erasure.stored(key, "", 1).await?.is_empty() && self.has_words(key).await?
            {
                found.push(unlisted(key.clone(), agent));
            }
        }
        Ok(found)
    }

    async fn has_words(&self, session: &SessionKey) -> Result<bool, ForgetError> {
        let looked = self.look(&unlisted(session.clone(), &AgentId::default()), How::Delete).await?;
        Ok(looked.rows > 0)
    }

    /// Whether they may have a part in a conversation that is not theirs: nobody writes in another's direct chat.
    fn may_speak_in(&self, session: &SessionKey) -> bool {
        let direct = session.as_str().contains(":direct:");
        let elsewhere = channel_of_room(session)
            .is_some_and(|room| !self.person.ids.iter().any(|(channel, _)| channel.is_empty() || *channel == room));
        !direct && !elsewhere
    }

    /// Reads a whole conversation.
    pub(super) async fn look(&self, listing: &Listing, how: How) -> Result<Looked, ForgetError> {
        let (mut looked, mut files) = (Looked::default(), BTreeSet::new());
        let mut after = String::new();
        let mut entries: Option<Redaction<'_>> = None;
        loop {
            let page = self.stores.erasure.stored(&listing.session, &after, PAGE).await?;
            let Some(last) = page.last() else { break };
            after.clone_from(&last.name);
            // Events come before entries.
            for row in &page {
                match (&row.body, how) {
                    (RowBody::Event(Accepted { task: None, .. }), _) => continue,
                    (RowBody::Event(Accepted { task: Some(task), turn, .. }), How::Redact) => {
                        if !self.person.began(task) {
                            continue;
                        }
                        looked.theirs.push(*turn);
                    }
                    (RowBody::Entry(entry), How::Redact) => {
                        let theirs = looked.theirs.clone();
                        let redaction =
                            entries.get_or_insert_with(|| Redaction::new(&self.person, &listing.session, theirs));
                        if redaction.of(entry).is_none() {
                            continue;
                        }
                        let span = looked.turns.entry(entry.turn).or_insert((entry.at, entry.at));
                        *span = (span.0.min(entry.at), span.1.max(entry.at));
                    }
                    (_, How::Delete) => {}
                }
                looked.rows = looked.rows.saturating_add(1);
                files.extend(self.files_of(listing, row, how).await?);
            }
        }
        looked.files = files.len();
        Ok(looked)
    }

    /// The files that came with what a row holds, or that it shows. In a room, of rows that are to lose something.
    pub(super) async fn files_of(&self, listing: &Listing, row: &Row, how: How) -> Result<Vec<String>, ForgetError> {
        let agent = &listing.agent;
        let (mut keys, mut beginnings) = (Vec::new(), Vec::new());
        match &row.body {
            RowBody::Event(accepted) => {
                let Some(Task::Message { inbound, .. }) = &accepted.task else { return Ok(keys) };
                if inbound.media.is_empty()
                    || (how == How::Redact && !self.person.is(Some(&inbound.channel), &inbound.sender.id))
                {
                    return Ok(keys);
                }
                let named = inbound.media.iter().filter_map(|media| media.reference.strip_prefix(STORED));
                keys.extend(named.map(str::to_owned));
                let platforms = inbound.event_key();
                for event in [&accepted.event, &platforms] {
                    beginnings.push(format!("media/{agent}/{}-", event.short()));
                    beginnings.push(format!("{}/{}/{}-", chela_agent::INCOMING, inbound.channel, event.as_str()));
                }
            }
            RowBody::Entry(entry) => {
                // Where a turn is theirs, so is what tools showed in it.
                keys.extend(blocks(entry).iter().flat_map(shown::files_of).map(|(key, _)| key.to_owned()));
                let room = channel_of_room(&listing.session);
                for fragment in said(entry) {
                    if how == How::Redact && !self.person.is(room.as_deref(), &fragment.sender) {
                        continue;
                    }
                    keys.extend(fragment.files.iter().map(|file| file.key.clone()));
                    if let Some(event) = fragment.event.as_ref().filter(|_| !fragment.files.is_empty()) {
                        beginnings.push(format!("media/{agent}/{}-", event.short()));
                    }
                }
            }
        }
        for beginning in beginnings {
            let listed = self.stores.files.list(&beginning, FILES_OF_MESSAGE).await?;
            keys.extend(listed.into_iter().map(|file| file.key));
        }
        // Whatever a row says: nothing else of the store is a file of a message.
        keys.retain(|key| key.starts_with("media/"));
        keys.sort_unstable();
        keys.dedup();
        Ok(keys)
    }
}

fn said(entry: &Entry) -> &[UserFragment] {
    match &entry.body {
        EntryBody::Assistant(answer) => &answer.user,
        EntryBody::Steered { user } => user,
        EntryBody::ToolDone { .. } | EntryBody::Summary { .. } | EntryBody::ToolResults { .. } => &[],
    }
}

fn blocks(entry: &Entry) -> &[Block] {
    match &entry.body {
        EntryBody::Assistant(answer) => &answer.blocks,
        EntryBody::ToolResults { results } => results,
        EntryBody::ToolDone { result } => std::slice::from_ref(result),
        EntryBody::Steered { .. } | EntryBody::Summary { .. } => &[],
    }
}

/// A conversation that stands in no list.
pub(super) fn unlisted(session: SessionKey, agent: &AgentId) -> Listing {
    Listing { session, agent: agent.clone(), label: None, parent: None, began: Millis::default(), ended: None }
}
