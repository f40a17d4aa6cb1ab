//! A data folder that is opened, closed and opened again, and a clock that goes when it is told to.

use std::path::Path;
use std::sync::Arc;

use chela_core::message::EventKey;
use chela_core::queue::{ENVELOPE_VERSION, Envelope, Task};
use chela_core::session_key::SessionKey;
use chela_embedded::{Embedded, OpenError};
use chela_testkit::clock::ManualClock;
use chela_testkit::laws::NOW;
use serde_json::json;
use tempfile::TempDir;

pub(crate) struct World {
    pub(crate) clock: Arc<ManualClock>,
    open: Option<Embedded>,
    folder: TempDir,
}

impl World {
    pub(crate) fn new() -> Self {
        let (clock, folder) = (Arc::new(ManualClock::at(NOW)), tempfile::tempdir().unwrap());
        let open = Some(Embedded::open(folder.path(), clock.clone()).unwrap());
        Self { clock, open, folder }
    }

    pub(crate) fn get(&self) -> &Embedded {
        self.open.as_ref().unwrap()
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn close(&mut self) {
        self.open = None;
    }

    pub(crate) fn try_open(&mut self) -> Result<&Embedded, OpenError> {
        let opened = Embedded::open(self.folder.path(), self.clock.clone())?;
        Ok(self.open.insert(opened))
    }

    /// As after a restart of the process.
    pub(crate) fn reopen(&mut self) -> &Embedded {
        self.close();
        self.try_open().unwrap()
    }

    /// A connection of another program, to look at rows.
    pub(crate) fn rows(&self) -> rusqlite::Connection {
        rusqlite::Connection::open(self.path().join("chela.sqlite")).unwrap()
    }
}

pub(crate) fn envelope(session: &str, id: &str, prompt: &str) -> Envelope {
    let task = Task::Heartbeat {
        name: "n".into(),
        scheduled_at: NOW,
        prompt: prompt.into(),
        deliver_to: None,
        made_for: None,
    };
    Envelope {
        version: ENVELOPE_VERSION,
        event: EventKey::of("webhook", "default", id),
        session: SessionKey::from_stored(session),
        agent: serde_json::from_value(json!("main")).unwrap(),
        accepted_at: NOW,
        task,
    }
}

/// The prompt of a queued body.
pub(crate) fn prompt(body: &str) -> String {
    match serde_json::from_str::<Envelope>(body).unwrap().task {
        Task::Heartbeat { prompt, .. } => prompt,
        other => panic!("{other:?}"),
    }
}
