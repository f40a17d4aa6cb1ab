//! Files of comments: GitHub stores what is dropped into a comment and writes its URL into the text, as a link, a picture
//! or an `<img>`.
//! <https://docs.github.com/en/get-started/writing-on-github/working-with-advanced-formatting/attaching-files>

use chela_core::message::Media;

use crate::settings::Settings;

/// Where GitHub itself stores them.
const STORES: [&str; 2] = ["https://github.com/user-attachments/", "https://user-images.githubusercontent.com/"];

/// More files than this in one comment are left where they are.
const MOST: usize = 10;

/// A file.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Attachment<'a>(&'a str);

impl From<Attachment<'_>> for Media {
    fn from(Attachment(url): Attachment<'_>) -> Self {
        // Pictures have no name, other files end in theirs: `…/user-attachments/files/<id>/<name>`.
        let name = url.split_once("/user-attachments/files/").and_then(|(_, rest)| rest.split_once('/'));
        let name = name.map(|(_, name)| name.to_owned()).filter(|name| !name.is_empty());
        Self { reference: url.to_owned(), content_type: None, name, size: None, missing: None }
    }
}

/// The files that a comment refers to, each once.
pub(crate) fn attachments<'b>(body: &'b str, settings: &Settings) -> impl Iterator<Item = Attachment<'b>> {
    let mut found: Vec<&str> = Vec::new();
    let starts = body.match_indices("http").filter_map(|(at, _)| body.get(at..));
    for url in starts.filter_map(|rest| rest.split(ends).next()).filter(|url| is_stored(url, settings)) {
        if !found.contains(&url) && found.len() < MOST {
            found.push(url);
        }
    }
    found.into_iter().map(Attachment)
}

fn ends(c: char) -> bool {
    c.is_whitespace() || matches!(c, '"' | '\'' | ')' | '>' | '<' | ']' | '|' | '`' | '\\')
}

/// Whether a URL is that of a stored file.
pub(crate) fn is_stored(url: &str, settings: &Settings) -> bool {
    let own = || url.strip_prefix(settings.web_url.as_str())?.strip_prefix("/user-attachments/");
    let rest = STORES.iter().find_map(|store| url.strip_prefix(store)).or_else(own);
    rest.is_some_and(|rest| !rest.is_empty() && !rest.contains("..") && !rest.contains('\\'))
}
