//! The stages between the house and a command. Both are this very program, started again: a process can bind only itself,
//! and the house must not be bound.

use std::io::{BufRead, Write};
use std::process::ExitCode;

use chela_core::sandbox::{CommandRequest, CommandResult};
use serde::{Deserialize, Serialize};

use crate::enter;
use crate::run::{Walls, run};

/// The stage that runs requests, one JSON text a line, and answers each with lines of [`Said`]. It is what stands inside a jail.
pub(crate) const INNER: &str = "sandbox-inner";

/// What this stage says, a line each: what the command writes while it runs, and in the end what came of it.
#[derive(Serialize, Deserialize)]
pub(crate) enum Said {
    Wrote(String),
    Ended(Result<CommandResult, String>),
}

/// The last stage before a command: it binds itself, then becomes the command.
pub(crate) const ENTER: &str = "sandbox-enter";

/// Takes over the process if it was started as a stage; to be called first in `main`. `None` if it was not.
pub fn take_over() -> Option<ExitCode> {
    let mut words = std::env::args().skip(1);
    let stage = words.next()?;
    let walls = |word: Option<String>| Walls::of_name(&word?);
    match stage.as_str() {
        INNER => Some(walls(words.next()).map_or(ExitCode::FAILURE, serve)),
        ENTER => Some(walls(words.next()).map_or(ExitCode::FAILURE, |walls| enter::enter(walls, words))),
        _ => None,
    }
}

fn serve(walls: Walls) -> ExitCode {
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else {
        return ExitCode::FAILURE;
    };
    for line in std::io::stdin().lock().lines() {
        let answer = line.map_err(|error| error.to_string()).and_then(|line| {
            let request: CommandRequest = serde_json::from_str(&line).map_err(|error| error.to_string())?;
            // Whoever does not hear any more will not read the end either, which is noticed then.
            let hear = |text: &str| _ = say(&Said::Wrote(text.to_owned()));
            runtime.block_on(run(&request, walls, &hear)).map_err(|error| error.to_string())
        });
        if !say(&Said::Ended(answer)) {
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

fn say(said: &Said) -> bool {
    let mut out = std::io::stdout().lock();
    serde_json::to_writer(&mut out, said).is_ok() && out.write_all(b"\n").is_ok() && out.flush().is_ok()
}
