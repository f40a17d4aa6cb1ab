//! Words to a picture.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use chela_core::media::MediaError;
use chela_core::purse::{Purse, Tariff, paid};
use serde_json::{Map, Value, json};

use crate::known::PainterForm;
use crate::provider::{Login, Provider};

/// A provider that paints.
#[derive(Clone)]
pub struct Painter {
    /// Who.
    pub provider: Provider,
    /// How it is told what to paint.
    pub form: PainterForm,
    /// Its model.
    pub model: String,
    /// What it takes for a megapixel.
    pub tariff: Tariff,
}

/// A picture that was made.
#[derive(Clone, Debug, PartialEq)]
pub struct Picture {
    /// The picture.
    pub bytes: Bytes,
    /// The extension for its file, without a dot.
    pub extension: &'static str,
}

/// Width and height in pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Size {
    width: u32,
    height: u32,
}

impl Size {
    /// Reads `1024x1536`, or says what would be a size.
    pub(crate) fn read(text: &str) -> Result<Self, String> {
        let side = |text: &str| text.trim().parse().ok().filter(|side| (64..=4096).contains(side));
        let sides = text.split_once(['x', 'X', '×']).and_then(|(width, height)| Some((side(width)?, side(height)?)));
        let (width, height) = sides.ok_or("size is width x height in pixels, each from 64 to 4096, e.g. 1024x1024.")?;
        Ok(Self { width, height })
    }

    /// The size of a picture, by its head.
    fn of(picture: &[u8]) -> Option<Self> {
        let size = imagesize::blob_size(picture).ok()?;
        Some(Self { width: u32::try_from(size.width).ok()?, height: u32::try_from(size.height).ok()? })
    }

    /// Thousandths of the megapixel that is billed, which has 1024 x 1024.
    fn thousandths(self) -> u64 {
        u64::from(self.width).saturating_mul(self.height.into()).saturating_mul(1_000).div_ceil(1024 * 1024)
    }
}

/// The largest size that a provider chooses where none is wished.
const LARGEST_UNASKED: Size = Size { width: 1536, height: 1024 };

/// What an answer holds of a picture.
enum Found<'a> {
    Base64(&'a str),
    Url(&'a str),
}

impl Painter {
    /// Paints. Calling twice pays twice.
    pub(crate) async fn paint(
        &self,
        prompt: &str,
        size: Option<Size>,
        purse: &dyn Purse,
    ) -> Result<Picture, MediaError> {
        // Google paints in one size, whatever is wished; others choose none larger than this themselves.
        let most = match (self.form, size) {
            (PainterForm::OpenAi | PainterForm::Fal, Some(size)) => size.thousandths(),
            (PainterForm::Google, _) | (_, None) => LARGEST_UNASKED.thousandths(),
        };
        let call = async {
            let painted = self.ask(prompt, size).await;
            let used = match &painted {
                Ok(picture) => Size::of(&picture.bytes).map_or(most, Size::thousandths),
                Err(error) if error.may_be_billed() => most,
                Err(_) => 0,
            };
            (painted, used)
        };
        paid(purse, &self.tariff, most, call).await
    }

    async fn ask(&self, prompt: &str, size: Option<Size>) -> Result<Picture, MediaError> {
        let answer = match self.form {
            PainterForm::OpenAi => self.openai(prompt, size).await?,
            PainterForm::Google => self.google(prompt).await?,
            PainterForm::Fal => self.fal(prompt, size).await?,
        };
        let bytes = match self.find(&answer) {
            Some(Found::Base64(text)) => BASE64_STANDARD
                .decode(text)
                .map(Bytes::from)
                .map_err(|_| self.provider.broken("its picture is not written in base64"))?,
            Some(Found::Url(url)) => self.provider.fetch(url).await?,
            None => return Err(self.no_picture(&answer)),
        };
        let kind = infer::get(&bytes).filter(|kind| kind.matcher_type() == infer::MatcherType::Image);
        match kind {
            Some(kind) => Ok(Picture { extension: kind.extension(), bytes }),
            None => Err(self.provider.broken("it answers with something else than a picture")),
        }
    }

    async fn openai(&self, prompt: &str, size: Option<Size>) -> Result<Value, MediaError> {
        let mut body = Map::from_iter([
            ("model".to_owned(), json!(self.model)),
            ("prompt".to_owned(), json!(prompt)),
            ("n".to_owned(), json!(1)),
        ]);
        if let Some(Size { width, height }) = size {
            body.insert("size".to_owned(), json!(format!("{width}x{height}")));
        }
        if self.model.starts_with("gpt-image") {
            // A better one takes minutes, and a tool has half of one.
            body.insert("quality".to_owned(), json!("low"));
        } else {
            // OpenAI's newer models know nothing else and refuse the wish; all others would send a link.
            body.insert("response_format".to_owned(), json!("b64_json"));
        }
        self.provider.ask(&self.provider.url("/images/generations"), Login::Authorization("Bearer"), &body.into()).await
    }

    async fn google(&self, prompt: &str) -> Result<Value, MediaError> {
        let body = json!({
            "contents": [{ "role": "user", "parts": [{ "text": prompt }] }],
            "generationConfig": { "responseModalities": ["TEXT", "IMAGE"] },
        });
        let url = self.provider.url(&format!("/models/{}:generateContent", self.model));
        self.provider.ask(&url, Login::Header("x-goog-api-key"), &body).await
    }

    async fn fal(&self, prompt: &str, size: Option<Size>) -> Result<Value, MediaError> {
        let size = size.map(|Size { width, height }| json!({ "width": width, "height": height }));
        let mut body = Map::from_iter([
            ("prompt".to_owned(), json!(prompt)),
            ("num_images".to_owned(), json!(1)),
            ("sync_mode".to_owned(), json!(true)),
        ]);
        body.extend(size.map(|size| ("image_size".to_owned(), size)));
        let body = body.into();
        self.provider.ask(&self.provider.url(&format!("/{}", self.model)), Login::Authorization("Key"), &body).await
    }

    fn find<'a>(&self, answer: &'a Value) -> Option<Found<'a>> {
        let text = |place: &str| answer.pointer(place).and_then(Value::as_str);
        match self.form {
            PainterForm::OpenAi => text("/data/0/b64_json").map(Found::Base64).or(text("/data/0/url").map(Found::Url)),
            PainterForm::Google => {
                let parts = answer.pointer("/candidates/0/content/parts")?.as_array()?;
                let data = parts.iter().find_map(|part| part.pointer("/inlineData/data"))?;
                data.as_str().map(Found::Base64)
            }
            PainterForm::Fal => {
                let url = text("/images/0/url")?;
                let inline = url.strip_prefix("data:").and_then(|data| data.split_once(";base64,"));
                Some(inline.map_or(Found::Url(url), |(_, data)| Found::Base64(data)))
            }
        }
    }

    /// Gemini explains in words why it does not paint.
    fn no_picture(&self, answer: &Value) -> MediaError {
        let why = ["/candidates/0/finishReason", "/promptFeedback/blockReason"];
        let why = why.iter().find_map(|place| answer.pointer(place).and_then(Value::as_str));
        self.provider.rejected(why.map_or_else(
            || "its answer holds no picture".to_owned(),
            |why| format!("its answer holds no picture ({why})"),
        ))
    }
}
