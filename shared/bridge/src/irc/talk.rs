//! One connection from beginning to end: reads lines, does what follows from them, and says what is ordered.

use std::sync::Arc;
use std::time::Duration;

use chela_core::clock::Clock;
use tokio::io::{AsyncWrite, AsyncWriteExt as _};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until, timeout};

use super::line::{Line, escape};
use super::pace::Pace;
use super::session::{Act, Session};
use super::voice::{Command, IrcVoice, Job, unkept};
use super::{IrcSettings, wire};
use crate::connection::{Ended, stopped};
use crate::door::Refusal;
use crate::store::Store;

/// Longest way to a connection, and to our registration on it.
const CONNECT_WITHIN: Duration = Duration::from_secs(30);

/// After so long without a word from the server it is asked whether it is there.
const QUIET: Duration = Duration::from_secs(60);

/// It must answer within so long, also when it shall confirm what we said.
const ANSWER_WITHIN: Duration = Duration::from_secs(45);

/// Connects and talks until it ends.
pub(super) async fn talk(
    settings: &IrcSettings,
    store: &Store,
    clock: &Arc<dyn Clock>,
    voice: &IrcVoice,
    stopping: &mut watch::Receiver<bool>,
) -> Ended {
    let connected = tokio::select! {
        connected = timeout(CONNECT_WITHIN, wire::connect(settings)) => connected,
        () = stopped(stopping) => return Ended::Stopped,
    };
    let socket = match connected {
        Ok(Ok(socket)) => socket,
        Ok(Err(reason)) => return Ended::Lost { reason, worked: false },
        Err(_) => return Ended::Lost { reason: "no connection came about in time".to_owned(), worked: false },
    };
    let (read, write) = tokio::io::split(socket);
    let (sender, lines) = mpsc::channel(64);
    // Reading a line cannot be given up in its middle, as the loop below would, so it has a task of its own.
    let reader = tokio::spawn(wire::read_lines(read, sender));
    let (session, begin) = Session::begin(settings);
    let mut talk = Talk {
        store,
        clock,
        voice,
        session,
        write,
        orders: None,
        speaking: None,
        pace: Pace::new(settings.burst, settings.every),
        pings: 0,
        heard_at: Instant::now(),
        asked: false,
        registered: false,
    };
    let ended = talk.run(begin, lines, stopping).await;
    talk.leave(&ended);
    reader.abort();
    ended
}

struct Talk<'t, W> {
    store: &'t Store,
    clock: &'t Arc<dyn Clock>,
    voice: &'t IrcVoice,
    session: Session<'t>,
    write: W,
    orders: Option<mpsc::Receiver<Command>>,
    speaking: Option<Speaking>,
    pace: Pace,
    pings: u64,
    heard_at: Instant,
    /// Whether a PING of ours is unanswered.
    asked: bool,
    registered: bool,
}

/// What is being said.
struct Speaking {
    job: Job,
    /// The word of the PING behind the last line, and since when we wait for it.
    confirming: Option<(String, Instant)>,
}

impl<W: AsyncWrite + Unpin> Talk<'_, W> {
    async fn run(
        &mut self,
        begin: Vec<String>,
        mut lines: mpsc::Receiver<Result<String, String>>,
        stopping: &mut watch::Receiver<bool>,
    ) -> Ended {
        for line in begin {
            if let Err(ended) = self.write(&line).await {
                return ended;
            }
        }
        loop {
            let speak_at =
                self.speaking.as_ref().filter(|speaking| speaking.confirming.is_none()).map(|_| self.pace.next());
            let (ready, patience) = (self.speaking.is_none(), self.patience());
            let done = tokio::select! {
                line = lines.recv() => match line {
                    Some(Ok(line)) => self.received(&line).await,
                    Some(Err(why)) => Err(self.lost(&why)),
                    None => Err(self.lost("the connection ended")),
                },
                Some(command) = next(&mut self.orders), if ready => self.ordered(command).await,
                () = sleep_until(speak_at.unwrap_or_else(Instant::now)), if speak_at.is_some() => self.speak().await,
                () = sleep_until(patience) => self.impatient().await,
                () = stopped(stopping) => {
                    // The server reads it after everything that was written before.
                    let _ = self.write("QUIT :until later").await;
                    Err(Ended::Stopped)
                }
            };
            if let Err(ended) = done {
                return ended;
            }
        }
    }

    fn lost(&self, reason: &str) -> Ended {
        Ended::Lost { reason: reason.to_owned(), worked: self.registered }
    }

    async fn write(&mut self, line: &str) -> Result<(), Ended> {
        let bytes = format!("{line}\r\n");
        let written = async {
            self.write.write_all(bytes.as_bytes()).await?;
            self.write.flush().await
        };
        match timeout(ANSWER_WITHIN, written).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(self.lost(&error.to_string())),
            Err(_) => Err(self.lost("the server does not read")),
        }
    }

    async fn received(&mut self, text: &str) -> Result<(), Ended> {
        (self.heard_at, self.asked) = (Instant::now(), false);
        let Some(line) = Line::read(text) else { return Ok(()) };
        let clock = self.clock.clone();
        for act in self.session.receive(&line, clock.now(), &|| clock.unique()) {
            match act {
                Act::Write(line) => self.write(&line).await?,
                Act::Heard(message) => {
                    if let Err(error) = self.store.keep(std::slice::from_ref(&message), None) {
                        tracing::error!(%error, "a message cannot be kept and is lost");
                        return Err(self.lost("what is heard cannot be kept"));
                    }
                }
                Act::Registered => {
                    tracing::info!(nick = self.session.nick(), "connected");
                    self.registered = true;
                    self.orders = Some(self.voice.connected());
                }
                Act::Pong(word) => self.confirmed(&word),
                Act::CannotSay { target, why } => {
                    let same = |job: &Job| self.session.casemapping().same(&job.target, &target);
                    if let Some(speaking) = self.speaking.take_if(|speaking| same(&speaking.job)) {
                        self.unsay(&speaking.job.key);
                        self.voice.finish(speaking.job, Err(Refusal::Never(why)));
                    }
                }
                Act::Lost(why) => return Err(self.lost(&why)),
                Act::Hopeless(why) => return Err(Ended::Hopeless(why)),
            }
        }
        Ok(())
    }

    async fn ordered(&mut self, command: Command) -> Result<(), Ended> {
        match command {
            Command::Say(job) => self.speaking = Some(Speaking { job, confirming: None }),
            // https://ircv3.net/specs/client-tags/typing
            Command::Typing(target) if self.session.tags() => {
                self.write(&format!("@+typing=active TAGMSG {target}")).await?;
            }
            Command::Typing(_) => {}
        }
        Ok(())
    }

    /// Says the next line; behind the last one a question, whose answer tells that the server has read all of it.
    async fn speak(&mut self) -> Result<(), Ended> {
        let Some(speaking) = &self.speaking else { return Ok(()) };
        let Job { key, target, reply_to, lines, written, .. } = &speaking.job;
        let (key, written) = (key.clone(), *written);
        if let Some(text) = lines.get(written) {
            let reply = reply_to.as_ref().filter(|_| written == 0 && self.session.tags());
            let tag = reply.map_or_else(String::new, |id| format!("@+draft/reply={} ", escape(id)));
            let line = format!("{tag}PRIVMSG {target} :{text}");
            self.write(&line).await?;
            self.pace.said();
            // If this process dies now, the order goes on with the next line.
            if let Err(error) = self.store.saying(&key, written + 1, self.clock.now()) {
                tracing::error!(%error, "what is said cannot be kept");
            }
        }
        let all = lines_of(&self.speaking);
        if let Some(speaking) = &mut self.speaking {
            speaking.job.written = written + 1;
        }
        if written + 1 >= all {
            self.pings += 1;
            let word = format!("said-{}", self.pings);
            self.write(&format!("PING :{word}")).await?;
            if let Some(speaking) = &mut self.speaking {
                speaking.confirming = Some((word, Instant::now()));
            }
        }
        Ok(())
    }

    fn confirmed(&mut self, word: &str) {
        let answers = |speaking: &mut Speaking| speaking.confirming.as_ref().is_some_and(|(asked, _)| asked == word);
        let Some(Speaking { job, .. }) = self.speaking.take_if(answers) else { return };
        let id = job.key.clone();
        let outcome = match self.store.done(&job.key, &id, self.clock.now()) {
            Ok(()) => Ok(id),
            Err(error) => Err(unkept(&error)),
        };
        self.voice.finish(job, outcome);
    }

    /// When the server's silence means something.
    fn patience(&self) -> Instant {
        let silence = self.heard_at + if self.asked || !self.registered { QUIET + ANSWER_WITHIN } else { QUIET };
        let confirmation = self.speaking.as_ref().and_then(|speaking| speaking.confirming.as_ref());
        confirmation.map_or(silence, |(_, since)| silence.min(*since + ANSWER_WITHIN))
    }

    async fn impatient(&mut self) -> Result<(), Ended> {
        let confirming = self.speaking.as_ref().is_some_and(|speaking| {
            speaking.confirming.as_ref().is_some_and(|(_, since)| since.elapsed() >= ANSWER_WITHIN)
        });
        if self.asked || confirming || !self.registered {
            return Err(self.lost("the server does not answer"));
        }
        self.asked = true;
        self.write("PING :there?").await
    }

    /// What the connection took with it is said again. A stop is no loss: the server reads what was written.
    fn leave(&mut self, ended: &Ended) {
        if let (Some(speaking), Ended::Lost { .. }) = (&self.speaking, ended) {
            self.unsay(&speaking.job.key);
        }
    }

    /// Nothing of the order counts as said.
    fn unsay(&self, key: &str) {
        if let Err(error) = self.store.saying(key, 0, self.clock.now()) {
            tracing::error!(%error, "what is said cannot be kept");
        }
    }
}

fn lines_of(speaking: &Option<Speaking>) -> usize {
    speaking.as_ref().map_or(0, |speaking| speaking.job.lines.len())
}

/// The next order; none while we may not speak.
async fn next(orders: &mut Option<mpsc::Receiver<Command>>) -> Option<Command> {
    match orders {
        Some(orders) => orders.recv().await,
        None => std::future::pending().await,
    }
}
