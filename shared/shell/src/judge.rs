//! What a command runs, and whether it may.

use crate::doubt::Doubt;
use crate::read::{Step, steps};
use crate::risk;
use crate::rule::Rule;
use crate::text::{plain, quoted};

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

/// A command compared with the owner's rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judgement {
    /// What would run, as far as it can be told.
    pub programs: Vec<Vec<String>>,
    /// Whether all of it may run without a person.
    pub allowed: bool,
    /// Why, in a sentence for the person. Shows parts of the command, escaped.
    pub why: String,
    /// If allowed: the same programs written so that every shell reads them in this one way. Run this and not the
    /// command that came.
    pub script: Option<String>,
}

/// What a line of bash runs. Reads nothing but the line; the same line always has the same verdict.
pub fn verdict(command: &str) -> Verdict {
    let read = steps(command).and_then(|steps| {
        steps.iter().try_for_each(|step| risk::check(&step.argv))?;
        Ok(steps.into_iter().map(|step| step.argv).collect())
    });
    match read {
        Ok(programs) => Verdict::Programs(programs),
        Err(why) => Verdict::NeedsPerson { why },
    }
}

/// Whether a line of bash may run without a person: every program in it is told for sure, and each fits a rule.
pub fn judge(command: &str, allow: &[Rule]) -> Judgement {
    match steps(command) {
        Ok(steps) => compare(steps, allow),
        Err(why) => Judgement { programs: Vec::new(), allowed: false, why: why.to_string(), script: None },
    }
}

/// The same for a program that is started without a shell.
pub fn judge_argv(argv: &[String], allow: &[Rule]) -> Judgement {
    compare(vec![Step { joined: ";", argv: argv.to_vec() }], allow)
}

fn compare(steps: Vec<Step>, allow: &[Rule]) -> Judgement {
    let refusal = steps.iter().find_map(|step| match risk::check(&step.argv) {
        Err(why) => Some(why.to_string()),
        Ok(()) if allow.iter().any(|rule| rule.allows(&step.argv)) => None,
        Ok(()) => Some(format!("`{}` fits no rule of the allow-list", plain(&step.argv))),
    });
    let script = refusal.is_none().then(|| script(&steps));
    let programs = steps.into_iter().map(|step| step.argv).collect();
    let allowed = script.is_some();
    Judgement { programs, allowed, why: refusal.unwrap_or("every program fits a rule".to_owned()), script }
}

fn script(steps: &[Step]) -> String {
    let mut script = String::new();
    for step in steps {
        if !script.is_empty() {
            script.push_str(&format!(" {} ", step.joined));
        }
        script.push_str(&quoted(&step.argv));
    }
    script
}
