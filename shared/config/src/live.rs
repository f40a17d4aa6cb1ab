//! The configuration of a running process: read again when its file has changed, kept when the new one is broken.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use chela_core::blob::{BlobError, BlobStore};
use chela_core::clock::Millis;

use crate::check::{Checked, Surroundings, check};
use crate::report::Report;
use crate::settings::Config;

/// How long the configuration is trusted before its file is asked for changes: a change is live within 30 seconds.
const REREAD_MS: u64 = 30_000;

/// Most rounds of fetching files that others include; as deep as includes may go.
const MAX_ROUNDS: usize = 11;

/// Why there is no configuration to begin with.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// It is broken: the report says where.
    #[error("the configuration cannot be used:\n{}", .0.render())]
    Broken(Report),
    /// The store does not answer: try again.
    #[error("the configuration cannot be fetched: {0}")]
    Unreachable(#[from] BlobError),
}

/// What came of a [`LiveConfig::refresh`].
#[derive(Debug)]
pub enum Refreshed {
    /// It is not time yet, or nothing has changed.
    Same,
    /// The new configuration counts from now on. The report has its warnings.
    Changed(Report),
    /// The file has changed and is broken; the configuration before it stays. Said once for each version of the file.
    Broken(Report),
    /// The store does not answer; the configuration stays.
    Unreachable(BlobError),
}

/// The current configuration and the file it comes from.
pub struct LiveConfig {
    key: String,
    state: Mutex<State>,
}

struct State {
    config: Arc<Config>,
    version: Version,
    asked: Millis,
}

/// The files of one version by key, with their tags; a file that was not there has none.
type Version = BTreeMap<String, Option<(String, Arc<str>)>>;

impl LiveConfig {
    /// Reads the file under `key`; without a file everything has its default.
    pub async fn load(
        key: &str,
        blobs: &dyn BlobStore,
        surroundings: &Surroundings<'_>,
        now: Millis,
    ) -> Result<(Self, Report), LoadError> {
        let (version, checked) = fetch(key, blobs, surroundings).await?;
        let Some(config) = checked.config else { return Err(LoadError::Broken(checked.report)) };
        let state = State { config: Arc::new(config), version, asked: now };
        Ok((Self { key: key.to_owned(), state: Mutex::new(state) }, checked.report))
    }

    /// The configuration. Hold on to it for the whole of a piece of work, so that it does not change in the middle.
    pub fn current(&self) -> Arc<Config> {
        self.lock(|state| Arc::clone(&state.config))
    }

    /// Reads the file again if 30 seconds have passed and it has changed. Of several callers at once one reads.
    pub async fn refresh(&self, blobs: &dyn BlobStore, surroundings: &Surroundings<'_>, now: Millis) -> Refreshed {
        let due = self.lock(|state| {
            let due = now.since(state.asked) >= REREAD_MS;
            if due {
                state.asked = now;
            }
            due.then(|| state.version.clone())
        });
        let Some(known) = due else { return Refreshed::Same };
        match changed(&known, blobs).await {
            Ok(false) => return Refreshed::Same,
            Ok(true) => {}
            Err(error) => return Refreshed::Unreachable(error),
        }
        let (version, checked) = match fetch(&self.key, blobs, surroundings).await {
            Ok(fetched) => fetched,
            Err(error) => return Refreshed::Unreachable(error),
        };
        self.lock(|state| {
            // A broken version is remembered too, so that it is reported once.
            state.version = version;
            match checked.config {
                Some(config) => {
                    state.config = Arc::new(config);
                    Refreshed::Changed(checked.report)
                }
                None => Refreshed::Broken(checked.report),
            }
        })
    }

    fn lock<T>(&self, work: impl FnOnce(&mut State) -> T) -> T {
        // Nothing in here panics halfway through a change, so a poisoned state is a whole one.
        work(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

async fn changed(known: &Version, blobs: &dyn BlobStore) -> Result<bool, BlobError> {
    for (key, file) in known {
        let newer = match file {
            Some((etag, _)) => blobs.get_if_changed(key, etag).await?,
            None => blobs.get(key).await?,
        };
        if newer.is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Fetches the main file and, round by round, the files it turns out to include.
async fn fetch(
    key: &str,
    blobs: &dyn BlobStore,
    surroundings: &Surroundings<'_>,
) -> Result<(Version, Checked), BlobError> {
    let folder = key.rsplit_once('/').map_or(String::new(), |(folder, _)| format!("{folder}/"));
    let mut version = Version::new();
    let main = load(key, blobs, &mut version).await?;
    let mut round = 0;
    loop {
        let files = |name: &str| {
            let file = version.get(&format!("{folder}{name}"))?.as_ref();
            file.map(|(_, text)| text.to_string())
        };
        let checked = check(key, main.as_deref().unwrap_or("{}"), &files, surroundings);
        let absent: Vec<String> = checked.absent_files.iter().map(|name| format!("{folder}{name}")).collect();
        let unasked: Vec<String> = absent.into_iter().filter(|key| !version.contains_key(key)).collect();
        if unasked.is_empty() || round >= MAX_ROUNDS {
            return Ok((version, checked));
        }
        for key in unasked {
            load(&key, blobs, &mut version).await?;
        }
        round = round.saturating_add(1);
    }
}

async fn load(key: &str, blobs: &dyn BlobStore, into: &mut Version) -> Result<Option<Arc<str>>, BlobError> {
    let found = blobs.get(key).await?;
    let file = found.map(|blob| (blob.etag, text_of(&blob.bytes)));
    let text = file.as_ref().map(|(_, text)| Arc::clone(text));
    into.insert(key.to_owned(), file);
    Ok(text)
}

/// The bytes as text. What is no UTF-8 is cut off there, with a mark on a line of its own that no JSON5 can hold: so the
/// file is refused, and the place named.
fn text_of(bytes: &[u8]) -> Arc<str> {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.into(),
        Err(error) => {
            let valid = bytes.get(..error.valid_up_to()).unwrap_or_default();
            format!("{}\n\u{fffd}", String::from_utf8_lossy(valid)).into()
        }
    }
}

#[cfg(test)]
mod tests;
