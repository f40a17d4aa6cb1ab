//! Where things are: the words of addresses, and what an id of a message stands for.

use std::fmt;

use crate::rest::is_repo;
use crate::settings::is_login;

/// An issue or pull request: `owner/name#number`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place<'a> {
    pub(crate) owner: &'a str,
    pub(crate) repo: &'a str,
    pub(crate) number: u64,
}

impl<'a> Place<'a> {
    /// Reads an address; `None` if it is none.
    pub(crate) fn read(to: &'a str) -> Option<Self> {
        let (name, number) = to.split_once('#')?;
        let (owner, repo) = name.split_once('/')?;
        (is_login(owner) && is_repo(repo)).then_some(Self { owner, repo, number: digits(number)? })
    }
}

/// Something a reaction can be put under, and, but for issues, something we can change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// The body of the issue or pull request itself.
    Issue,
    /// A comment on it.
    Comment(u64),
    /// A comment on lines of a pull request.
    ReviewComment(u64),
}

impl Target {
    /// Reads the id of a message; `None` if it is none.
    pub(crate) fn read(id: &str) -> Option<Self> {
        match id.split_once(':') {
            None if id == "issue" => Some(Self::Issue),
            Some(("comment", id)) => digits(id).map(Self::Comment),
            Some(("review-comment", id)) => digits(id).map(Self::ReviewComment),
            _ => None,
        }
    }

    /// The same, if it is a comment.
    pub(crate) fn comment(self) -> Option<Self> {
        Some(self).filter(|target| *target != Self::Issue)
    }

    /// Its path below the repository.
    pub(crate) fn path(self, number: u64) -> String {
        match self {
            Self::Issue => format!("issues/{number}"),
            Self::Comment(id) => format!("issues/comments/{id}"),
            Self::ReviewComment(id) => format!("pulls/comments/{id}"),
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Issue => write!(out, "issue"),
            Self::Comment(id) => write!(out, "comment:{id}"),
            Self::ReviewComment(id) => write!(out, "review-comment:{id}"),
        }
    }
}

/// A number without a sign.
pub(crate) fn digits(text: &str) -> Option<u64> {
    text.parse().ok().filter(|_| text.bytes().all(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_leads_to_an_issue_and_nowhere_else() {
        assert_eq!(Place::read("o-1/r.x_2#7"), Some(Place { owner: "o-1", repo: "r.x_2", number: 7 }));
        for bad in
            ["", "o/r", "o/r#", "o/r#x", "o/r#+7", "o#7", "../r#7", "o/..#7", "o/.#7", "o/r/x#7", "o/r?x#7", "o/%2e#7"]
        {
            assert_eq!(Place::read(bad), None, "{bad}");
        }
    }

    #[test]
    fn an_id_is_read_as_it_is_written() {
        for target in [Target::Issue, Target::Comment(1), Target::ReviewComment(u64::MAX)] {
            assert_eq!(Target::read(&target.to_string()), Some(target));
        }
        for bad in ["", "comment", "comment:", "comment:x", "comment:+1", "review:1", "issue:1"] {
            assert_eq!(Target::read(bad), None, "{bad}");
        }
    }
}
