#![doc = include_str!("../README.md")]

mod ears;
mod image_generate;
mod known;
mod multipart;
mod outbox;
mod painter;
mod pdf;
mod provider;
mod speakable;
mod tts;
mod voice;

pub use ears::{Hearing, Listener};
pub use image_generate::ImageGenerate;
pub use known::{EarsForm, Known, PainterForm, VoiceForm, ears, painter, voice};
pub use outbox::{answer as file_answer, keep as keep_file, shown as picture_answer};
pub use painter::{Painter, Picture};
pub use pdf::Pdfs;
pub use provider::Provider;
pub use speakable::speakable;
pub use tts::Tts;
pub use voice::Speaker;
