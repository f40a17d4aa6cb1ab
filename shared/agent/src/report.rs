//! What fills a model's window, for `/context`.

use chela_core::model::ToolSpec;
use chela_core::turn::{tokens, tokens_of, tokens_of_tools};

use crate::answer::Attempt;
use crate::context::Context;
use crate::offer::offered;
use crate::settings::ModelChoice;

/// What fills the window of the model that is asked first.
pub(crate) struct Filling {
    /// Tokens of the prompt.
    pub(crate) system: u64,
    /// Those of the tools on offer.
    pub(crate) tools: Vec<(String, u64)>,
    /// Further tools, on demand.
    pub(crate) hidden: usize,
    pub(crate) context: Context,
    /// Those of everything, as the model would count them; `None` without a model.
    pub(crate) total: Option<u64>,
    /// Those that the model reads at once.
    pub(crate) window: u32,
}

impl Filling {
    pub(crate) fn of(attempt: &Attempt<'_>) -> Self {
        let settings = attempt.settings;
        let choice = first_choice(attempt);
        let caller = attempt.caller_of(choice.map(|choice| choice.name.as_str()));
        let usable = attempt.tools(&caller);
        let offer: Vec<ToolSpec> = offered(&usable, &caller, attempt.machine.turn());
        let (system, of_tools) = (tokens(&settings.system), tokens_of_tools(&offer));
        let context = Context::of(attempt, system.saturating_add(of_tools));
        let tools = offer.iter().map(|tool| (tool.name.clone(), tokens_of_tools(std::slice::from_ref(tool))));
        let hidden = usable.len().saturating_sub(offer.len());
        Self {
            system,
            tools: tools.collect(),
            hidden,
            total: choice.map(|choice| context.estimate(choice).total),
            window: choice.map_or(0, |choice| choice.context_window),
            context,
        }
    }

    /// Tokens of what was said, a summary of it included.
    pub(crate) fn past(&self) -> u64 {
        self.context.turns().fold(0, |sum, turn| sum.saturating_add(turn.tokens))
    }
}

fn first_choice<'a>(attempt: &Attempt<'a>) -> Option<&'a ModelChoice> {
    let (settings, chosen) = (attempt.settings, attempt.choices().model);
    let chosen = settings.all_models().find(|choice| Some(&choice.name) == chosen.as_ref());
    chosen.or(settings.models.first())
}

/// The same as markdown.
pub(crate) fn report(attempt: &Attempt<'_>, filling: &Filling) -> String {
    let Filling { system, tools, hidden, context, .. } = filling;
    let settings = attempt.settings;
    let mut lines = vec![format!("**System prompt** about {} tokens", grouped(*system))];
    for (name, text) in sections(&settings.system) {
        lines.push(format!("- {name}: {}", grouped(tokens(&text))));
    }
    let found = if *hidden > 0 { format!(", {hidden} more on demand") } else { String::new() };
    let offer = tools.iter().fold(0u64, |sum, (_, tokens)| sum.saturating_add(*tokens));
    lines.push(format!("**Tools** about {} tokens: {} offered{found}", grouped(offer), tools.len()));
    let (summaries, said): (Vec<_>, Vec<_>) = context.turns().partition(|turn| turn.summary);
    if let Some(summary) = summaries.first() {
        let upto = summary.number;
        lines.push(format!("**Summary** of the turns up to {upto}: about {} tokens", grouped(summary.tokens)));
    }
    let past = said.iter().fold(0u64, |sum, turn| sum.saturating_add(turn.tokens));
    lines.push(format!("**Past** about {} tokens in {} turns", grouped(past), said.len()));
    lines.push(format!("**This turn** about {} tokens", grouped(tokens_of(context.open()))));
    match first_choice(attempt) {
        Some(choice) => {
            let estimate = context.estimate(choice);
            let window = u64::from(choice.context_window);
            let percent = estimate.total.saturating_mul(100) / window.max(1);
            let how = if estimate.known { "by the provider's last count" } else { "estimated, with a margin" };
            let (total, window) = (grouped(estimate.total), grouped(window));
            lines.push(format!("**All** {total} of {window} tokens of {} ({percent} %), {how}", choice.name));
            let at = grouped(context.budget(choice).threshold);
            lines.push(format!("**Compaction** begins at {at} tokens, or with `/compact`"));
        }
        None => lines.push("**Model** none can be opened".to_owned()),
    }
    lines.join("\n")
}

/// The parts of a system prompt, by the headings of its files.
fn sections(system: &str) -> Vec<(String, String)> {
    let mut sections: Vec<(String, String)> = vec![("standing instructions".to_owned(), String::new())];
    for line in system.lines() {
        match line.strip_prefix("## ").filter(|name| name.ends_with(".md") && !name.contains(' ')) {
            Some(name) => sections.push((name.to_owned(), String::new())),
            None => {
                if let Some((_, text)) = sections.last_mut() {
                    text.push_str(line);
                    text.push('\n');
                }
            }
        }
    }
    sections.retain(|(_, text)| !text.trim().is_empty());
    sections
}

/// A number as people read it.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && digits.len().saturating_sub(at) % 3 == 0 {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prompt_is_told_apart_by_its_files() {
        let sections = sections("You are.\n\n## SOUL.md\n\nkind\n## Not a file\nmore\n\n## USER.md\n\nAda");
        let names: Vec<_> = sections.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["standing instructions", "SOUL.md", "USER.md"]);
        assert!(sections[1].1.contains("more"));
    }

    #[test]
    fn numbers_are_grouped() {
        assert_eq!([0, 12, 999, 1_000, 1_234_567].map(grouped), ["0", "12", "999", "1,000", "1,234,567"]);
    }
}
