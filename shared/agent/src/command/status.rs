//! `/status`.

use chela_core::queue::Authority;

use super::{Asked, choices, money, room};
use crate::answer::Agent;
use crate::report::Filling;

impl Agent {
    /// Guests learn who answers and how long the conversation is; what cannot be read at the moment is left out.
    pub(super) async fn status_text(&self, asked: &Asked<'_>) -> String {
        let attempt = asked.attempt;
        let head = attempt.machine.head();
        let turns = head.last_turn.saturating_sub(head.forgotten);
        let mut lines =
            vec![format!("**Agent** {}", attempt.agent.as_str()), format!("**Conversation** {turns} turns")];
        if asked.authority != Authority::Owner {
            return lines.join("\n");
        }
        let Filling { total, window, .. } = Filling::of(attempt);
        lines = vec![
            format!("**Agent** {}", attempt.agent.as_str()),
            choices::current(asked),
            format!("**Thinking** {}", choices::level_name(head.choices.thinking)),
            format!(
                "**Conversation** {turns} turns, about {} of {window} tokens in the context",
                total.unwrap_or_default(),
            ),
        ];
        if let Ok(Some(name)) = self.listing(attempt).await.map(|listing| listing.and_then(|it| it.label)) {
            lines.push(format!("**Name** {}", super::quoted(&name).trim_start_matches("> ")));
        }
        if let Some(today) = self.spent_today(attempt).await {
            lines.push(format!("**Today** {}", money::total(&today, &attempt.installation.spend)));
        }
        let wishes = self.directory.wishes(attempt.machine.session()).await.unwrap_or_default();
        lines.push(format!("**Queue** {}", room::queue_name(&wishes)));
        if room::is_room(asked.inbound) {
            lines.push(format!("**Activation** {}", room::activation_name(&wishes)));
        }
        lines.push(format!("**Session** `{}`", attempt.machine.session().as_str()));
        lines.push(format!("**Version** {}", env!("CARGO_PKG_VERSION")));
        lines.join("\n")
    }
}
