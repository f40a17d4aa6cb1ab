//! Files: those of messages are fetched, judged and stored before a turn begins; those of answers are read and sent.
//! Nothing is decoded here: a picture's size is read from its head.

mod aloud;
mod look;
mod words;

use std::borrow::Cow;
use std::time::Duration;

use bytes::Bytes;
use chela_core::agent_id::AgentId;
use chela_core::blob::{BlobError, Precondition};
use chela_core::channel::{OutboundFile, OutboundPart, Receipt, SendError};
use chela_core::message::{Inbound, Media};
use chela_core::queue::{Envelope, Standing, Task};
use futures_util::future::join_all;

use crate::answer::Agent;
use crate::purse::{Notices, Purse};
use crate::settings::{Installation, Outlet};
use crate::spend::private;

pub(crate) use look::{files_for, unsee};

/// Begins the reference of a file that lies in our own store; its key follows.
pub const STORED: &str = "stored:";

/// Where files lie that came with their message. Everything under `media/` expires.
pub const INCOMING: &str = "media/incoming";

/// Most files of one message.
const MOST_FILES: usize = 10;

/// Most pixels of a picture: decoded, this is already 200 MB.
const MOST_PIXELS: usize = 50_000_000;

/// Largest file that is sent.
const MOST_SENT_BYTES: usize = 20 * 1024 * 1024;

/// Longest wait for one file.
const FETCH_TIMEOUT: Duration = Duration::from_secs(20);

/// A place where the file can be fetched from is open this long.
const LINK_VALID: Duration = Duration::from_secs(60 * 60);

impl Agent {
    /// The message with its files in our store, or with why they are not. A stranger's files are not fetched. The same
    /// message again leads to the same files.
    pub(crate) async fn with_files<'e>(
        &self,
        installation: &Installation,
        envelope: &'e Envelope,
        notices: &Notices,
    ) -> Cow<'e, Envelope> {
        let Task::Message { inbound, standing: Standing::Allowed, authority, .. } = &envelope.task else {
            return Cow::Borrowed(envelope);
        };
        if inbound.media.is_empty() {
            return Cow::Borrowed(envelope);
        }
        let number = inbound.media.len().min(MOST_FILES);
        let files = inbound.media.iter().take(MOST_FILES).enumerate();
        let notices = private(Some(&envelope.task), *authority).then(|| notices.clone());
        let purse = Purse::of_task(self, &installation.spend, &envelope.agent, Some(&envelope.task), notices);
        let files = join_all(files.map(async |(at, file)| {
            let fetched = self.fetched(installation, envelope, inbound, at, file).await;
            let told = match &fetched {
                Ok(stored) => self.words_of(installation, envelope, stored, number, &purse).await,
                Err(_) => None,
            };
            (fetched, told)
        }));
        let files = files.await;
        let mut whole = envelope.clone();
        if let Task::Message { inbound, .. } = &mut whole.task {
            for left_out in inbound.media.iter_mut().skip(MOST_FILES) {
                left_out.missing = Some(format!("a message may bring {MOST_FILES} files"));
            }
            for (media, (fetched, told)) in inbound.media.iter_mut().zip(files) {
                match fetched {
                    Ok(stored) => {
                        media.reference = format!("{STORED}{}", stored.key);
                        media.content_type = Some(stored.content_type.to_owned());
                        media.size = Some(stored.bytes.len() as u64);
                        media.missing = None;
                    }
                    Err(reason) => media.missing = Some(reason),
                }
                if let Some(line) = told {
                    let lines = [inbound.text.as_str(), &line].into_iter().filter(|text| !text.is_empty());
                    inbound.text = lines.collect::<Vec<_>>().join("\n");
                }
            }
        }
        Cow::Owned(whole)
    }

    async fn fetched(
        &self,
        installation: &Installation,
        envelope: &Envelope,
        inbound: &Inbound,
        number: usize,
        media: &Media,
    ) -> Result<Stored, String> {
        let Some(outlet) = installation.outlet(&inbound.reply_to) else {
            return Err("the account is not configured any more".to_owned());
        };
        let bytes = self.content(outlet, media).await?;
        let (content_type, extension) = judged(&bytes)?;
        let content_type = heard_as(content_type, media.content_type.as_deref());
        let name = format!("{}-{number}", envelope.event.short());
        let key = format!("media/{}/{name}.{extension}", envelope.agent.as_str());
        self.files.put(&key, bytes.clone(), Precondition::None).await.map_err(|error| error.to_string())?;
        Ok(Stored { key, name, content_type, extension, bytes })
    }

    async fn content(&self, outlet: &Outlet, media: &Media) -> Result<Bytes, String> {
        let most = outlet.media_bytes;
        let too_large = || format!("it is over {most} bytes");
        if media.size.is_some_and(|size| size > most as u64) {
            return Err(too_large());
        }
        let bytes = match media.reference.strip_prefix(STORED) {
            Some(key) => match self.files.get(key).await {
                Ok(Some(blob)) => blob.bytes,
                Ok(None) => return Err("it has expired".to_owned()),
                Err(error) => return Err(error.to_string()),
            },
            None => match outlet.channel.fetch(media, most, FETCH_TIMEOUT).await {
                Ok(fetched) => fetched.bytes,
                Err(SendError::Refused { reason, .. }) => return Err(reason),
                // Once more: the message is answered anyway, and nobody sends a file twice.
                Err(_) => match outlet.channel.fetch(media, most, FETCH_TIMEOUT).await {
                    Ok(fetched) => fetched.bytes,
                    Err(error) => return Err(error.to_string()),
                },
            },
        };
        if bytes.len() > most { Err(too_large()) } else { Ok(bytes) }
    }

    /// Sends a file of the agent's workspace or of its conversations. Where that cannot be, its name is sent.
    pub(crate) async fn attach(
        &self,
        outlet: &Outlet,
        agent: &AgentId,
        path: &str,
        part: &OutboundPart<'_>,
    ) -> Result<Receipt, SendError> {
        let name = path.rsplit('/').next().unwrap_or(path);
        match self.offer(outlet, agent, path, part).await {
            Err(SendError::Refused { reason, .. }) => {
                let instead = format!("`{name}` could not be sent: {reason}");
                outlet.channel.send(&OutboundPart { markdown: &instead, ..part.clone() }).await
            }
            sent => sent,
        }
    }

    /// The same without a word instead: a file that cannot be sent is refused.
    pub(crate) async fn offer(
        &self,
        outlet: &Outlet,
        agent: &AgentId,
        path: &str,
        part: &OutboundPart<'_>,
    ) -> Result<Receipt, SendError> {
        let (channel, name) = (&outlet.channel, path.rsplit('/').next().unwrap_or(path));
        let (key, bytes) = self.readable(agent, path).await.map_err(|unreadable| match unreadable {
            Unreadable::Never(reason) => SendError::Refused { channel: channel.id(), reason },
            Unreadable::Now(reason) => SendError::NotSent { channel: channel.id(), reason },
        })?;
        // What cannot be judged is sent as bytes.
        let (content_type, _) = judged(&bytes).unwrap_or(UNKNOWN);
        let url = self.files.link(&key, LINK_VALID).await.ok().flatten();
        let file = OutboundFile { name, content_type, bytes, url: url.as_deref() };
        channel.attach(&file, &OutboundPart { markdown: "", ..part.clone() }).await
    }

    async fn readable(&self, agent: &AgentId, path: &str) -> Result<(String, Bytes), Unreadable> {
        let agent = agent.as_str();
        let path = path.trim_start_matches("./").trim_start_matches('/');
        let own = format!("media/{agent}/");
        let key = if path.starts_with(&own) { path.to_owned() } else { format!("agents/{agent}/{path}") };
        match self.files.get(&key).await {
            Ok(Some(blob)) if blob.bytes.len() <= MOST_SENT_BYTES => Ok((key, blob.bytes)),
            Ok(Some(_)) => Err(Unreadable::Never(format!("it is over {MOST_SENT_BYTES} bytes"))),
            Ok(None) => Err(Unreadable::Never("there is no such file".to_owned())),
            Err(error @ (BlobError::BadKey(_) | BlobError::Conflict(_))) => Err(Unreadable::Never(error.to_string())),
            Err(error) => Err(Unreadable::Now(error.to_string())),
        }
    }
}

/// A file of a message that lies in our store now.
pub(crate) struct Stored {
    key: String,
    /// The last segment of the key, without its extension.
    name: String,
    content_type: &'static str,
    extension: &'static str,
    bytes: Bytes,
}

/// Why a file cannot be sent.
enum Unreadable {
    /// It never can.
    Never(String),
    /// The store does not answer.
    Now(String),
}

/// A type and an extension for what has no signature.
const UNKNOWN: (&str, &str) = ("application/octet-stream", "bin");

/// What the bytes are, whatever anybody claims; refuses pictures that are small files and large images.
fn judged(bytes: &[u8]) -> Result<(&'static str, &'static str), String> {
    if let Ok(size) = imagesize::blob_size(bytes)
        && size.width.saturating_mul(size.height) > MOST_PIXELS
    {
        return Err(format!("a picture of {} x {} is too large", size.width, size.height));
    }
    if let Some(kind) = infer::get(bytes) {
        return Ok((kind.mime_type(), kind.extension()));
    }
    let text = std::str::from_utf8(bytes).is_ok_and(|text| !text.contains('\0'));
    Ok(if text { ("text/plain", "txt") } else { UNKNOWN })
}

/// Sound in a container that mostly holds films: a browser records voice into WebM, a phone into MP4, and then only what
/// the platform says tells them apart.
fn heard_as(content_type: &'static str, claimed: Option<&str>) -> &'static str {
    match content_type {
        "video/webm" if claimed.is_some_and(|claimed| claimed.starts_with("audio/")) => "audio/webm",
        "video/mp4" | "video/3gpp" if claimed.is_some_and(|claimed| claimed.starts_with("audio/")) => "audio/mp4",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bytes_say_what_they_are() {
        assert_eq!(judged(b"%PDF-1.7 ..."), Ok(("application/pdf", "pdf")));
        assert_eq!(judged("héllo".as_bytes()), Ok(("text/plain", "txt")));
        assert_eq!(judged(b"\0\x01\xff"), Ok(UNKNOWN));
        assert_eq!(judged(b""), Ok(("text/plain", "txt")));
    }

    #[test]
    fn sound_in_a_container_of_films_is_sound_where_the_platform_says_so() {
        assert_eq!(heard_as("video/webm", Some("audio/webm;codecs=opus")), "audio/webm");
        assert_eq!(heard_as("video/mp4", Some("audio/mp4")), "audio/mp4");
        assert_eq!(heard_as("video/mp4", Some("video/mp4")), "video/mp4");
        assert_eq!(heard_as("video/mp4", None), "video/mp4");
        assert_eq!(heard_as("application/pdf", Some("audio/ogg")), "application/pdf", "the bytes say what they are");
    }

    #[test]
    fn q05_a_small_file_with_a_huge_picture_is_refused() {
        let png = |width: u32, height: u32| {
            let head = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".to_vec();
            [head, width.to_be_bytes().to_vec(), height.to_be_bytes().to_vec(), vec![8, 6, 0, 0, 0]].concat()
        };
        assert_eq!(judged(&png(5_000, 5_000)), Ok(("image/png", "png")));
        assert_eq!(judged(&png(100_000, 100_000)), Err("a picture of 100000 x 100000 is too large".to_owned()));
    }
}
