//! `chela doctor`: everything that can be looked over without changing anything.

use chela_app::memory::Notes;
use clap::Args;
use serde_json::{Value, json};

use crate::place::Place;
use crate::remote::RemoteOptions;
use crate::show::{BAD, FAINT, GOOD, WARN, line};

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  chela doctor\n  chela doctor --json --config ~/.chela/chela.json5")]
pub(crate) struct Doctor {
    /// For machines
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    remote: RemoteOptions,
    #[command(flatten)]
    place: Place,
}

/// How one thing is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Good,
    Warn,
    Bad,
}

struct Finding {
    about: &'static str,
    verdict: Verdict,
    text: String,
}

impl Doctor {
    pub(crate) async fn run(&self) -> anyhow::Result<()> {
        let mut findings = Vec::new();
        self.look_at_config(&mut findings);
        self.look_at_data(&mut findings);
        self.look_at_accounts(&mut findings).await?;
        self.look_at_memory(&mut findings).await;
        findings.extend(crate::mcp::look(&self.place).await.into_iter().map(|(good, text)| {
            let verdict = if good { Verdict::Good } else { Verdict::Warn };
            Finding { about: "mcp", verdict, text }
        }));
        self.look_at_gateway(&mut findings).await?;
        if self.json {
            let word = |verdict| match verdict {
                Verdict::Good => "ok",
                Verdict::Warn => "warning",
                Verdict::Bad => "error",
            };
            let findings: Vec<_> = findings
                .iter()
                .map(|finding| json!({"about": finding.about, "verdict": word(finding.verdict), "text": finding.text}))
                .collect();
            line(&json!({"findings": findings}).to_string());
        } else {
            for Finding { about, verdict, text } in &findings {
                let sign = match verdict {
                    Verdict::Good => format!("{GOOD}ok{GOOD:#}  "),
                    Verdict::Warn => format!("{WARN}look{WARN:#}"),
                    Verdict::Bad => format!("{BAD}bad{BAD:#} "),
                };
                line(&format!("{sign}  {FAINT}{about:<13}{FAINT:#} {text}"));
            }
        }
        let bad = findings.iter().filter(|finding| finding.verdict == Verdict::Bad).count();
        anyhow::ensure!(bad == 0, "{bad} things must be mended");
        Ok(())
    }

    fn look_at_config(&self, findings: &mut Vec<Finding>) {
        let about = "configuration";
        if !self.place.config.exists() {
            let text = format!(
                "{} does not exist: defaults hold. `chela config example > {}` writes a commented one",
                self.place.config.display(),
                self.place.config.display()
            );
            findings.push(Finding { about, verdict: Verdict::Warn, text });
            return;
        }
        let report = match crate::config::check(&self.place.config) {
            Ok(checked) => checked.report,
            Err(error) => return findings.push(Finding { about, verdict: Verdict::Bad, text: format!("{error:#}") }),
        };
        let text = |finding: &chela_config::Finding| {
            let chela_config::Finding { path, line, message, fix, .. } = finding;
            format!("{path} (line {line}): {message}; {fix}")
        };
        findings.extend(report.errors.iter().map(|e| Finding { about, verdict: Verdict::Bad, text: text(e) }));
        findings.extend(report.warnings.iter().map(|w| Finding { about, verdict: Verdict::Warn, text: text(w) }));
        if report.is_clean() {
            let text = format!("{} is in order", self.place.config.display());
            findings.push(Finding { about, verdict: Verdict::Good, text });
        }
    }

    fn look_at_data(&self, findings: &mut Vec<Finding>) {
        let about = "data folder";
        if !self.place.data.exists() {
            let text = format!("{} will be made by `chela run`", self.place.data.display());
            findings.push(Finding { about, verdict: Verdict::Good, text });
            return;
        }
        let (verdict, text) = match self.place.open_store() {
            Ok(_) => (Verdict::Good, format!("{} can be opened", self.place.data.display())),
            Err(error) if error.root_cause().to_string().contains("is in use by") => {
                (Verdict::Good, format!("{} is in use by a running gateway", self.place.data.display()))
            }
            Err(error) => (Verdict::Bad, format!("{error:#}")),
        };
        findings.push(Finding { about, verdict, text });
    }

    async fn look_at_accounts(&self, findings: &mut Vec<Finding>) -> anyhow::Result<()> {
        let Ok(live) = self.place.live().await else { return Ok(()) }; // The configuration's findings say why.
        let built = live.current().await;
        for problem in &built.problems {
            findings.push(Finding { about: "set-up", verdict: Verdict::Bad, text: problem.clone() });
        }
        for ((channel, account), open) in &built.accounts {
            let (verdict, summary) = match open.channel.health().await {
                Ok(health) if health.ok => (Verdict::Good, health.summary),
                Ok(health) => (Verdict::Bad, health.summary),
                Err(error) => (Verdict::Warn, error.to_string()),
            };
            findings.push(Finding { about: "channel", verdict, text: format!("{channel}/{account}: {summary}") });
        }
        for (agent, settings) in &built.installation.agents {
            let names: Vec<&str> = settings.models.iter().map(|choice| choice.name.as_str()).collect();
            let echo = names.iter().all(|name| name.starts_with("echo/"));
            let (verdict, text) = if echo {
                (
                    Verdict::Warn,
                    format!("{agent}: no model is configured (agents.defaults.model); the offline echo answers"),
                )
            } else {
                (Verdict::Good, format!("{agent}: {}", names.join(", then ")))
            };
            findings.push(Finding { about: "model", verdict, text });
        }
        let missing = chela_app::web::missing(&built).into_iter();
        findings.extend(missing.map(|text| Finding { about: "web", verdict: Verdict::Warn, text: text.to_owned() }));
        Ok(())
    }

    /// Proves that what is noted is found: a sentence of a note of each agent is searched for by its
    /// words. Nothing is written, and nothing is spent.
    async fn look_at_memory(&self, findings: &mut Vec<Finding>) {
        let about = "memory";
        let Ok(live) = crate::memory::live(&self.place).await else { return }; // Other findings say why.
        let (built, clock) = (live.current().await, Place::clock());
        for agent in built.config.agents.ids() {
            let proof = match Notes::of(&built, live.files().as_ref(), None, clock.as_ref(), Some(&agent)) {
                Ok(notes) => notes.prove().await,
                Err(error) => Err(error),
            };
            let finding = match proof {
                Ok(proof) => proven(&agent, &proof),
                Err(error) => (Verdict::Bad, format!("{agent}: {error}")),
            };
            findings.push(Finding { about, verdict: finding.0, text: finding.1 });
        }
    }

    async fn look_at_gateway(&self, findings: &mut Vec<Finding>) -> anyhow::Result<()> {
        let remote = self.remote.open(&self.place).await?;
        let about = "gateway";
        let finding = if !remote.answers().await {
            let verdict = if self.remote.is_given() { Verdict::Bad } else { Verdict::Warn };
            Finding { about, verdict, text: format!("none answers at {}: `chela run` starts one", remote.url()) }
        } else {
            match remote.get("/readyz").await {
                Ok(_) => Finding { about, verdict: Verdict::Good, text: format!("{} is ready", remote.url()) },
                Err(error) => Finding { about, verdict: Verdict::Bad, text: error.to_string() },
            }
        };
        findings.push(finding);
        Ok(())
    }
}

fn proven(agent: &str, proof: &Value) -> (Verdict, String) {
    let Some(path) = proof.get("path").and_then(Value::as_str) else {
        return (Verdict::Good, format!("{agent}: no notes yet"));
    };
    let notes = proof.get("notes").and_then(Value::as_u64).unwrap_or_default();
    if proof.get("found").and_then(Value::as_bool) != Some(true) {
        return (
            Verdict::Bad,
            format!("{agent}: a sentence of {path} is not found; `chela memory rebuild` mends the index"),
        );
    }
    (Verdict::Good, format!("{agent}: a sentence of {path} is found by its words among {notes} notes"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentence_that_is_not_found_must_be_mended() {
        let of = |proof: Value| proven("main", &proof);
        assert!(of(Value::Null) == (Verdict::Good, "main: no notes yet".to_owned()));
        assert!(of(json!({"path": "a.md", "notes": 2, "found": true})).0 == Verdict::Good);
        let (verdict, text) = of(json!({"path": "a.md", "notes": 2, "found": false}));
        assert!(verdict == Verdict::Bad && text.contains("chela memory rebuild"));
    }
}
