//! Whether a skill can work here.

use std::collections::BTreeSet;

use crate::skill::Skill;

/// What is there where an agent works.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ground {
    /// The operating system where programs run, as Node names it: `linux`, `darwin`, `win32`.
    pub os: String,
    /// Programs that can be run.
    pub bins: BTreeSet<String>,
    /// Environment variables that are set, of the process or of `skills.entries.<name>`.
    pub env: BTreeSet<String>,
    /// Skills whose own key is configured (`skills.entries.<name>.apiKey`): their [`crate::Needs::primary_env`] is set.
    pub keyed: BTreeSet<String>,
    /// Keys of the configuration that are set, with all their beginnings: `channels`, `channels.slack`.
    pub config: BTreeSet<String>,
    /// Tools of the agent.
    pub tools: BTreeSet<String>,
}

/// What a skill lacks.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub enum Missing {
    /// It is made for other systems.
    #[error("it is for {0}")]
    Os(String),
    /// A program.
    #[error("the program `{0}`: install it where tools run and name it in skills.bins")]
    Bin(String),
    /// One of several programs.
    #[error("one of the programs {0}: install one where tools run and name it in skills.bins")]
    AnyBin(String),
    /// A variable.
    #[error("the variable {0}: set it, or skills.entries.{1}.env.{0}")]
    Env(String, String),
    /// A key of the configuration.
    #[error("the configuration key {0}")]
    Config(String),
    /// A tool.
    #[error("the tool `{0}`: allow it to the agent")]
    Tool(String),
}

impl Skill {
    /// What it lacks here; nothing if it can work.
    pub fn missing(&self, ground: &Ground) -> Vec<Missing> {
        let needs = &self.needs;
        if needs.always {
            return Vec::new();
        }
        let requires = &needs.requires;
        let mut missing = Vec::new();
        if !needs.os.is_empty() && !needs.os.iter().any(|os| os.eq_ignore_ascii_case(&ground.os)) {
            missing.push(Missing::Os(needs.os.join(", ")));
        }
        let lacks = |have: &BTreeSet<String>, name: &&String| !have.contains(*name);
        missing.extend(requires.bins.iter().filter(|bin| lacks(&ground.bins, bin)).cloned().map(Missing::Bin));
        if !requires.any_bins.is_empty() && requires.any_bins.iter().all(|bin| !ground.bins.contains(bin)) {
            missing.push(Missing::AnyBin(requires.any_bins.join(", ")));
        }
        let own = needs.primary_env.as_ref().filter(|_| ground.keyed.contains(&self.name));
        let env = requires.env.iter().filter(|env| lacks(&ground.env, env) && own != Some(env)).cloned();
        missing.extend(env.map(|env| Missing::Env(env, self.name.clone())));
        missing.extend(requires.config.iter().filter(|key| lacks(&ground.config, key)).cloned().map(Missing::Config));
        missing.extend(requires.tools.iter().filter(|tool| lacks(&ground.tools, tool)).cloned().map(Missing::Tool));
        missing
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::skill::{Needs, Requires};

    fn set(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn each_need_is_missed_alone() {
        let one = |needs: Needs| Skill { name: "s".into(), needs, ..Skill::default() };
        let requires = |requires: Requires| one(Needs { requires, ..Needs::default() });
        let ground = Ground {
            os: "linux".into(),
            bins: set(&["gh"]),
            env: set(&["KEY"]),
            keyed: set(&["s"]),
            config: set(&["channels", "channels.slack"]),
            tools: set(&["read"]),
        };
        let list = |name: &str| vec![name.to_owned()];
        assert_eq!(one(Needs { os: list("Linux"), ..Needs::default() }).missing(&ground), []);
        assert_eq!(
            one(Needs { os: list("darwin"), ..Needs::default() }).missing(&ground),
            [Missing::Os("darwin".into())]
        );
        let always = Needs { always: true, os: list("darwin"), ..Needs::default() };
        assert_eq!(one(always).missing(&ground), []);
        let own = |env: &str| Requires { env: list(env), ..Requires::default() };
        let keyed = Needs { primary_env: Some("OWN".into()), requires: own("OWN"), ..Needs::default() };
        assert_eq!(one(keyed.clone()).missing(&ground), []);
        assert_eq!(Skill { name: "t".into(), needs: keyed, ..Skill::default() }.missing(&ground).len(), 1);
        let cases = [
            (Requires { bins: list("gh"), ..Requires::default() }, None),
            (Requires { bins: list("jq"), ..Requires::default() }, Some("jq")),
            (Requires { any_bins: vec!["jq".into(), "gh".into()], ..Requires::default() }, None),
            (Requires { any_bins: vec!["jq".into(), "yq".into()], ..Requires::default() }, Some("jq, yq")),
            (Requires { env: list("KEY"), ..Requires::default() }, None),
            (Requires { env: list("OTHER"), ..Requires::default() }, Some("skills.entries.s.env.OTHER")),
            (Requires { config: list("channels.slack"), ..Requires::default() }, None),
            (Requires { config: list("browser"), ..Requires::default() }, Some("browser")),
            (Requires { tools: list("read"), ..Requires::default() }, None),
            (Requires { tools: list("exec"), ..Requires::default() }, Some("exec")),
        ];
        for (needs, lacks) in cases {
            let missing: Vec<String> = requires(needs).missing(&ground).iter().map(ToString::to_string).collect();
            match lacks {
                None => assert!(missing.is_empty(), "{missing:?}"),
                Some(word) => assert!(missing.len() == 1 && missing[0].contains(word), "{missing:?}"),
            }
        }
    }
}
