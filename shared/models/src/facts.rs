//! What holds for one model of an open provider: what is configured over what is known.

use std::collections::BTreeMap;

use bytes::Bytes;
use chela_core::model::{Block, ModelRequest};

use crate::catalog::{Builtin, Effort, Input, KnownModel, MaxTokensField, known};

/// What the configuration says of one model (`models.providers.<id>.models[]`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ModelConfig {
    /// `contextWindow`.
    pub context_window: Option<u32>,
    /// `reasoning`.
    pub reasoning: Option<bool>,
    /// `input`.
    pub input: Option<Vec<Input>>,
    /// `compat.maxTokensField`.
    pub max_tokens_field: Option<MaxTokensField>,
}

/// The models of one provider.
#[derive(Clone, Debug, Default)]
pub(crate) struct Models {
    pub(crate) provider: String,
    pub(crate) builtin: Option<&'static Builtin>,
    pub(crate) configured: BTreeMap<String, ModelConfig>,
}

/// What holds for one model.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Facts<'a> {
    configured: Option<&'a ModelConfig>,
    known: Option<&'static KnownModel>,
    builtin: Option<&'static Builtin>,
}

/// What a file is to a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A picture, and what kind: `png`, `jpeg`, `gif` or `webp`.
    Image(&'static str),
    /// A PDF.
    Pdf,
}

/// Whether a dialect has a place for documents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Documents {
    /// It has.
    Taken,
    /// Some of those who speak it: only models that are known or configured to read them get any.
    TakenIfKnown,
    /// It has none.
    Never,
}

impl Models {
    pub(crate) fn facts(&self, model: &str) -> Facts<'_> {
        Facts { configured: self.configured.get(model), known: known(&self.provider, model), builtin: self.builtin }
    }
}

impl Facts<'_> {
    /// Whether it can reason; `None` where nobody knows.
    pub(crate) fn reasons(&self) -> Option<bool> {
        self.configured.and_then(|model| model.reasoning).or(self.known.map(|model| model.reasoning))
    }

    /// Tokens it reads at once.
    pub(crate) fn context_window(&self) -> Option<u32> {
        let configured = self.configured.and_then(|model| model.context_window);
        let known = self.known.map(|model| model.context_window);
        configured.or(known).or(self.builtin.map(|builtin| builtin.context_window))
    }

    pub(crate) fn max_tokens_field(&self) -> MaxTokensField {
        let configured = self.configured.and_then(|model| model.max_tokens_field);
        configured.or(self.builtin.map(|builtin| builtin.max_tokens_field)).unwrap_or_default()
    }

    /// The degrees of effort it knows; empty where nobody knows.
    pub(crate) fn efforts(&self) -> &'static [Effort] {
        self.known.map_or(&[], |model| &model.efforts)
    }

    pub(crate) fn known(&self) -> Option<&'static KnownModel> {
        self.known
    }

    fn input(&self) -> Option<&[Input]> {
        let configured = self.configured.and_then(|model| model.input.as_deref());
        configured.or(self.known.map(|model| model.input.as_slice()))
    }

    /// The file in a block, if there is one, it is at hand, and the model can look at it. Of a model of which nothing is
    /// known, pictures are taken to be seen, because whoever put them into the request took it so, and documents as the
    /// dialect says.
    pub(crate) fn file<'r>(
        &self,
        request: &'r ModelRequest,
        block: &Block,
        documents: Documents,
    ) -> Option<(Kind, &'r Bytes)> {
        let Block::File { key, content_type } = block else { return None };
        self.look(request, key, content_type, documents)
    }

    /// The same for a file that a result shows.
    pub(crate) fn look<'r>(
        &self,
        request: &'r ModelRequest,
        key: &str,
        content_type: &str,
        documents: Documents,
    ) -> Option<(Kind, &'r Bytes)> {
        let kind = kind(content_type)?;
        let reads = |input| self.input().map(|inputs| inputs.contains(&input));
        let seen = match kind {
            Kind::Image(_) => reads(Input::Image).unwrap_or(true),
            Kind::Pdf if documents == Documents::Never => false,
            Kind::Pdf => reads(Input::Pdf).unwrap_or(documents == Documents::Taken),
        };
        let bytes = request.files.get(key).filter(|bytes| seen && !bytes.is_empty())?;
        Some((kind, bytes))
    }
}

impl Kind {
    pub(crate) fn media_type(self) -> String {
        match self {
            Self::Image(format) => format!("image/{format}"),
            Self::Pdf => "application/pdf".to_owned(),
        }
    }
}

fn kind(content_type: &str) -> Option<Kind> {
    let bare = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let image = |format| Some(Kind::Image(format));
    match bare.as_str() {
        "image/png" => image("png"),
        "image/jpeg" | "image/jpg" => image("jpeg"),
        "image/gif" => image("gif"),
        "image/webp" => image("webp"),
        "application/pdf" => Some(Kind::Pdf),
        _ => None,
    }
}

/// Bytes as JSON carries them.
pub(crate) fn base64(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

/// The same as a URL.
pub(crate) fn data_url(kind: Kind, bytes: &[u8]) -> String {
    format!("data:{};base64,{}", kind.media_type(), base64(bytes))
}
