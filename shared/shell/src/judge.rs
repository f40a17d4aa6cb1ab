//! What a command runs.

use crate::doubt::Doubt;
use crate::read::{Step, steps};
use crate::risk;
use crate::text::quoted;

/// What a command runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// These programs with these arguments and nothing else, in the order they stand. Behind `&&` and `||` some may
    /// not run.
    Programs(Vec<Vec<String>>),
    /// It cannot be told for sure, or something else runs too.
    NeedsPerson {
        /// For the person.
        why: Doubt,
    },
}

/// What a line of bash runs. Reads nothing but the line; the same line always has the same verdict.
pub fn verdict(command: &str) -> Verdict {
    match certain(command) {
        Ok(steps) => Verdict::Programs(steps.into_iter().map(|step| step.argv).collect()),
        Err(why) => Verdict::NeedsPerson { why },
    }
}

/// A line whose programs can be told for sure, written so that every shell reads it in this one way: run this and not the
/// line that came. `None` for every other line.
pub fn script(command: &str) -> Option<String> {
    let mut script = String::new();
    for step in certain(command).ok()? {
        if !script.is_empty() {
            script.push_str(&format!(" {} ", step.joined));
        }
        script.push_str(&quoted(&step.argv));
    }
    Some(script)
}

/// Whether a program that is started without a shell runs itself and nothing else.
pub fn verdict_argv(argv: &[String]) -> Verdict {
    match risk::check(argv) {
        Ok(()) => Verdict::Programs(vec![argv.to_vec()]),
        Err(why) => Verdict::NeedsPerson { why },
    }
}

fn certain(command: &str) -> Result<Vec<Step>, Doubt> {
    let steps = steps(command)?;
    steps.iter().try_for_each(|step| risk::check(&step.argv))?;
    Ok(steps)
}
