//! Every order in which everything can happen to one turn or two: the real [`chela_core::turn::Machine`] under
//! exhaustive exploration.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "what breaks here is a failed test")]
#![allow(unreachable_pub, reason = "the modules of one test")]

mod attempt;
mod exploration;
mod invariants;
mod scope;
mod story;
mod world;

use exploration::Exploration;
use scope::SCOPES;

#[test]
fn all() {
    for scope in SCOPES.iter().filter(|scope| std::env::var("S").map_or(true, |s| scope.name == s)) {
        let started = std::time::Instant::now();
        let found = Exploration::run(*scope, None);
        println!("{}: {} states, {} violations, {:?}", found.scope, found.states, found.violations, started.elapsed());
        for line in &found.story {
            println!("    {line}");
        }
    }
}
