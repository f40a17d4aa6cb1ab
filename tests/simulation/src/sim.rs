//! What a world shares: dice, time, weather, and the record of what happened.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use chela_core::clock::Millis;
use fastrand::Rng;
use tokio::time::Instant;

use crate::fault::{Fault, Place};
use crate::history::{Happening, History};
use crate::worker::PLATFORMS;

/// The wall clock at the beginning of every world.
const BEGINNING: Millis = Millis(1_800_000_000_000);

/// A promise that one of the simulated parts breaks, to show that the checker can see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mutant {
    /// `save` asks neither for the epoch nor for the owner.
    SaveIgnoresEpoch,
    /// `save` leaves the lease as long as it was. Nothing visible follows from it: a mark still asks how long it lasts.
    SaveKeepsLease,
    /// `save` leaves the lease as long as it was and does not ask how long that is.
    SaveIgnoresLease,
    /// `save` lets an earlier save of the same attempt set the head back.
    SaveIgnoresRevision,
    /// `save` loses the marks of parts being sent.
    ForgetsSendIntents,
    /// `save` loses which messages parts take the place of.
    ForgetsPlaceholders,
    /// `save` loses the marks of tools being run.
    ForgetsToolIntents,
    /// `claim` takes what somebody else still holds.
    ClaimIgnoresLease,
    /// `append` lets the last writer win.
    AppendOverwrites,
    /// `accept` answers and stores nothing.
    AcceptForgets,
    /// The queue hands out later messages while the first of their group is in flight.
    QueueIgnoresOrder,
    /// The platform says that it knows keys, and does not.
    FalseKeys,
}

/// How a world is to be.
#[derive(Clone, Copy, Debug)]
pub struct Config {
    /// The promise that is broken.
    pub mutant: Option<Mutant>,
    /// Longest pause of a process.
    pub pause_ms: u64,
    /// Faults that never happen.
    pub ruled_out: &'static [Fault],
    /// The platforms conversations are on.
    pub platforms: &'static [&'static str],
}

impl Default for Config {
    fn default() -> Self {
        Self { mutant: None, pause_ms: 120_000, ruled_out: &[], platforms: &PLATFORMS }
    }
}

/// What differs between worlds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Weather {
    /// Probability of a fault at any operation, beside the one every message is destined to meet.
    pub(crate) rate: f64,
    /// Visibility of received messages. Short ones are what a failed heartbeat of the visibility looks like.
    pub(crate) visibility_s: u32,
    /// The function's time; a laptop has no limit.
    pub(crate) limit: Option<Duration>,
    /// Worker processes.
    pub(crate) workers: usize,
}

/// One world.
pub(crate) struct Sim {
    pub(crate) config: Config,
    pub(crate) weather: Weather,
    rng: Mutex<Rng>,
    record: Mutex<History>,
    fates: Mutex<BTreeMap<u32, Fate>>,
    began: Instant,
    dealt: AtomicU64,
    quiet: AtomicBool,
}

#[derive(Default)]
struct Fate {
    operations: u32,
    destined: Option<u32>,
}

impl Sim {
    pub(crate) fn new(seed: u64, config: Config) -> Self {
        let mut rng = Rng::with_seed(seed);
        let weather = Weather {
            rate: [0.0, 0.01, 0.04, 0.12][rng.usize(..4)],
            visibility_s: [190, 190, 60, 20][rng.usize(..4)],
            limit: [Some(Duration::from_secs(180)), None][rng.usize(..2)],
            workers: rng.usize(2..=3),
        };
        Self {
            config,
            weather,
            rng: Mutex::new(rng),
            record: Mutex::default(),
            fates: Mutex::default(),
            began: Instant::now(),
            dealt: AtomicU64::new(0),
            quiet: AtomicBool::new(false),
        }
    }

    pub(crate) fn rng(&self) -> MutexGuard<'_, Rng> {
        self.rng.lock().unwrap()
    }

    pub(crate) fn chance(&self, probability: f64) -> bool {
        probability > 0.0 && self.rng().f64() < probability
    }

    /// A length of time in milliseconds: half of the time short ones come as often as long ones.
    pub(crate) fn span(&self, least: u64, most: u64) -> Duration {
        if self.chance(0.5) {
            return Duration::from_millis(self.rng().u64(least..=most.max(least)));
        }
        let (low, high) = ((least.max(1) as f64).ln(), (most.max(least).max(1) as f64).ln());
        let drawn = low + (high - low) * self.rng().f64();
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between two u64")]
        Duration::from_millis((drawn.exp() as u64).clamp(least, most))
    }

    pub(crate) fn elapsed_ms(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap()
    }

    /// The time as a machine shows it whose clock is off by `skew_ms`.
    pub(crate) fn now(&self, skew_ms: i64) -> Millis {
        Millis((BEGINNING.0 + self.elapsed_ms()).saturating_add_signed(skew_ms))
    }

    pub(crate) fn unique(&self) -> u64 {
        self.dealt.fetch_add(1, Ordering::Relaxed)
    }

    pub(crate) fn happens(&self, happening: Happening) {
        let at = self.elapsed_ms();
        self.record.lock().unwrap().push(at, happening);
    }

    pub(crate) fn take_history(&self) -> History {
        std::mem::take(&mut self.record.lock().unwrap())
    }

    /// From here on nothing goes wrong any more.
    pub(crate) fn calm(&self) {
        self.quiet.store(true, Ordering::Relaxed);
        self.happens(Happening::Calm);
    }

    pub(crate) fn is_calm(&self) -> bool {
        self.quiet.load(Ordering::Relaxed)
    }

    /// Somewhere in the first operations of its turn this message meets a fault.
    pub(crate) fn destine(&self, message: u32) {
        let destined = self.rng().u32(..24);
        // Turns are short: the first operations get most of the faults, and every one gets some.
        let destined = if destined < 12 { destined } else { destined - 12 };
        self.fates.lock().unwrap().insert(message, Fate { operations: 0, destined: Some(destined) });
    }

    /// What goes wrong with this operation of a message's turn.
    pub(crate) fn draw(&self, place: Place, process: &str, message: Option<u32>) -> Option<Fault> {
        if self.is_calm() {
            return None;
        }
        let destined = message.is_some_and(|message| {
            let mut fates = self.fates.lock().unwrap();
            let fate = fates.entry(message).or_default();
            fate.operations += 1;
            fate.destined == Some(fate.operations - 1)
        });
        if !destined && !self.chance(self.weather.rate) {
            return None;
        }
        let fault = place.draw(&mut self.rng(), self.config.ruled_out)?;
        self.strikes(fault, process, message);
        Some(fault)
    }

    pub(crate) fn strikes(&self, fault: Fault, process: &str, message: Option<u32>) {
        self.happens(Happening::Fault { fault, process: process.to_owned(), message });
    }

    pub(crate) fn pause(&self) -> Duration {
        self.span(50, self.config.pause_ms)
    }
}
