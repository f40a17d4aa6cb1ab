//! What the bot says.
//! <https://docs.github.com/en/rest/issues/comments>, <https://docs.github.com/en/rest/pulls/comments>

use std::time::Duration;

use chela_core::channel::{Fetched, OutboundPart, Receipt, SendError};
use chela_core::message::{Media, ReplyAddress};
use http::header::AUTHORIZATION;
use http::{HeaderMap, Method};
use serde_json::{Value, json};
use url::Url;

use crate::attachment::is_stored;
use crate::credential::Credential;
use crate::gfm::comment;
use crate::place::{Place, Target, digits};
use crate::rest::{Rest, Until};
use crate::settings::Settings;

/// A reaction is a courtesy; it never holds up an answer.
const REACTION: Duration = Duration::from_secs(5);

/// For what is done to comments that stand there.
const DELETION: Duration = Duration::from_secs(15);

/// All that there are. <https://docs.github.com/en/rest/reactions/reactions#about-reactions>
const REACTIONS: [(&str, &str); 12] = [
    ("👍", "+1"),
    ("👎", "-1"),
    ("😄", "laugh"),
    ("😂", "laugh"),
    ("😕", "confused"),
    ("🤔", "confused"),
    ("❤", "heart"),
    ("🎉", "hooray"),
    ("✅", "hooray"),
    ("🚀", "rocket"),
    ("👀", "eyes"),
    ("⏳", "eyes"),
];

impl Rest {
    /// Writes a comment: in the thread of a review if the address names one.
    pub(crate) async fn send(&self, part: &OutboundPart<'_>) -> Result<Receipt, SendError> {
        let Place { owner, repo, number } = self.place(part.to)?;
        let root = part.to.thread.as_deref().and_then(digits);
        let path = match root {
            Some(root) => format!("/pulls/{number}/comments/{root}/replies"),
            None => format!("/issues/{number}/comments"),
        };
        let body = json!({ "body": comment(part.markdown) });
        let until = self.until(part.timeout);
        let made = self.call((owner, repo), Method::POST, &path, Some(&body), until).await?;
        let id = made.get("id").and_then(Value::as_u64);
        let id = id.ok_or_else(|| self.api.unknown("the comment is confirmed without an id"))?;
        let target = if root.is_some() { Target::ReviewComment(id) } else { Target::Comment(id) };
        Ok(Receipt { message_id: target.to_string() })
    }

    /// Changes a comment of ours.
    pub(crate) async fn edit(&self, message_id: &str, part: &OutboundPart<'_>) -> Result<(), SendError> {
        let Place { owner, repo, number } = self.place(part.to)?;
        let until = self.until(part.timeout);
        let target = self.standing(part.to, message_id, until).await?;
        let target = target.comment().ok_or_else(|| self.api.refused("this is no comment"))?;
        let body = json!({ "body": comment(part.markdown) });
        let path = format!("/{}", target.path(number));
        self.call((owner, repo), Method::PATCH, &path, Some(&body), until).await.map(drop)
    }

    /// Takes away a comment: one of ours, or another's where the token may.
    /// <https://docs.github.com/en/rest/issues/comments#delete-an-issue-comment>
    pub(crate) async fn delete(&self, to: &ReplyAddress, message_id: &str) -> Result<(), SendError> {
        let Place { owner, repo, number } = self.place(to)?;
        let until = self.until(DELETION);
        let deleted = async {
            let target = self.standing(to, message_id, until).await?;
            let target = target.comment().ok_or_else(|| self.api.refused("an issue cannot be deleted here"))?;
            let path = format!("/{}", target.path(number));
            self.call((owner, repo), Method::DELETE, &path, None, until).await.map(drop)
        };
        match deleted.await {
            // It is gone.
            Err(SendError::Refused { reason, .. }) if reason.starts_with("status 404") => Ok(()),
            deleted => deleted,
        }
    }

    /// What an id stands for, if that stands here. Comments are numbered through a repository, so a number alone reaches
    /// every other issue of it: GitHub is asked where the comment stands. What is being answered stands where it is answered.
    async fn standing(&self, to: &ReplyAddress, message_id: &str, until: Until) -> Result<Target, SendError> {
        let Place { owner, repo, number } = self.place(to)?;
        let target = Target::read(message_id).ok_or_else(|| self.api.refused("this is no comment"))?;
        let field = match target {
            Target::Issue => return Ok(target),
            _ if to.message.as_deref() == Some(message_id) => return Ok(target),
            Target::Comment(_) => "issue_url",
            Target::ReviewComment(_) => "pull_request_url",
        };
        let comment = self.call((owner, repo), Method::GET, &format!("/{}", target.path(number)), None, until).await?;
        let url = comment.get(field).and_then(Value::as_str);
        if url.and_then(|url| url.rsplit('/').next()).and_then(digits) == Some(number) {
            return Ok(target);
        }
        Err(self.api.refused("the comment stands in another conversation; name that one"))
    }

    /// Puts a reaction under a comment or an issue. The same again answers with the one that is there.
    pub(crate) async fn react(&self, to: &ReplyAddress, message_id: &str, emoji: &str) -> Result<(), SendError> {
        let Place { owner, repo, number } = self.place(to)?;
        let sign = emoji.trim_end_matches('\u{fe0f}');
        let known = REACTIONS.iter().find(|(emoji, name)| *emoji == sign || *name == sign);
        let (_, content) = known.ok_or_else(|| self.api.refused("GitHub has no such reaction"))?;
        let until = self.until(REACTION);
        let target = self.standing(to, message_id, until).await?;
        let path = format!("/{}/reactions", target.path(number));
        let body = json!({ "content": content });
        self.call((owner, repo), Method::POST, &path, Some(&body), until).await.map(drop)
    }

    /// Downloads a file of a comment. Pages of private repositories want the token, and nobody else gets it.
    pub(crate) async fn fetch(
        &self,
        settings: &Settings,
        media: &Media,
        most: usize,
        timeout: Duration,
    ) -> Result<Fetched, SendError> {
        let url = &media.reference;
        let parsed = Url::parse(url).ok().filter(|_| is_stored(url, settings));
        let parsed = parsed.ok_or_else(|| self.api.refused("this is no file of a comment"))?;
        let mut headers = HeaderMap::new();
        if parsed.origin().ascii_serialization() == settings.web_url
            && let Credential::User(authorization) = &self.credential
        {
            headers.insert(AUTHORIZATION, authorization.clone());
        }
        self.api.download(url, headers, most, timeout).await
    }

    fn place<'t>(&self, to: &'t ReplyAddress) -> Result<Place<'t>, SendError> {
        Place::read(&to.to).ok_or_else(|| self.api.refused("the address is not owner/name#number"))
    }
}
