//! Writing notes. Two writers at once both keep theirs: each reads, changes, and writes only over what it has read.

use bytes::Bytes;
use chela_core::agent_id::AgentId;
use chela_core::blob::{Blob, BlobError, BlobStore, Precondition};
use chela_core::outside::without_hidden;
use jiff::civil::DateTime;

use crate::origin::{Origin, marker, marks};
use crate::place::{Audience, day, key};

/// Longest note.
pub const NOTE_MAX: usize = 16 * 1024;

/// Longest file of notes that is added to.
const FILE_MAX: usize = 256 * 1024;

/// Each round somebody's change is stored, so this is how many writers may meet.
const ROUNDS: usize = 32;

/// Why a change of memory was not stored.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError {
    /// What was asked for cannot be done: ask for something else.
    #[error("{0}")]
    Refused(String),
    /// Too many others write at the same time: try again.
    #[error("{0} is being changed by others all the time. Try again.")]
    Contended(String),
    /// The store failed.
    #[error("The notes cannot be reached ({0}). Try again later.")]
    Store(#[from] BlobError),
}

/// A note to be kept.
#[derive(Clone, Debug)]
pub struct Note<'a> {
    /// What is to be remembered.
    pub text: &'a str,
    /// The file of this topic, such as `people` or `projects/house`; the file of the day if left out. A guest's notes all
    /// go into one file.
    pub topic: Option<&'a str>,
    /// The same for every attempt to keep this note.
    pub key: &'a str,
    /// Who says it.
    pub origin: Origin,
    /// Now, where the owner lives.
    pub now: DateTime,
}

/// Keeps a note and says in which file. Keeping it again finds it and adds nothing.
pub async fn save(
    files: &dyn BlobStore,
    agent: &AgentId,
    audience: &Audience,
    note: &Note<'_>,
) -> Result<String, ChangeError> {
    // The owner reads the file: what is not seen in it is not remembered either, and its lines end as they seem to.
    let text = without_hidden(note.text);
    let text = text.trim();
    if text.is_empty() {
        return Err(ChangeError::Refused("There is nothing to remember: the text is empty.".into()));
    }
    if text.len() > NOTE_MAX {
        return Err(ChangeError::Refused(format!(
            "The note has {} bytes; at most {NOTE_MAX} can be saved. Shorten it, or write a file.",
            text.len()
        )));
    }
    let (path, title) = match (audience, note.topic) {
        (Audience::Guests { own }, _) => (own.clone(), "Said by guests".to_owned()),
        (Audience::Owner, Some(topic)) => topic_file(topic)?,
        (Audience::Owner, None) => {
            // A call that is repeated after midnight finds its note in the file of the day before.
            let yesterday = format!("memory/{}.md", note.now.yesterday().unwrap_or(note.now).date());
            let before = files.get(&key(agent, &yesterday)).await?;
            if holds(&text_of(before.as_ref()), note.key) {
                return Ok(yesterday);
            }
            (format!("memory/{}.md", note.now.date()), note.now.date().to_string())
        }
    };
    change(files, agent, &path, |file| {
        if holds(file, note.key) {
            return Ok(None);
        }
        let added = with_note(file, &title, note, text);
        if added.len() > FILE_MAX {
            return Err(ChangeError::Refused(format!(
                "{path} is full. Save under another topic, or tidy it up first."
            )));
        }
        Ok(Some(added))
    })
    .await?;
    Ok(path)
}

/// Changes a file: `decide` is told what it holds (nothing if there is none) and says what it shall hold, or `None` to
/// leave it. It is asked again when somebody else wrote in between.
pub(crate) async fn change(
    files: &dyn BlobStore,
    agent: &AgentId,
    path: &str,
    mut decide: impl FnMut(&str) -> Result<Option<String>, ChangeError>,
) -> Result<(), ChangeError> {
    let key = key(agent, path);
    for _ in 0..ROUNDS {
        let before = files.get(&key).await?;
        let Some(after) = decide(&text_of(before.as_ref()))? else { return Ok(()) };
        let precondition = before.map_or(Precondition::Absent, |blob| Precondition::Matches(blob.etag));
        match files.put(&key, Bytes::from(after), precondition).await {
            Ok(_) => return Ok(()),
            Err(BlobError::Conflict(_)) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(ChangeError::Contended(path.to_owned()))
}

/// The file of a topic and its title.
fn topic_file(topic: &str) -> Result<(String, String), ChangeError> {
    let refused = || {
        ChangeError::Refused(format!(
            "\"{topic}\" is no topic. Use one or two short words, such as people or projects/house."
        ))
    };
    let mut segments = Vec::new();
    for segment in topic.trim().trim_start_matches("memory/").trim_end_matches(".md").split('/') {
        let words = segment.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
        let name = words.map(str::to_lowercase).collect::<Vec<_>>().join("-");
        if name.is_empty() || name.chars().count() > 60 {
            return Err(refused());
        }
        segments.push(name);
    }
    let path = format!("memory/{}.md", segments.join("/"));
    let taken = segments.first().is_none_or(|first| first == "guests") || day(&path).is_some();
    if segments.len() > 3 || taken {
        return Err(refused());
    }
    Ok((path, segments.join(" / ").replace('-', " ")))
}

fn text_of(blob: Option<&Blob>) -> String {
    blob.map(|blob| String::from_utf8_lossy(&blob.bytes).into_owned()).unwrap_or_default()
}

fn holds(file: &str, key: &str) -> bool {
    file.lines().any(|line| marks(line, key))
}

/// The file with one more note.
fn with_note(before: &str, title: &str, note: &Note<'_>, text: &str) -> String {
    let mut file = if before.is_empty() { format!("# {title}\n") } else { before.to_owned() };
    if !file.ends_with('\n') {
        file.push('\n');
    }
    let dated = day_is_in_name(title, note.now);
    let at = note.now.strftime(if dated { "%H:%M" } else { "%Y-%m-%d %H:%M" });
    let text = text.lines().collect::<Vec<_>>().join("\n  ");
    file.push_str(&format!("\n- {at} {text}\n{}\n", marker(note.key, &note.origin)));
    file
}

fn day_is_in_name(title: &str, now: DateTime) -> bool {
    title == now.date().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topic_becomes_a_file_of_memory_and_nothing_else() {
        for (topic, path) in [
            ("people", "memory/people.md"),
            ("Projects/New House", "memory/projects/new-house.md"),
            ("memory/people.md", "memory/people.md"),
            ("友達", "memory/友達.md"),
            ("shared/faq", "memory/shared/faq.md"),
            ("..a", "memory/a.md"),
        ] {
            assert_eq!(topic_file(topic).unwrap().0, path);
        }
        for topic in ["", "..", "../x", "a//b", "guests/ab", "Guests", "2026-03-04", "a/b/c/d", &"x".repeat(61)] {
            assert!(topic_file(topic).is_err(), "{topic}");
        }
    }
}
