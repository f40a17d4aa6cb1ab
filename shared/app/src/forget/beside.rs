//! What is stored of a person beside conversations.

use chela_core::access::SenderRef;
use chela_core::approval::session_of_request;
use chela_core::directory::Listing;
use chela_core::job::{Book, book, change};
use chela_core::queue::Envelope;
use chela_core::session::StoreError;
use chela_core::session_key::SessionKey;

use super::find::{Looked, Work, unlisted};
use super::{ForgetError, Forgetting, How};

/// Most exports of one conversation, and most dead letters, that are looked at.
const MOST: usize = 1000;

impl Forgetting<'_> {
    /// Files that `/export` made of a conversation.
    pub(super) async fn exports(&self, listing: &Listing) -> Result<Vec<String>, ForgetError> {
        let beginning = format!("agents/{}/{}-", listing.agent, chela_agent::export_name(&listing.session));
        let listed = self.stores.files.list(&beginning, MOST).await?;
        Ok(listed.into_iter().map(|file| file.key).collect())
    }

    /// That they were let in, or asked to be.
    pub(super) async fn approvals(&self) -> Result<usize, ForgetError> {
        let mut found = 0_usize;
        for (channel, id) in &self.person.ids {
            for (of, account) in &self.house.accounts {
                let other = *of == self.wish.channel && self.wish.account.as_ref().is_some_and(|one| one != account);
                if other || (!channel.is_empty() && channel != of) {
                    continue;
                }
                let who = SenderRef { channel: of.clone(), account: account.clone(), sender: id.clone() };
                found = found.saturating_add(usize::from(self.disapprove(&who).await?));
            }
        }
        Ok(found)
    }

    async fn disapprove(&self, who: &SenderRef) -> Result<bool, StoreError> {
        if !self.wish.dry_run {
            return self.stores.erasure.disapprove(who).await;
        }
        let access = self.stores.access;
        let waiting = access.pending(&who.channel, &who.account, self.stores.clock.now()).await?;
        Ok(access.approved(who).await? || waiting.iter().any(|request| request.who == *who))
    }

    /// What agents were to do for them later. A firing that nothing is written about means nothing.
    pub(super) async fn schedules(&self) -> Result<usize, ForgetError> {
        let (files, mut found) = (self.stores.files, 0_usize);
        for agent in &self.house.agents {
            let own = self.own_keys(agent);
            let without = |book: &mut Book| {
                let before = book.jobs.len();
                book.jobs.retain(|job| !own.contains(&job.session) && !self.person.is_among(&job.made_for.limit.who));
                Ok::<usize, std::convert::Infallible>(before.saturating_sub(book.jobs.len()))
            };
            let count = if self.wish.dry_run {
                without(&mut book(files, agent).await?).unwrap_or_default()
            } else {
                change(files, agent, without).await?
            };
            found = found.saturating_add(count);
        }
        Ok(found)
    }

    /// Requests for consent to calls that were made for them, and the conversations in which the owner was asked.
    pub(super) async fn requests(&self, gone: &[SessionKey]) -> Result<usize, ForgetError> {
        let mut found = 0_usize;
        for request in self.stores.erasure.requests().await? {
            if !gone.contains(&request.session) && !self.person.is_among(&request.caller.limit.who) {
                continue;
            }
            found = found.saturating_add(1);
            if self.wish.dry_run {
                continue;
            }
            let listing = unlisted(session_of_request(&request), &request.agent);
            self.delete(&Work { listing, how: How::Delete, looked: Looked::default() }).await?;
            self.stores.erasure.remove_request(&request.id).await?;
        }
        Ok(found)
    }

    /// What they alone had noted. The index holds a copy of it, and is made anew where it is missing.
    pub(super) async fn notes(&self) -> Result<usize, ForgetError> {
        let (files, mut found) = (self.stores.files, 0_usize);
        for agent in &self.house.agents {
            let mut here = false;
            for (channel, id) in &self.person.ids {
                let key = format!("agents/{agent}/{}", chela_memory::guest_note(channel, id));
                if files.list(&key, 1).await?.is_empty() {
                    continue;
                }
                (here, found) = (true, found.saturating_add(1));
                if !self.wish.dry_run {
                    files.delete(&key, None).await?;
                }
            }
            if here && !self.wish.dry_run {
                files.delete(&format!("agents/{agent}/{}", chela_memory::INDEX), None).await?;
            }
        }
        Ok(found)
    }

    /// Messages of theirs, or for conversations that are gone, that could not be handled.
    pub(super) async fn buried(&self, gone: &[SessionKey]) -> Result<usize, ForgetError> {
        let mut found = 0_usize;
        for letter in self.stores.dead_letters.buried(MOST).await? {
            let Ok(envelope) = serde_json::from_str::<Envelope>(&letter.body) else { continue };
            if !gone.contains(&envelope.session) && !self.person.began(&envelope.task) {
                continue;
            }
            found = found.saturating_add(1);
            if !self.wish.dry_run {
                self.stores.dead_letters.discard(letter.lane, &letter.id).await?;
            }
        }
        Ok(found)
    }
}
