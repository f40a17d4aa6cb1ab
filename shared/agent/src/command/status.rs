//! `/status`.

use chela_core::model::ModelMessage;
use chela_core::queue::Authority;
use chela_core::turn::bytes_of;

use super::context::{Measured, tokens};
use super::{Asked, choices, money, room};
use crate::answer::Agent;

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
        let past: Vec<ModelMessage> = attempt.machine.past();
        let context = Measured::of(attempt, bytes_of(&past));
        lines = vec![
            format!("**Agent** {}", attempt.agent.as_str()),
            choices::current(asked),
            format!("**Thinking** {}", choices::level_name(head.choices.thinking)),
            format!(
                "**Conversation** {turns} turns, about {} of {} tokens in the context",
                tokens(context.all()),
                context.window
            ),
        ];
        if let Ok(Some(name)) = self.listing(attempt).await.map(|listing| listing.and_then(|it| it.label)) {
            lines.push(format!("**Name** {}", super::quoted(&name).trim_start_matches("> ")));
        }
        if let Some(today) = self.spent_today(attempt).await {
            lines.push(format!("**Today** {}", money::total(&today)));
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
