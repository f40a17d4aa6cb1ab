//! `tools.exec`: where commands run, and which calls need the owner's consent; `approvals`: where the owner is asked.

use std::collections::BTreeMap;

use chela_core::approval::{Mode, Policy, Rule, VALID_MS};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::schedules::Destination;
use crate::settings::Config;

/// `tools.exec`, and `tools.exec` of one agent, where what is left out is as for all.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ExecTools {
    /// Where commands run: `auto` or `sandbox`, or `gateway` for nowhere safe; `auto` if left out.
    pub host: Option<ExecHost>,
    /// What becomes of calls that need consent when the owner is in the conversation: `deny`, `allowlist`, `always`,
    /// `ask`, `auto` or `record` (`full`); `ask` if left out.
    pub mode: Option<Mode>,
    /// OpenClaw's older word for it, with `ask`: `deny`, `allowlist` or `full`. `mode` goes before it.
    pub security: Option<Security>,
    /// Beside `security`: `off`, `on-miss` or `always`.
    pub ask: Option<Ask>,
    /// The same for guests; `deny` if left out.
    pub guests: Option<Mode>,
    /// The same where nobody is there: schedules, sub-agents, other conversations; `allowlist` if left out.
    pub unattended: Option<Mode>,
    /// The same for some senders, by `channel:id`.
    pub by_sender: Option<BTreeMap<String, Mode>>,
    /// Commands that run without asking, each as its words: `["git", "log", "**"]`. `*` is any characters of a word and `?`
    /// is one, but where a word begins with them no option; a last word `**` is any further words but options, `-**` any.
    pub allowlist: Option<Vec<Vec<String>>>,
}

/// `tools.exec.host`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ExecHost {
    /// In the sandbox; where there is none, there are no commands. OpenClaw would take the gateway then.
    #[default]
    Auto,
    /// In the sandbox; where there is none, that is reported.
    Sandbox,
    /// Beside the gateway, without walls: they can read whatever its user can, and reach every network.
    Gateway,
}

/// `tools.exec.security`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Security {
    /// Nothing runs.
    Deny,
    /// What is listed runs.
    Allowlist,
    /// Everything runs.
    Full,
}

/// `tools.exec.ask`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Ask {
    /// Nobody is asked.
    Off,
    /// The owner is asked about what is not listed.
    OnMiss,
    /// The owner is asked about everything.
    Always,
}

/// `approvals`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ApprovalsSection {
    /// For all calls that need consent.
    pub exec: ExecApprovals,
}

/// `approvals.exec`.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ExecApprovals {
    /// Where the owner is asked about calls of conversations in which they are not.
    pub targets: Vec<Destination>,
    /// Seconds after which a request without an answer is denied.
    #[schemars(range(min = 60, max = 2_592_000))]
    pub timeout_seconds: u32,
}

impl Default for ExecApprovals {
    fn default() -> Self {
        Self { targets: Vec::new(), timeout_seconds: u32::try_from(VALID_MS / 1000).unwrap_or(u32::MAX) }
    }
}

impl ExecTools {
    /// The mode for the owner, in whichever words it is written. Of OpenClaw's two words the stricter reading counts.
    fn owner(&self) -> Option<Mode> {
        let older = match (self.security, self.ask) {
            (None, None) => None,
            (Some(Security::Deny), _) => Some(Mode::Deny),
            (_, Some(Ask::Always)) => Some(Mode::Always),
            (Some(Security::Full), Some(Ask::Off)) => Some(Mode::Record),
            (Some(Security::Allowlist), Some(Ask::Off) | None) | (None, Some(Ask::Off)) => Some(Mode::Allowlist),
            (_, Some(Ask::OnMiss)) | (Some(Security::Full), None) => Some(Mode::Ask),
        };
        self.mode.or(older)
    }
}

impl Config {
    /// Where the commands of an agent run.
    pub fn exec_host(&self, agent: &str) -> ExecHost {
        let own = self.agents.entry(agent).and_then(|entry| entry.tools.exec.host);
        own.or(self.tools.exec.host).unwrap_or_default()
    }

    /// Which calls of an agent need consent, and whose. Anything that is not said is strict.
    pub fn consent_of(&self, agent: &str) -> Policy {
        let (all, none) = (&self.tools.exec, ExecTools::default());
        let own = self.agents.entry(agent).map_or(&none, |entry| &entry.tools.exec);
        let default = Policy::default();
        let by_sender = own.by_sender.as_ref().or(all.by_sender.as_ref()).cloned().unwrap_or_default();
        let rules = own.allowlist.as_ref().or(all.allowlist.as_ref()).cloned().unwrap_or_default();
        Policy {
            owner: own.owner().or_else(|| all.owner()).unwrap_or(default.owner),
            guests: own.guests.or(all.guests).unwrap_or(default.guests),
            unattended: own.unattended.or(all.unattended).unwrap_or(default.unattended),
            by_sender: by_sender.into_iter().map(|(sender, mode)| (sender.to_lowercase(), mode)).collect(),
            rules: rules.into_iter().map(Rule::configured).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(text: &str) -> Policy {
        let config: Config = json5::from_str(text).unwrap();
        config.consent_of("work")
    }

    #[test]
    fn what_is_not_said_is_strict() {
        let policy = policy("{}");
        assert_eq!(policy, Policy::default());
        assert_eq!((policy.owner, policy.guests, policy.unattended), (Mode::Ask, Mode::Deny, Mode::Allowlist));
    }

    #[test]
    fn openclaws_words_are_read_on_the_strict_side() {
        for (words, mode) in [
            (r#"mode: "full""#, Mode::Record),
            (r#"mode: "deny", security: "full", ask: "off""#, Mode::Deny),
            (r#"security: "full", ask: "off""#, Mode::Record),
            (r#"security: "full""#, Mode::Ask),
            (r#"security: "full", ask: "always""#, Mode::Always),
            (r#"security: "deny", ask: "always""#, Mode::Deny),
            (r#"security: "allowlist""#, Mode::Allowlist),
            (r#"security: "allowlist", ask: "on-miss""#, Mode::Ask),
            (r#"ask: "off""#, Mode::Allowlist),
        ] {
            assert_eq!(policy(&format!("{{tools: {{exec: {{{words}}}}}}}")).owner, mode, "{words}");
        }
    }

    /// What serde takes, the shape of the configuration has to let through.
    #[test]
    fn other_words_for_a_mode_are_not_refused() {
        let text = r#"{ tools: { exec: { mode: "full", unattended: "record" } } }"#;
        let surroundings =
            crate::Surroundings { variables: &|_| None, missing: crate::MissingVariable::Refuse, channels: &[] };
        let checked = crate::check("test", text, &|_| None, &surroundings);
        assert_eq!(checked.report.errors, []);
        assert_eq!(checked.config.map(|config| config.consent_of("main").owner), Some(Mode::Record));
    }

    #[test]
    fn commands_run_in_the_sandbox_unless_somebody_wrote_otherwise() {
        let config: Config = json5::from_str(
            r#"{tools: {exec: {host: "sandbox"}}, agents: {entries: {work: {tools: {exec: {host: "gateway"}}}}}}"#,
        )
        .unwrap();
        assert_eq!((config.exec_host("work"), config.exec_host("other")), (ExecHost::Gateway, ExecHost::Sandbox));
        assert_eq!(Config::default().exec_host("work"), ExecHost::Auto);
    }

    #[test]
    fn an_agents_own_words_go_first() {
        let policy = policy(
            r#"{tools: {exec: {mode: "deny", guests: "ask", allowlist: [["ls"]]}},
                agents: {entries: {work: {tools: {exec: {mode: "auto", bySender: {"Telegram:7": "record"}}}}}}}"#,
        );
        assert_eq!((policy.owner, policy.guests), (Mode::Auto, Mode::Ask));
        assert_eq!(policy.by_sender, [("telegram:7".to_owned(), Mode::Record)].into());
        assert_eq!(policy.rules, [Rule::configured(vec!["ls".into()])]);
    }
}
