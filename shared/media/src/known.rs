//! What is known of well-known providers. Whoever is not here speaks OpenAI's dialect at a configured base URL.

/// How a provider takes recordings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EarsForm {
    /// `/audio/transcriptions`, a form with the file in it.
    OpenAi,
    /// `/listen`, the bare bytes.
    Deepgram,
}

/// How a provider is told what to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VoiceForm {
    /// `/audio/speech`.
    OpenAi,
    /// `/v1/text-to-speech/<voice>`.
    ElevenLabs,
}

/// How a provider is told what to paint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PainterForm {
    /// `/images/generations`.
    OpenAi,
    /// `/models/<model>:generateContent`.
    Google,
    /// `/<model>`, answered in one request.
    Fal,
}

/// A provider under its usual name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Known<F> {
    /// What its API looks like.
    pub form: F,
    /// Where it is; `None` for a server of one's own, whose base URL must be configured.
    pub base_url: Option<&'static str>,
    /// The model, if none is configured.
    pub model: Option<&'static str>,
    /// The voice, if none is configured.
    pub voice: Option<&'static str>,
    /// The variable that holds the key, if none is configured; empty for the usual `<ID>_API_KEY`.
    pub variable: &'static str,
}

const fn known<F>(form: F, base_url: &'static str, model: &'static str) -> Known<F> {
    Known { form, base_url: Some(base_url), model: Some(model), voice: None, variable: "" }
}

const fn own<F>(form: F) -> Known<F> {
    Known { form, base_url: None, model: None, voice: None, variable: "" }
}

/// What hears.
pub fn ears(id: &str) -> Known<EarsForm> {
    use EarsForm::{Deepgram, OpenAi};
    match id {
        "openai" => known(OpenAi, "https://api.openai.com/v1", "gpt-4o-transcribe"),
        "groq" => known(OpenAi, "https://api.groq.com/openai/v1", "whisper-large-v3-turbo"),
        "mistral" => known(OpenAi, "https://api.mistral.ai/v1", "voxtral-mini-latest"),
        "deepgram" => known(Deepgram, "https://api.deepgram.com/v1", "nova-3"),
        _ => own(OpenAi),
    }
}

/// What speaks.
pub fn voice(id: &str) -> Known<VoiceForm> {
    use VoiceForm::{ElevenLabs, OpenAi};
    match id {
        "openai" => Known { voice: Some("alloy"), ..known(OpenAi, "https://api.openai.com/v1", "gpt-4o-mini-tts") },
        "elevenlabs" => Known {
            voice: Some("EXAVITQu4vr4xnSDxMaL"),
            ..known(ElevenLabs, "https://api.elevenlabs.io", "eleven_multilingual_v2")
        },
        _ => own(OpenAi),
    }
}

/// What paints.
pub fn painter(id: &str) -> Known<PainterForm> {
    use PainterForm::{Fal, Google, OpenAi};
    match id {
        "openai" => known(OpenAi, "https://api.openai.com/v1", "gpt-image-1"),
        "google" => Known {
            variable: "GEMINI_API_KEY",
            ..known(Google, "https://generativelanguage.googleapis.com/v1beta", "gemini-2.5-flash-image")
        },
        "fal" => Known { variable: "FAL_KEY", ..known(Fal, "https://fal.run", "fal-ai/flux/dev") },
        _ => own(OpenAi),
    }
}
