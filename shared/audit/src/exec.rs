//! Commands: where they run, and which of them run without anybody's consent.

use chela_config::{ExecHost, ExecTools};
use chela_core::approval::{Mode, Rule};

use crate::channels::{enabled, is_open};
use crate::checks::{EXEC_FOR_STRANGERS, EXEC_UNASKED, EXEC_UNWALLED, EXEC_WIDE_RULE};
use crate::{Check, Finding, Severity, Subject};

/// Programs that run whatever their arguments say: a rule that leaves those open allows every program.
const RUNS_OTHERS: &[&str] = &[
    "awk", "bash", "busybox", "bun", "cargo", "dash", "deno", "docker", "doas", "env", "eval", "exec", "find", "fish",
    "gawk", "git", "go", "lua", "make", "nice", "nix", "node", "nohup", "npm", "npx", "perl", "php", "pip", "pipx",
    "podman", "python", "python3", "ruby", "rsync", "sed", "setsid", "sh", "ssh", "stdbuf", "su", "sudo", "tar",
    "time", "timeout", "uv", "uvx", "vim", "watch", "xargs", "zsh",
];

pub(crate) fn look(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    let strangers = enabled(subject).iter().any(is_open);
    for agent in subject.config.agents.ids() {
        let look = Look { subject, agent: &agent, strangers };
        // What is written for all agents is told once.
        for finding in look.all() {
            if !findings.contains(&finding) {
                findings.push(finding);
            }
        }
    }
}

/// A look at one agent.
struct Look<'a> {
    subject: &'a Subject<'a>,
    agent: &'a str,
    strangers: bool,
}

impl Look<'_> {
    fn all(&self) -> Vec<Finding> {
        let config = self.subject.config;
        let policy = config.consent_of(self.agent);
        let unwalled = config.exec_host(self.agent) == ExecHost::Gateway;
        let mut found = Vec::new();
        if unwalled {
            let fix = "remove host \"gateway\": commands run in the sandbox then, or not at all";
            found.push(self.found(&EXEC_UNWALLED, "host", "commands run beside the gateway, without walls", fix));
        }
        let senders = policy.by_sender.iter().map(|(sender, mode)| (format!("bySender.{sender}"), *mode));
        let classes = [("mode", policy.owner), ("guests", policy.guests), ("unattended", policy.unattended)];
        let classes = classes.map(|(class, mode)| (class.to_owned(), mode));
        for (class, _) in classes.into_iter().chain(senders).filter(|(_, mode)| *mode == Mode::Record) {
            let fix = "use \"ask\", or \"allowlist\" and list what may run";
            let unasked = self.found(&EXEC_UNASKED, &class, "every command runs without anybody's consent", fix);
            found.push(unasked.of_severity(if unwalled { Severity::Critical } else { Severity::Warn }));
        }
        let unasked = match policy.guests {
            Mode::Deny | Mode::Always | Mode::Ask => false,
            Mode::Allowlist => !policy.rules.is_empty(),
            Mode::Auto | Mode::Record => true,
        };
        if self.strangers && unasked {
            let fix = "use guests \"deny\", or close the channel";
            let message = "strangers are heard, and commands run for them without consent";
            found.push(self.found(&EXEC_FOR_STRANGERS, "guests", message, fix));
        }
        for rule in policy.rules.iter().filter(|rule| is_wide(rule)) {
            let fix = "list the arguments that are meant, as [\"git\", \"log\", \"**\"]";
            let message = format!("\"{}\" allows every program", rule.words.join(" "));
            found.push(self.found(&EXEC_WIDE_RULE, "allowlist", &message, fix));
        }
        found
    }

    /// Something found at a key of `tools.exec`, of the agent's own if it says anything there.
    fn found(&self, check: &Check, key: &str, message: &str, fix: &str) -> Finding {
        let own = self.subject.config.agents.entry(self.agent).map(|entry| &entry.tools.exec);
        if own.is_some_and(|own| says(own, key)) {
            return check.found(format!("agents.{}.tools.exec.{key}", self.agent), message, fix);
        }
        check.found(format!("tools.exec.{key}"), message, fix)
    }
}

fn says(own: &ExecTools, key: &str) -> bool {
    match key {
        "host" => own.host.is_some(),
        "mode" => own.mode.is_some() || own.security.is_some() || own.ask.is_some(),
        "guests" => own.guests.is_some(),
        "unattended" => own.unattended.is_some(),
        "allowlist" => own.allowlist.is_some(),
        _ => own.by_sender.is_some(),
    }
}

/// Whether a rule lets any program run: its program is open, or is one that runs others and its arguments are open.
fn is_wide(rule: &Rule) -> bool {
    let [program, arguments @ ..] = rule.words.as_slice() else { return false };
    let open = |word: &String| word.chars().all(|c| c == '*');
    let name = program.rsplit('/').next().unwrap_or_default();
    program.contains(['*', '?']) || (RUNS_OTHERS.contains(&name) && arguments.first().is_some_and(open))
}
