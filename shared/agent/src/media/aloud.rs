//! Answers said aloud: the sound becomes a part of the answer's outbox before the answer is stored, so that no crash can
//! lose it or send it twice.

use std::sync::PoisonError;
use std::time::Duration;

use chela_core::blob::Precondition;
use chela_core::clock::Millis;
use chela_core::media::Voice;
use chela_core::reply::Said;
use chela_core::turn::{Input, Way};

use super::words::transcript_key;
use crate::answer::{Agent, Attempt};
use crate::purse::{Notices, Purse};
use crate::settings::{AutoVoice, MediaSettings};

/// Time that is left for sending when the voice is given up.
const TIME_TO_SEND: Duration = Duration::from_secs(15);

/// Longest wait for the voice.
const LONGEST: Duration = Duration::from_secs(30);

/// Stands in an answer that is to be said aloud as it is.
const TAG: &str = "[[tts]]";

/// Around words that are to be said aloud and not shown.
const BEGIN: &str = "[[tts:text]]";
const END: &str = "[[/tts:text]]";

/// Endings of files that are heard.
const SOUNDS: [&str; 8] = ["mp3", "ogg", "oga", "opus", "wav", "m4a", "aac", "flac"];

/// What is added to the answer of one step once it is there.
pub(crate) struct Aloud<'a> {
    agent: &'a Agent,
    media: &'a MediaSettings,
    /// Voice notes that are answered.
    notes: Vec<String>,
    /// Where the sound goes, without its extension, within the workspace.
    path: String,
    workspace: String,
    deadline: Millis,
    /// Whether anybody is there to hear it.
    sent: bool,
    purse: Purse<'a>,
    notices: Notices,
}

impl Agent {
    /// To be asked for before the question is put, to be used on its answer.
    pub(crate) fn aloud<'a>(&'a self, attempt: &Attempt<'a>, step: u16) -> Aloud<'a> {
        let machine = &attempt.machine;
        let files = machine.user().iter().chain(machine.turn().fragments()).flat_map(|fragment| &fragment.files);
        let notes = files.filter(|file| file.content_type.starts_with("audio/")).map(|file| file.key.clone());
        let event = machine.accepted().map_or("answer", |accepted| accepted.event.short());
        Aloud {
            agent: self,
            media: &attempt.installation.media,
            notes: notes.collect(),
            path: format!("outbox/{event}-{step}"),
            workspace: format!("agents/{}", attempt.agent.as_str()),
            deadline: machine.deadline(),
            sent: matches!(machine.way(), Way::To { .. }),
            purse: Purse::of(self, attempt),
            notices: attempt.notices.clone(),
        }
    }
}

impl Aloud<'_> {
    /// The answer with its sound behind it, and with what was heard before it, where that is wished. An answer that
    /// cannot be said is written, as it would have been.
    pub(crate) async fn added(self, mut input: Input) -> Input {
        let Input::Answered(answer) = &mut input else { return input };
        let Some(parts) = answer.entry.outbox.as_mut().filter(|parts| self.sent && !parts.is_empty()) else {
            return input;
        };
        if let Some(voice) = self.media.voice.as_ref().filter(|_| self.media.aloud != AutoVoice::Off) {
            let Unmarked { written, spoken } = read_tags(parts, self.wanted());
            *parts = written;
            if let Some((shown, words)) = spoken
                && let Some(path) = self.sound(voice.as_ref(), &words).await
            {
                *parts = shown;
                parts.push(Said { file: Some(path), ..Said::default() }.part());
                // What the voice cost may have crossed the owner's line.
                let told = std::mem::take(&mut *self.notices.lock().unwrap_or_else(PoisonError::into_inner));
                parts.extend(told);
            }
        }
        if let Some(echo) = self.echo().await {
            parts.insert(0, echo);
        }
        input
    }

    /// Whether an answer without a mark is said.
    fn wanted(&self) -> bool {
        match self.media.aloud {
            AutoVoice::Off | AutoVoice::Tagged => false,
            AutoVoice::Always => true,
            AutoVoice::Inbound => !self.notes.is_empty(),
        }
    }

    /// Says it, and answers where the sound lies.
    async fn sound(&self, voice: &dyn Voice, words: &str) -> Option<String> {
        let left = Duration::from_millis(self.deadline.since(self.agent.clock.now()));
        let time = left.checked_sub(TIME_TO_SEND)?.min(LONGEST);
        let Ok(Ok(speech)) = tokio::time::timeout(time, voice.say(words, &self.purse)).await else { return None };
        let path = format!("{}.{}", self.path, speech.extension);
        let key = format!("{}/{path}", self.workspace);
        self.agent.files.put(&key, speech.bytes, Precondition::None).await.ok().map(|_| path)
    }

    /// What was heard, for whoever said it.
    async fn echo(&self) -> Option<String> {
        let format = self.media.echo.as_ref()?;
        let mut heard = Vec::new();
        for note in &self.notes {
            heard.extend(self.agent.kept(&transcript_key(note)).await.filter(|words| !words.is_empty()));
        }
        let heard: String = heard.join("\n").chars().take(1_000).collect();
        let heard = heard.split_whitespace().collect::<Vec<_>>().join(" ");
        let text = format.replace("{transcript}", &heard);
        let part = Said { text: text.clone(), ..Said::default() }.part();
        // Whatever was said must stay words: nobody sends a file or shows buttons by saying so.
        (!heard.is_empty() && Said::of_part(&part).text == text).then_some(part)
    }
}

/// An answer without the marks that are meant for the voice.
#[derive(Debug, PartialEq)]
struct Unmarked {
    /// All of it, for reading.
    written: Vec<String>,
    /// What is still to be read where the words beside it are heard; `None` if nothing is to be said.
    spoken: Option<(Vec<String>, String)>,
}

fn read_tags(parts: &[String], wanted: bool) -> Unmarked {
    let (mut written, mut shown) = (Vec::new(), Vec::new());
    let (mut visible, mut hidden) = (Vec::new(), Vec::new());
    let (mut tagged, mut sounds) = (wanted, false);
    for part in parts {
        let said = Said::of_part(part);
        if let Some(path) = &said.file {
            let extension = path.rsplit('.').next().unwrap_or_default().to_ascii_lowercase();
            sounds |= SOUNDS.contains(&extension.as_str());
        }
        if !said.text.contains(TAG) && !said.text.contains(BEGIN) {
            written.push(part.clone());
            shown.push(part.clone());
            visible.push(said.text);
            continue;
        }
        tagged = true;
        let whole = said.text.replace(TAG, "");
        let mut rest = whole.clone();
        while let Some((before, after)) = rest.split_once(BEGIN) {
            let (words, after) = after.split_once(END).unwrap_or((after, ""));
            hidden.push(words.trim().to_owned());
            rest = format!("{before}{after}");
        }
        let with = |text: &str| Said { text: text.trim().to_owned(), ..said.clone() };
        let is_something = |said: &Said| !said.text.is_empty() || !said.choices.is_empty();
        written.extend(Some(with(&whole.replace(BEGIN, "").replace(END, ""))).filter(is_something).map(|s| s.part()));
        shown.extend(Some(with(&rest)).filter(is_something).map(|s| s.part()));
        visible.push(rest);
    }
    let words = if hidden.is_empty() { visible } else { hidden };
    let words = words.join("\n\n").trim().to_owned();
    let spoken = (tagged && !sounds && !words.is_empty()).then_some((shown, words));
    Unmarked { written, spoken }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tags(parts: &[&str], wanted: bool) -> (Vec<String>, Option<(Vec<String>, String)>) {
        let parts: Vec<String> = parts.iter().map(|part| (*part).to_owned()).collect();
        let Unmarked { written, spoken } = read_tags(&parts, wanted);
        (written, spoken)
    }

    #[test]
    fn marks_for_the_voice_are_not_read_and_their_words_are_never_lost() {
        let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        assert_eq!(tags(&["hello", "there"], false), (texts(&["hello", "there"]), None));
        let (_, spoken) = tags(&["hello", "there"], true);
        assert_eq!(spoken, Some((texts(&["hello", "there"]), "hello\n\nthere".to_owned())));
        let (written, spoken) = tags(&["[[tts]] hello"], false);
        assert_eq!((written, spoken), (texts(&["hello"]), Some((texts(&["hello"]), "hello".to_owned()))));
        let (written, spoken) = tags(&["Read this. [[tts:text]]Say that.[[/tts:text]]"], false);
        assert_eq!(written, ["Read this. Say that."]);
        assert_eq!(spoken, Some((texts(&["Read this."]), "Say that.".to_owned())));
        // An end that is missing, and nothing to read at all.
        let (written, spoken) = tags(&["[[tts:text]]Say that."], false);
        assert_eq!((written, spoken), (texts(&["Say that."]), Some((vec![], "Say that.".to_owned()))));
        assert_eq!(tags(&["[[tts]]"], true), (vec![], None));
    }

    #[test]
    fn an_answer_with_a_sound_is_not_said_as_well() {
        assert_eq!(tags(&["here you are", "MEDIA:outbox/x.MP3"], true).1, None);
        assert!(tags(&["here you are", "MEDIA:outbox/x.png"], true).1.is_some());
    }
}
