//! Breadth first over everything that can happen, so that the first trace to a state is the shortest.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use super::attempt::{Shelves, Step};
use super::invariants::{Broken, check};
use super::scope::{Mutant, Scope};
use super::story::tell;
use super::world::{Move, State};

/// What was found.
#[derive(Clone, Debug)]
pub struct Found {
    pub scope: &'static str,
    pub mutant: Option<Mutant>,
    pub states: usize,
    /// States in which a promise is broken.
    pub violations: usize,
    pub first: Option<(Broken, String)>,
    /// The shortest way there, in sentences.
    pub story: Vec<String>,
    pub steps: std::collections::BTreeSet<Step>,
}

/// More than this, and a budget is too large for a test.
const MOST: usize = 1_000_000;

pub struct Exploration {
    shelves: Shelves,
    states: Vec<State>,
    known: HashMap<u64, u32>,
    /// The state before, and what happened in it.
    from: Vec<(u32, Option<Move>)>,
    edges: Vec<(u32, u32)>,
}

impl Exploration {
    /// Explores a scope. With a mutant it ends at the first broken promise.
    pub fn run(scope: Scope, mutant: Option<Mutant>) -> Found {
        let mut shelves = Shelves::new(scope, mutant);
        let first = State::first(&mut shelves);
        let mut all = Self { shelves, states: vec![], known: HashMap::new(), from: vec![], edges: vec![] };
        all.add(first, 0, None);
        let mut broken: Option<(u32, Broken, String)> = None;
        let mut violations = 0;
        let mut at = 0;
        while at < all.states.len() {
            let state = all.states[at].clone();
            let id = u32::try_from(at).unwrap();
            at += 1;
            if let Some((kind, text)) = check(&all.shelves, &state) {
                violations += 1;
                broken.get_or_insert((id, kind, text));
                if mutant.is_some() {
                    break;
                }
                continue; // What follows from it is no news.
            }
            for (step, next) in state.moves(&mut all.shelves) {
                all.add(next, id, Some(step));
            }
            assert!(all.states.len() < MOST, "{}: more than {MOST} states", scope.name);
        }
        if broken.is_none()
            && let Some(id) = all.stuck()
        {
            violations += 1;
            broken = Some((id, Broken::Stuck, "nothing that can happen from here leads to the end".to_owned()));
        }
        let story = broken.as_ref().map(|(id, _, text)| all.story(*id, text)).unwrap_or_default();
        Found {
            scope: scope.name,
            mutant,
            states: all.states.len(),
            violations,
            first: broken.map(|(_, kind, text)| (kind, text)),
            story,
            steps: all.shelves.steps,
        }
    }

    fn add(&mut self, state: State, from: u32, step: Option<Move>) {
        let next = u32::try_from(self.states.len()).unwrap();
        let to = match self.known.entry(hash(&state)) {
            Entry::Occupied(known) => *known.get(),
            Entry::Vacant(place) => {
                place.insert(next);
                self.states.push(state);
                self.from.push((from, step));
                next
            }
        };
        if step.is_some() {
            self.edges.push((from, to));
        }
    }

    /// A state from which no rest can be reached.
    fn stuck(&self) -> Option<u32> {
        let mut before: Vec<Vec<u32>> = vec![vec![]; self.states.len()];
        for (from, to) in &self.edges {
            before[*to as usize].push(*from);
        }
        let mut ends = vec![false; self.states.len()];
        let mut open: Vec<usize> = (0..self.states.len()).filter(|at| self.states[*at].at_rest()).collect();
        while let Some(at) = open.pop() {
            if !std::mem::replace(&mut ends[at], true) {
                open.extend(before[at].iter().map(|from| *from as usize));
            }
        }
        ends.iter().position(|ends| !ends).map(|at| u32::try_from(at).unwrap())
    }

    fn story(&mut self, mut id: u32, end: &str) -> Vec<String> {
        let mut moves = Vec::new();
        while let (from, Some(step)) = self.from[id as usize] {
            moves.push(step);
            id = from;
        }
        moves.reverse();
        tell(&mut self.shelves, &moves, end)
    }
}

/// Sixty-four bits: with a million states the odds of two sharing one are one in thirty million.
fn hash(state: &State) -> u64 {
    use std::hash::{Hash, Hasher};
    let mut hasher = std::hash::DefaultHasher::new();
    state.hash(&mut hasher);
    hasher.finish()
}
