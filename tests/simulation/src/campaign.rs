//! Many seeds, one after the other, and what they add up to.

use std::collections::{BTreeMap, BTreeSet};

use crate::checker::Violation;
use crate::history::Happening;
use crate::sim::Config;
use crate::world::{Run, run};

/// Seeds to be run.
#[derive(Clone, Copy, Debug)]
pub struct Campaign {
    /// The first.
    pub first_seed: u64,
    /// From each to the next.
    pub step: u64,
    /// Ends when so many turns have met a fault.
    pub faulted_turns: u64,
    /// Every world's.
    pub config: Config,
}

/// What happened in all of them.
#[derive(Clone, Debug, Default)]
pub struct Totals {
    /// Worlds.
    pub seeds: u64,
    /// Messages accepted.
    pub turns: u64,
    /// Messages whose turn met at least one fault.
    pub faulted_turns: u64,
    /// Faults by kind.
    pub faults: BTreeMap<String, u64>,
    /// Messages with a flagged reply.
    pub flagged: u64,
    /// Dead letters.
    pub dead: u64,
    /// Parts shown.
    pub shown: u64,
    /// Tools' effects.
    pub effects: u64,
    /// Model calls.
    pub model_calls: u64,
    /// Model calls of the message that needed most.
    pub most_model_calls: u64,
    /// Broken promises, with their seeds.
    pub violations: Vec<(u64, Violation)>,
}

impl Campaign {
    /// Runs seeds until enough turns have met a fault or `watch` answers `false`; it sees every run.
    pub fn run(&self, mut watch: impl FnMut(&Run, &Totals) -> bool) -> Totals {
        let mut totals = Totals::default();
        let mut seed = self.first_seed;
        loop {
            let run = run(seed, self.config);
            totals.add(&run);
            if !watch(&run, &totals) || totals.faulted_turns >= self.faulted_turns {
                return totals;
            }
            seed = seed.wrapping_add(self.step);
        }
    }
}

impl Totals {
    fn add(&mut self, run: &Run) {
        let mut faulted = BTreeSet::new();
        let mut flagged = BTreeSet::new();
        let mut asked: BTreeMap<u32, u64> = BTreeMap::new();
        for event in &run.history.events {
            match &event.happening {
                Happening::Accepted { .. } => self.turns += 1,
                Happening::Asked { message, .. } => *asked.entry(*message).or_default() += 1,
                Happening::Shown { .. } => self.shown += 1,
                Happening::Effect { .. } => self.effects += 1,
                Happening::Flagged { message, .. } => drop(flagged.insert(*message)),
                Happening::Dead { .. } => self.dead += 1,
                Happening::Fault { fault, message, .. } => {
                    *self.faults.entry(format!("{fault:?}")).or_default() += 1;
                    faulted.extend(*message);
                }
                _ => {}
            }
        }
        self.seeds += 1;
        self.faulted_turns += faulted.len() as u64;
        self.flagged += flagged.len() as u64;
        self.model_calls += asked.values().sum::<u64>();
        self.most_model_calls = self.most_model_calls.max(asked.values().copied().max().unwrap_or_default());
        self.violations.extend(run.violations.iter().map(|violation| (run.seed, violation.clone())));
    }

    /// Both together.
    pub fn join(&mut self, other: Self) {
        self.seeds += other.seeds;
        self.turns += other.turns;
        self.faulted_turns += other.faulted_turns;
        self.flagged += other.flagged;
        self.dead += other.dead;
        self.shown += other.shown;
        self.effects += other.effects;
        self.model_calls += other.model_calls;
        self.most_model_calls = self.most_model_calls.max(other.most_model_calls);
        for (fault, count) in other.faults {
            *self.faults.entry(fault).or_default() += count;
        }
        self.violations.extend(other.violations);
    }
}
