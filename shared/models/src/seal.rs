//! Whose a thought is. A seal is only good at whoever made it; sent to another it is refused, and with it the whole
//! conversation. Anthropic's are kept bare, as they always were; others bear their maker's name, with a colon, which no
//! seal has in it.

use chela_core::model::Block;

/// Who makes seals that bear a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Maker {
    Gemini,
    Responses,
}

impl Maker {
    fn mark(self) -> &'static str {
        match self {
            Self::Gemini => "gemini:",
            Self::Responses => "openai:",
        }
    }

    /// A thought of this maker.
    pub(crate) fn thought(self, text: String, seal: &str) -> Block {
        Block::Thinking { text, signature: Some(format!("{}{seal}", self.mark())) }
    }

    /// The seal of a thought, if this maker made it.
    pub(crate) fn seal_of(self, block: &Block) -> Option<&str> {
        let Block::Thinking { signature: Some(signature), .. } = block else { return None };
        signature.strip_prefix(self.mark())
    }
}

/// Whether a thought is one of Claude's, wherever it was thought: Anthropic's seals are good at Bedrock, too.
pub(crate) fn is_claudes(block: &Block) -> bool {
    match block {
        Block::RedactedThinking { .. } => true,
        Block::Thinking { signature: Some(seal), .. } => !seal.contains(':'),
        _ => false,
    }
}
