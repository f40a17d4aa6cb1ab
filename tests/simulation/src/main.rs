//! Runs many worlds and prints what came of them; on a violation, the whole story of its seed.
#![allow(clippy::unwrap_used, reason = "test code: what is impossible here must stop the test")]

use std::num::NonZero;
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use anstream::println;
use chela_simulation::{Campaign, Config, Fault, Run, Totals, run};
use clap::Parser;

/// Seeds between two lines of progress, per thread.
const PROGRESS: u64 = 2_000;

/// Simulates turns in a bad world and checks what the outside saw
#[derive(Debug, Parser)]
#[command(name = "chela-simulation")]
struct Arguments {
    /// Turns that must have met a fault before it ends
    #[arg(long, default_value_t = 100_000)]
    turns: u64,
    /// The first seed
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Threads; all cores if absent
    #[arg(long)]
    jobs: Option<NonZero<usize>>,
    /// Longest pause of a process, in seconds
    #[arg(long, default_value_t = Config::default().pause_ms / 1000)]
    pause: u64,
    /// Faults that never happen
    #[arg(long, value_delimiter = ',')]
    without: Vec<Fault>,
    /// Ends when so many worlds broke a promise
    #[arg(long, default_value_t = 10)]
    most: u64,
    /// Print the story of the first seed and nothing else
    #[arg(long)]
    story: bool,
}

impl Arguments {
    fn config(&self) -> Config {
        let ruled_out = self.without.clone();
        Config { pause_ms: self.pause * 1000, ruled_out: ruled_out.leak(), ..Config::default() }
    }

    /// The command that runs one seed again, alone.
    fn replay(&self, seed: u64) -> String {
        let without: Vec<String> = self.without.iter().map(ToString::to_string).collect();
        let without = if without.is_empty() { String::new() } else { format!(" --without={}", without.join(",")) };
        format!("chela-simulation --seed {seed} --pause {}{without} --story", self.pause)
    }
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if arguments.story {
        return tell(&run(arguments.seed, arguments.config()), &arguments);
    }
    let totals = simulate(&arguments);
    summarise(&totals);
    let Some((seed, _)) = totals.violations.first() else { return ExitCode::SUCCESS };
    tell(&run(*seed, arguments.config()), &arguments)
}

fn simulate(arguments: &Arguments) -> Totals {
    let jobs = arguments.jobs.or(thread::available_parallelism().ok()).map_or(1, NonZero::get) as u64;
    let done = AtomicU64::new(0);
    let broken = AtomicU64::new(0);
    thread::scope(|scope| {
        let of = |job: u64| {
            let campaign = Campaign {
                first_seed: arguments.seed + job,
                step: jobs,
                faulted_turns: arguments.turns.div_ceil(jobs),
                config: arguments.config(),
            };
            let (done, broken) = (&done, &broken);
            scope.spawn(move || {
                let mut counted = 0;
                campaign.run(|run, totals| {
                    let all = done.fetch_add(totals.faulted_turns - counted, Ordering::Relaxed);
                    counted = totals.faulted_turns;
                    if totals.seeds.is_multiple_of(PROGRESS) {
                        println!("{all} of {} faulted turns", arguments.turns);
                    }
                    broken.fetch_add(u64::from(!run.violations.is_empty()), Ordering::Relaxed);
                    broken.load(Ordering::Relaxed) < arguments.most
                })
            })
        };
        let threads: Vec<_> = (0..jobs).map(of).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).fold(Totals::default(), |mut all, one| {
            all.join(one);
            all
        })
    })
}

fn summarise(totals: &Totals) {
    let Totals { seeds, turns, faulted_turns, flagged, dead, shown, effects, model_calls, most_model_calls, .. } =
        totals;
    println!("{turns} turns in {seeds} worlds, {faulted_turns} of them with faults");
    println!("{shown} parts shown, {flagged} messages flagged, {dead} dead letters, {effects} effects of tools");
    println!("{model_calls} model calls, at most {most_model_calls} for one message");
    for (fault, count) in &totals.faults {
        println!("  {count:>9} {fault}");
    }
    println!("{} violations", totals.violations.len());
    for (seed, violation) in totals.violations.iter().take(20) {
        println!("  seed {seed}: {violation}");
    }
}

fn tell(run: &Run, arguments: &Arguments) -> ExitCode {
    println!("{}", run.history);
    for violation in &run.violations {
        println!("VIOLATION {violation}");
    }
    if run.violations.is_empty() {
        return ExitCode::SUCCESS;
    }
    println!("seed {}; again, alone: {}", run.seed, arguments.replay(run.seed));
    ExitCode::FAILURE
}
