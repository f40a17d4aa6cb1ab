//! Before old turns become a summary, the agent is asked once what of them must last, and its notes are saved.

use std::sync::Arc;
use std::time::Duration;

use chela_core::message::EventKey;
use chela_core::model::{Block, ModelAnswer, ModelError, ModelMessage, ModelRequest, Role};
use chela_core::queue::Authority;
use chela_core::tool::{Effect, Tool, ToolCall};
use chela_core::turn::{idempotency_key, tokens};

use crate::compact::{Asked, Compactor, Hindrance, Piece, told};

/// The tool that saves a note.
const TOOL: &str = "memory_save";

/// Most notes at once.
const MOST_NOTES: usize = 8;

/// Longest answer, in tokens.
const ANSWER_TOKENS: u32 = 2_048;

/// Longest that saving one note takes.
const NOTE_TIMEOUT: Duration = Duration::from_secs(10);

const PROMPT: &str = "The conversation above has grown long and will be shortened now. Save with memory_save what must \
    last beyond it and is not saved yet: facts about people, preferences, decisions, plans and dates, each in a whole \
    sentence with its names. Save nothing that is only of the moment, and no secrets. If there is nothing, answer \
    NO_REPLY. Nobody reads your answer.";

/// Whether a tool saves notes, and a repetition of it is harmless.
pub(crate) fn is_notebook(tool: &dyn Tool) -> bool {
    tool.spec().name == TOOL && tool.effect() == Effect::Keyed
}

impl Compactor<'_> {
    /// Lets the agent note what must last of these turns. Only words of the owner are shown to it: nobody else may write
    /// into the owner's memory. Done again after a crash it saves nothing twice.
    pub(crate) async fn flush<F, A>(
        &self,
        upto: u64,
        piece: &Piece<'_>,
        asked: &mut Asked<'_, F>,
    ) -> Result<(), Hindrance>
    where
        F: Fn(ModelRequest) -> A,
        A: Future<Output = Result<ModelAnswer, ModelError>>,
    {
        let Some(rules) = &self.settings.context.compaction.flush else { return Ok(()) };
        let Some(tool) = self.notebook else { return Ok(()) };
        let mut newest = Vec::new();
        let mut room = asked.budget.chunk;
        for turn in piece.turns.iter().rev().filter(|turn| turn.authority == Authority::Owner) {
            let text = told(turn, asked.budget.chunk);
            let Some(left) = room.checked_sub(tokens(&text)) else { break };
            room = left;
            newest.push(text);
        }
        if newest.is_empty() {
            return Ok(());
        }
        newest.reverse();
        let prompt = rules.prompt.as_deref().unwrap_or(PROMPT);
        let text = format!("<conversation>\n{}\n</conversation>\n\n{prompt}", newest.concat());
        let request = ModelRequest {
            model: asked.choice.id.clone(),
            system: self.settings.system.to_string(),
            messages: vec![ModelMessage { role: Role::User, blocks: vec![Block::Text { text }] }],
            tools: vec![tool.spec()],
            max_tokens: ANSWER_TOKENS.min(asked.choice.max_tokens),
            ..ModelRequest::default()
        };
        let Some(answer) = asked.put(request).await? else { return Ok(()) };
        let notes = answer.blocks.iter().filter_map(|block| match block {
            Block::ToolUse { name, input, .. } if name == TOOL => Some(input),
            _ => None,
        });
        for (input, number) in notes.take(MOST_NOTES).zip(1u32..) {
            self.save(tool, upto, number, input).await;
        }
        Ok(())
    }

    async fn save(&self, tool: &Arc<dyn Tool>, upto: u64, number: u32, input: &serde_json::Value) {
        let event = EventKey::of("flush", &upto.to_string(), &number.to_string());
        let key = idempotency_key(&self.session, &event, "flush");
        let run = tool.run(ToolCall {
            again: false,
            post: &chela_core::post::Nowhere,
            input,
            idempotency_key: &key,
            agent: self.attempt_agent,
            session: &self.session,
            caller: &self.note_taker,
            files: self.agent.files.as_ref(),
            sessions: self.agent.sessions.as_ref(),
            directory: self.agent.directory.as_ref(),
            queue: self.agent.queue.as_ref(),
            purse: &self.purse,
            clock: self.agent.clock.as_ref(),
            status: &self.status,
        });
        // A note that cannot be saved is still in the transcript; the turn goes on.
        let _ = tokio::time::timeout(NOTE_TIMEOUT, run).await;
    }
}
