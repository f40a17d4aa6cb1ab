//! Finding passages of notes.
//!
//! Each search first brings the index up to date by the notes' tags, so that a note is found the moment it is written, by
//! whatever means and whichever process. The index is kept in memory between searches, and written back only over the
//! version that was read: whoever loses that race has lost nothing, because it can always be made again.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex as StdMutex, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use chela_core::agent_id::AgentId;
use chela_core::blob::{Blob, BlobError, BlobStore, Listed as BlobListed, Precondition};
use chela_core::purse::Purse;
use futures_util::{StreamExt as _, stream};
use jiff::civil::Date;
use tokio::sync::Mutex;

use crate::embed::{EmbedError, Embedder};
use crate::index::{Index, Stored};
use crate::origin::{Trust, read_marker};
use crate::place::{Audience, Listed, day, is_guests, key, notes};
use crate::rank::{Candidate, Likeness, rank};
use crate::settings::{Hybrid, Settings};
use crate::vector::Vector;

/// Where the index is kept, beside the notes.
pub const INDEX: &str = "index/memory.sqlite";

/// Notes that are read at a time.
const READ_AT_ONCE: usize = 16;

/// Most passages that one search has embedded: some requests' worth. The rest is found by words until its turn comes.
const EMBEDDED_AT_ONCE: usize = 256;

/// Agents whose indexes are kept in memory.
const WARM_MAX: usize = 4;

/// Writing a megabyte of index is worth what reading one note is.
const BYTES_A_CHANGE: usize = 1024 * 1024;

/// Why nothing can be found.
#[derive(Debug, thiserror::Error)]
pub enum RecallError {
    /// The store failed: try again.
    #[error("The notes cannot be reached ({0}). Try again later.")]
    Store(#[from] BlobError),
    /// No index can be made of the notes.
    #[error("The notes cannot be searched at the moment ({0}). Read them with read.")]
    Index(#[from] rusqlite::Error),
}

/// What is looked for.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// Whose notes.
    pub agent: &'a AgentId,
    /// Who may see what is found.
    pub audience: &'a Audience,
    /// Words, or a whole question.
    pub text: &'a str,
    /// Most passages; as many as are configured if left out.
    pub most: Option<usize>,
    /// Today, where the owner lives.
    pub today: Date,
}

/// A passage that fits.
#[derive(Clone, Debug, PartialEq)]
pub struct Hit {
    /// The note.
    pub path: String,
    /// First line, from 1.
    pub start_line: usize,
    /// Last line.
    pub end_line: usize,
    /// The headings it is under, outermost first.
    pub heading: String,
    /// What it says.
    pub text: String,
    /// Between 0 and 1; only comparable within one answer.
    pub score: f64,
    /// Who wrote it, as in [`crate::Origin::author`].
    pub author: String,
    /// How far it can be believed.
    pub trust: Trust,
}

/// What was found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Recall {
    /// Best first.
    pub hits: Vec<Hit>,
    /// How many notes were looked through.
    pub notes: usize,
    /// Why meaning was not looked at, if it should have been.
    pub remark: Option<String>,
}

/// What a new index holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rebuilt {
    /// Notes.
    pub notes: usize,
    /// Their passages.
    pub passages: usize,
    /// Passages whose meaning is known.
    pub embedded: usize,
    /// Why not all are, if they should be.
    pub remark: Option<String>,
}

/// Whether what is noted can be found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    /// The note of which a sentence was looked for.
    pub path: String,
    /// How many notes were looked through.
    pub notes: usize,
    /// Whether it was found.
    pub found: bool,
    /// Why meaning was not looked at, if it should have been.
    pub remark: Option<String>,
}

/// What agents remember, as one process sees it.
pub struct Memory {
    settings: Settings,
    embedder: Option<Embedder>,
    warm: StdMutex<HashMap<AgentId, Slot>>,
}

type Slot = Arc<Mutex<Option<Warm>>>;

/// An index in memory.
struct Warm {
    index: Index,
    /// The tag of the stored version it was made from.
    stored: Option<String>,
    /// Notes read and passages embedded since it was stored.
    unsaved: usize,
}

impl Default for Memory {
    fn default() -> Self {
        Self::new(Settings::default(), None)
    }
}

impl Memory {
    /// Searches like this; by words alone without an embedder.
    pub fn new(settings: Settings, embedder: Option<Embedder>) -> Self {
        Self { settings, embedder, warm: StdMutex::default() }
    }

    /// How it searches.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The passages that fit best. `purse` pays for meaning; what it does not pay for is found by words.
    pub async fn search(
        &self,
        files: &dyn BlobStore,
        purse: &dyn Purse,
        question: &Question<'_>,
    ) -> Result<Recall, RecallError> {
        let listed = notes(files, question.agent).await?;
        let (asked, mut remark) = match &self.embedder {
            Some(embedder) => match embedder.question(question.text, purse).await {
                Ok(vector) => (vector, None),
                Err(error) => (None, Some(by_words_only(&error))),
            },
            None => (None, None),
        };
        let slot = self.slot(question.agent);
        let mut slot = slot.lock().await;
        let mut warm = match slot.take() {
            Some(warm) => warm,
            None => self.load(files, question.agent).await?,
        };
        // An index that fails anywhere on the way is made again from nothing, once.
        let answer = match self.answer(files, purse, &mut warm, &listed, question, asked.as_ref()).await {
            Err(RecallError::Index(_)) => {
                warm = self.empty(warm.stored)?;
                self.answer(files, purse, &mut warm, &listed, question, asked.as_ref()).await
            }
            other => other,
        };
        let (hits, trouble) = answer?;
        remark = remark.or(trouble);
        if self.keep(files, question.agent, &mut warm).await {
            *slot = Some(warm);
        }
        let notes = listed.keys().filter(|path| question.audience.may_read(path)).count();
        Ok(Recall { hits, notes, remark })
    }

    /// Makes the index from nothing, with the meaning of every passage, and stores it.
    pub async fn rebuild(
        &self,
        files: &dyn BlobStore,
        purse: &dyn Purse,
        agent: &AgentId,
    ) -> Result<Rebuilt, RecallError> {
        let listed = notes(files, agent).await?;
        let slot = self.slot(agent);
        let mut slot = slot.lock().await;
        let mut warm = self.empty(None)?;
        self.update(files, &mut warm, agent, &listed).await?;
        let mut remark = None;
        if let Some(embedder) = &self.embedder {
            while let Ok(left) = self.embed(embedder, purse, &mut warm).await.map_err(|error| remark = Some(error)) {
                if left == 0 {
                    break;
                }
            }
        }
        let (passages, embedded) = warm.index.counts()?;
        let bytes = Bytes::from(warm.index.bytes()?);
        warm.stored = Some(files.put(&key(agent, INDEX), bytes, Precondition::None).await?);
        warm.unsaved = 0;
        *slot = Some(warm);
        Ok(Rebuilt { notes: listed.len(), passages, embedded, remark })
    }

    /// Looks for a sentence of a note and says where it stands and whether it was found; `None` if there is no note.
    /// Nothing is written.
    pub async fn prove(
        &self,
        files: &dyn BlobStore,
        purse: &dyn Purse,
        agent: &AgentId,
        today: Date,
    ) -> Result<Option<Proof>, RecallError> {
        let files = &Unwritten(files);
        let listed = notes(files, agent).await?;
        // The last one in order of names is a topic or the newest day.
        for path in listed.keys().rev().filter(|path| !is_guests(path)) {
            let Some(note) = files.get(&key(agent, path)).await? else { continue };
            let text = String::from_utf8_lossy(&note.bytes).into_owned();
            let lines = text.lines().filter(|line| read_marker(line).is_none());
            let Some(sentence) = lines.max_by_key(|line| line.chars().filter(|c| c.is_alphanumeric()).count()) else {
                continue;
            };
            let sentence: String = sentence.trim().chars().take(200).collect();
            if !sentence.chars().any(char::is_alphanumeric) {
                continue;
            }
            let question = Question { agent, audience: &Audience::Owner, text: &sentence, most: None, today };
            let recall = self.search(files, purse, &question).await?;
            let found = recall.hits.iter().any(|hit| hit.path == *path || hit.text.contains(&sentence));
            return Ok(Some(Proof { path: path.clone(), notes: recall.notes, found, remark: recall.remark }));
        }
        Ok(None)
    }

    /// The agent's place among the warm ones.
    fn slot(&self, agent: &AgentId) -> Slot {
        let mut warm = self.warm.lock().unwrap_or_else(PoisonError::into_inner);
        if !warm.contains_key(agent) && warm.len() >= WARM_MAX {
            warm.clear();
        }
        warm.entry(agent.clone()).or_default().clone()
    }

    /// The stored index, or an empty one if there is none that can be used.
    async fn load(&self, files: &dyn BlobStore, agent: &AgentId) -> Result<Warm, RecallError> {
        let Some(blob) = files.get(&key(agent, INDEX)).await? else { return self.empty(None) };
        let stored = Some(blob.etag);
        match Index::open(&blob.bytes, self.settings.tokens, self.settings.overlap) {
            Ok(index) => Ok(Warm { index, stored, unsaved: 0 }),
            Err(_) => self.empty(stored),
        }
    }

    fn empty(&self, stored: Option<String>) -> Result<Warm, RecallError> {
        let index = Index::empty(self.settings.tokens, self.settings.overlap)?;
        Ok(Warm { index, stored, unsaved: 0 })
    }

    async fn answer(
        &self,
        files: &dyn BlobStore,
        purse: &dyn Purse,
        warm: &mut Warm,
        listed: &BTreeMap<String, Listed>,
        question: &Question<'_>,
        asked: Option<&Vector>,
    ) -> Result<(Vec<Hit>, Option<String>), RecallError> {
        self.update(files, warm, question.agent, listed).await?;
        let mut remark = None;
        if let (Some(embedder), Some(asked)) = (&self.embedder, asked) {
            if warm.index.dimensions()?.is_some_and(|dimensions| dimensions != asked.bytes.len()) {
                warm.index.without_vectors()?;
            }
            match self.embed(embedder, purse, warm).await {
                Ok(0) => {}
                Ok(left) => remark = Some(format!("{left} passages are searched by words alone so far.")),
                Err(error) => remark = Some(error),
            }
        }
        Ok((self.find(&warm.index, question, asked)?, remark))
    }

    /// Reads what is new and forgets what is gone.
    async fn update(
        &self,
        files: &dyn BlobStore,
        warm: &mut Warm,
        agent: &AgentId,
        listed: &BTreeMap<String, Listed>,
    ) -> Result<(), RecallError> {
        if let Some(embedder) = &self.embedder
            && warm.index.of_model(&embedder.identity())?
        {
            warm.unsaved = warm.unsaved.saturating_add(1);
        }
        let known = warm.index.known()?;
        let stale = listed.iter().filter(|(path, note)| known.get(*path) != Some(&note.etag));
        let reads = stale.map(|(path, note)| async move { (path, note, files.get(&key(agent, path)).await) });
        let mut reads = stream::iter(reads.collect::<Vec<_>>()).buffered(READ_AT_ONCE);
        while let Some((path, listed, read)) = reads.next().await {
            let Some(note) = read? else { continue };
            // The version that was read counts, though it may be newer than the listed one.
            let tag = if note.etag.is_empty() { &listed.etag } else { &note.etag };
            warm.index.put(path, tag, &String::from_utf8_lossy(&note.bytes))?;
            warm.unsaved = warm.unsaved.saturating_add(1);
        }
        for path in known.keys().filter(|path| !listed.contains_key(*path)) {
            warm.index.forget(path)?;
            warm.unsaved = warm.unsaved.saturating_add(1);
        }
        Ok(())
    }

    /// Has some passages embedded and says how many are left; an error is a remark for people.
    async fn embed(&self, embedder: &Embedder, purse: &dyn Purse, warm: &mut Warm) -> Result<usize, String> {
        let trouble = |error: rusqlite::Error| format!("the index cannot keep vectors: {error}");
        let missing = warm.index.without_vector(EMBEDDED_AT_ONCE).map_err(trouble)?;
        if missing.is_empty() {
            return Ok(0);
        }
        let (ids, texts): (Vec<i64>, Vec<String>) = missing.into_iter().unzip();
        let made = embedder.passages(&texts, purse).await.map_err(|error| by_words_only(&error))?;
        let vectors: Vec<(i64, Vector)> =
            ids.into_iter().zip(made).filter_map(|(id, vector)| Some((id, vector?))).collect();
        if vectors.is_empty() {
            return Err("the provider knows no meaning of what is left".to_owned());
        }
        let dimensions = |vector: Option<&(i64, Vector)>| vector.map(|(_, vector)| vector.bytes.len());
        let before = warm.index.dimensions().map_err(trouble)?;
        if before.is_some() && before != dimensions(vectors.first()) {
            warm.index.without_vectors().map_err(trouble)?;
        }
        warm.index.put_vectors(&vectors).map_err(trouble)?;
        warm.unsaved = warm.unsaved.saturating_add(vectors.len());
        let (passages, embedded) = warm.index.counts().map_err(trouble)?;
        Ok(passages.saturating_sub(embedded))
    }

    pub(crate) fn find(
        &self,
        index: &Index,
        question: &Question<'_>,
        asked: Option<&Vector>,
    ) -> Result<Vec<Hit>, RecallError> {
        let most = question.most.unwrap_or(self.settings.max_results).clamp(1, self.settings.max_results.max(1));
        let times = self.settings.hybrid.unwrap_or(Hybrid { candidates: 4, ..Hybrid::default() }).candidates.max(1);
        let looked_at = most.saturating_mul(times);
        let places = question.audience.places();
        let places = places.as_ref().map(<[&str; 2]>::as_slice);
        let near = asked.map(|asked| index.by_meaning(asked, places)).transpose()?.unwrap_or_default();
        // Words are left aside where meaning is known and nothing else is wished.
        let words = if near.is_empty() || self.settings.hybrid.is_some() {
            index.by_words(question.text, places, looked_at)?
        } else {
            Vec::new()
        };
        let words: HashMap<i64, f64> = words.into_iter().collect();
        let order = |(one_id, one): &(i64, f64), (other_id, other): &(i64, f64)| {
            other.total_cmp(one).then(one_id.cmp(other_id))
        };
        let mut nearest = near;
        // The meaning of what was found by its words counts as well, however far it is.
        let mut known: HashMap<i64, f64> = nearest.iter().filter(|(id, _)| words.contains_key(id)).copied().collect();
        if nearest.len() > looked_at {
            nearest.select_nth_unstable_by(looked_at, order);
            nearest.truncate(looked_at);
        }
        known.extend(nearest.iter().copied());
        let mut ids: Vec<i64> = words.keys().copied().chain(nearest.into_iter().map(|(id, _)| id)).collect();
        ids.sort_unstable();
        ids.dedup();
        let mut candidates = Vec::new();
        for id in ids {
            let Some(mut passage) = index.piece(id)? else { continue };
            // The index was asked for these places alone; this holds even if it lies.
            if !question.audience.may_read(&passage.path) {
                continue;
            }
            let likeness = Likeness::new(&passage.text, passage.vector.take());
            let (text, vector) = (words.get(&id).copied(), known.get(&id).copied());
            candidates.push(Candidate { text, vector, day: day(&passage.path), likeness, passage });
        }
        let ranked = rank(candidates, question.today, &self.settings, most);
        Ok(ranked.into_iter().map(|(score, candidate)| hit(score, candidate.passage)).collect())
    }

    /// Stores the index if that is worth it. `false` if somebody else stored another meanwhile, which then is the better
    /// one to begin with.
    async fn keep(&self, files: &dyn BlobStore, agent: &AgentId, warm: &mut Warm) -> bool {
        let Ok(size) = warm.index.size() else { return false };
        if warm.unsaved == 0 || warm.unsaved.saturating_mul(BYTES_A_CHANGE) < size {
            return true;
        }
        let Ok(bytes) = warm.index.bytes() else { return false };
        let precondition = warm.stored.clone().map_or(Precondition::Absent, Precondition::Matches);
        match files.put(&key(agent, INDEX), Bytes::from(bytes), precondition).await {
            Ok(tag) => {
                warm.stored = Some(tag);
                warm.unsaved = 0;
                true
            }
            Err(BlobError::Conflict(_)) => false,
            // A full disk costs the next process some time, nothing more.
            Err(_) => true,
        }
    }
}

/// A store in which nothing is written.
struct Unwritten<'a>(&'a dyn BlobStore);

#[async_trait]
impl BlobStore for Unwritten<'_> {
    async fn get(&self, key: &str) -> Result<Option<Blob>, BlobError> {
        self.0.get(key).await
    }

    async fn get_if_changed(&self, key: &str, etag: &str) -> Result<Option<Blob>, BlobError> {
        self.0.get_if_changed(key, etag).await
    }

    async fn put(&self, _: &str, _: Bytes, _: Precondition) -> Result<String, BlobError> {
        Err(BlobError::Unavailable("nothing is written here".to_owned()))
    }

    async fn delete(&self, _: &str, _: Option<&str>) -> Result<(), BlobError> {
        Err(BlobError::Unavailable("nothing is written here".to_owned()))
    }

    async fn list(&self, prefix: &str, limit: usize) -> Result<Vec<BlobListed>, BlobError> {
        self.0.list(prefix, limit).await
    }
}

fn hit(score: f64, passage: Stored) -> Hit {
    let Stored { path, start_line, end_line, heading, author, trust, text, .. } = passage;
    Hit { path, start_line, end_line, heading, text, score, author, trust }
}

fn by_words_only(error: &EmbedError) -> String {
    format!("Searched by words alone: {error}.")
}
