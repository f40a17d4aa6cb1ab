//! What the owner says about a server.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use chela_core::secret::{Secret, SecretError, SecretRef, SecretStore};
use wildmatch::WildMatch;

use crate::transport::Transport;

/// A text that must not be shown, or where it is kept.
#[derive(Clone, Debug, PartialEq)]
pub enum Hidden {
    /// The text.
    Here(Secret),
    /// Its place; looked up when it is needed.
    There(SecretRef),
}

impl Hidden {
    pub(crate) async fn read(&self, secrets: &dyn SecretStore) -> Result<Secret, SecretError> {
        match self {
            Self::Here(secret) => Ok(secret.clone()),
            Self::There(reference) => secrets.get(reference).await,
        }
    }
}

/// What a tool does to the world. Ordered: the higher of two is the careful one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Risk {
    /// It looks.
    Read,
    /// It changes what belongs to the owner.
    Write,
    /// It reaches other people or spends money: nothing takes it back.
    External,
}

impl Risk {
    /// Its name in the configuration.
    pub fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::External => "external",
        }
    }
}

/// Which of a server's tools are used, and how carefully.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ToolRules {
    /// Names or patterns with `*`; all if left out.
    pub allow: Option<Vec<String>>,
    /// The same; it wins over `allow`.
    pub deny: Vec<String>,
    /// What single tools do, where it is not what the server's tools do.
    pub risk: BTreeMap<String, Risk>,
    /// Hashes of definitions that are good, by tool, instead of those that were seen first.
    pub pins: BTreeMap<String, String>,
}

impl ToolRules {
    /// Whether a tool is used.
    pub fn allows(&self, tool: &str) -> bool {
        let named = |list: &[String]| list.iter().any(|pattern| WildMatch::new(pattern).matches(tool));
        !named(&self.deny) && self.allow.as_deref().is_none_or(named)
    }
}

/// A program that is a server.
#[derive(Clone, Debug, PartialEq)]
pub struct Program {
    /// What is started.
    pub command: String,
    /// With these arguments.
    pub args: Vec<String>,
    /// And these variables beside the few that every program gets.
    pub env: Vec<(String, Secret)>,
}

/// Starts programs. Only a process on the owner's own machine has one.
pub type Launcher = Arc<dyn Fn(Program) -> Arc<dyn Transport> + Send + Sync>;

/// How a server is reached.
#[derive(Clone, Debug, PartialEq)]
pub enum Way {
    /// Over HTTP.
    Http {
        /// Its one address.
        url: String,
        /// What every request carries.
        headers: Vec<(String, Hidden)>,
        /// Where the grant of a login is kept, if it wants one.
        grant: Option<Hidden>,
    },
    /// As a program beside us.
    Stdio {
        /// What is started.
        command: String,
        /// With these arguments.
        args: Vec<String>,
        /// And these variables.
        env: Vec<(String, Hidden)>,
    },
}

/// One server.
#[derive(Clone, Debug, PartialEq)]
pub struct ServerSettings {
    /// Its name: what its tools begin with.
    pub name: String,
    /// How it is reached.
    pub way: Way,
    /// Which of its tools are used.
    pub tools: ToolRules,
    /// What its tools do, unless said otherwise.
    pub risk: Risk,
    /// Whether tools that write ask a person first. Those that reach others always do.
    pub ask: bool,
    /// Longest wait for an answer.
    pub timeout: Duration,
}
