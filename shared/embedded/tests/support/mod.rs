//! A data folder that is opened, closed and opened again, and a clock that goes when it is told to.

use std::path::Path;
use std::sync::Arc;

use chela_embedded::{Embedded, OpenError};
use chela_testkit::clock::ManualClock;
use chela_testkit::laws::NOW;
use tempfile::TempDir;

pub struct World {
    pub clock: Arc<ManualClock>,
    open: Option<Embedded>,
    folder: TempDir,
}

impl World {
    pub fn new() -> Self {
        let (clock, folder) = (Arc::new(ManualClock::at(NOW)), tempfile::tempdir().unwrap());
        let open = Some(Embedded::open(folder.path(), clock.clone()).unwrap());
        Self { clock, open, folder }
    }

    pub fn get(&self) -> &Embedded {
        self.open.as_ref().unwrap()
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    pub fn close(&mut self) {
        self.open = None;
    }

    pub fn try_open(&mut self) -> Result<&Embedded, OpenError> {
        let opened = Embedded::open(self.folder.path(), self.clock.clone())?;
        Ok(self.open.insert(opened))
    }

    /// As after a restart of the process.
    pub fn reopen(&mut self) -> &Embedded {
        self.close();
        self.try_open().unwrap()
    }

    /// A connection of another program, to look at rows.
    pub fn rows(&self) -> rusqlite::Connection {
        rusqlite::Connection::open(self.path().join("chela.sqlite")).unwrap()
    }
}
