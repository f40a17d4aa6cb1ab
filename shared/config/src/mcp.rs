//! `mcp`: servers of the Model Context Protocol, whose tools agents may use.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::path::Path;
use crate::secrets::SecretInput;
use crate::settings::Config;
use crate::shape::Misfit;

/// `mcp`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct McpSection {
    /// The servers, by name: letters, digits and single dashes. Tools of a server are called `<server>__<tool>`.
    pub servers: BTreeMap<String, McpServer>,
}

/// `mcp.servers.<name>`. It has either `url` or `command`.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct McpServer {
    /// `false` switches it off.
    pub enabled: bool,
    /// Where it is, for streamable HTTP.
    pub url: Option<String>,
    /// What every request carries, such as `Authorization`.
    pub headers: BTreeMap<String, SecretInput>,
    /// `oauth`: a person signs in with `chela mcp login`.
    pub auth: Option<McpAuth>,
    /// What is to be said about that login.
    pub oauth: McpOauth,
    /// A program that is the server. Programs run beside `chela run` only, never in a function.
    pub command: Option<String>,
    /// Its arguments.
    pub args: Vec<String>,
    /// Variables it gets beside `PATH`, `HOME` and the like; it gets no other of ours.
    pub env: BTreeMap<String, SecretInput>,
    /// Which of its tools agents may use.
    pub tools: McpTools,
    /// What its tools do to the world: `read` looks, `write` changes what is the owner's, `external` reaches other people or
    /// spends money. What the server says about itself can only make it worse. Not in OpenClaw.
    pub risk: McpRisk,
    /// Whether tools that write ask a person first; those that are `external` always do. Not in OpenClaw.
    pub ask: bool,
    /// Longest wait for an answer, in seconds.
    #[schemars(range(min = 1, max = 600))]
    pub timeout_seconds: u32,
}

impl Default for McpServer {
    fn default() -> Self {
        Self {
            enabled: true,
            url: None,
            headers: BTreeMap::new(),
            auth: None,
            oauth: McpOauth::default(),
            command: None,
            args: Vec::new(),
            env: BTreeMap::new(),
            tools: McpTools::default(),
            risk: McpRisk::default(),
            ask: true,
            timeout_seconds: 60,
        }
    }
}

/// `mcp.servers.<name>.auth`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum McpAuth {
    /// A login.
    Oauth,
}

/// `mcp.servers.<name>.oauth`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct McpOauth {
    /// The name of a client that the other side knows already; without it we introduce ourselves.
    pub client_id: Option<String>,
    /// Its secret.
    pub client_secret: Option<SecretInput>,
    /// What the login is to be good for; what the server asks for if left out.
    pub scope: Option<String>,
    /// Where what the login leaves is kept, if not where `chela mcp login` puts it: the data folder on a laptop, the
    /// parameter `/chela/<stage>/mcp/<name>` on AWS.
    pub grant: Option<SecretInput>,
}

/// `mcp.servers.<name>.tools`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct McpTools {
    /// Tools that may be used, as the server calls them, with `*` for any run of characters; all if left out.
    pub allow: Option<Vec<String>>,
    /// Tools that may not be used, whatever `allow` says.
    pub deny: Vec<String>,
    /// What single tools do to the world, instead of what the server's tools do.
    pub risk: BTreeMap<String, McpRisk>,
    /// Digests of definitions that are good, by tool, as `chela mcp tools` shows them; without one the first definition
    /// that was seen is good, and a changed one is switched off.
    pub pins: BTreeMap<String, String>,
}

/// What a tool does to the world.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum McpRisk {
    /// It looks.
    Read,
    /// It changes what is the owner's.
    #[default]
    Write,
    /// It reaches other people or spends money.
    External,
}

/// Variables that would put other code into a program than its name says.
const LOADS_CODE: [&str; 18] = [
    "BASHOPTS",
    "BASH_ENV",
    "ENV",
    "IFS",
    "KSH_ENV",
    "NODE_OPTIONS",
    "NODE_PATH",
    "PERL5LIB",
    "PERL5OPT",
    "PROMPT_COMMAND",
    "PS4",
    "PYTHONHOME",
    "PYTHONPATH",
    "PYTHONSTARTUP",
    "RUBYLIB",
    "RUBYOPT",
    "SHELLOPTS",
    "ZDOTDIR",
];

fn loads_code(name: &str) -> bool {
    let name = name.to_ascii_uppercase();
    let prefixes = ["LD_", "DYLD_", "BASH_FUNC_", "GCONV_"];
    prefixes.iter().any(|prefix| name.starts_with(prefix)) || LOADS_CODE.contains(&name.as_str())
}

/// Names become parts of tools' names and of keys in the file store.
fn is_name(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    (1..=32).contains(&name.len())
        && name.chars().all(plain)
        && !name.starts_with('-')
        && !name.ends_with('-')
        && !name.contains("--")
}

/// Everything that is unsafe or contradicts itself.
pub(crate) fn inspect(config: &Config) -> Vec<Misfit> {
    config.mcp.servers.iter().flat_map(|(name, server)| problems(name, server)).collect()
}

fn problems(name: &str, server: &McpServer) -> Vec<Misfit> {
    let at = Path::of(&["mcp", "servers", name]);
    let mut misfits = Vec::new();
    let mut say = |path: Path, warning: bool, message: &str, fix: &str| {
        misfits.push(Misfit { path, at_key: false, warning, message: message.to_owned(), fix: fix.to_owned() });
    };
    if !is_name(name) {
        say(at.clone(), false, "is not a name for a server", "use up to 32 small letters, digits and single dashes");
    }
    match (&server.url, &server.command) {
        (Some(_), Some(_)) => say(at.clone(), false, "has a url and a command", "keep one of them"),
        (None, None) => say(at.clone(), false, "has neither url nor command", "say where the server is"),
        (Some(url), None) => {
            let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://")).unwrap_or_default();
            let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
            if authority.is_empty() || authority.contains('@') {
                let fix = "write it as https://mcp.example.com/mcp, with keys in headers";
                say(at.key("url"), false, "is not a web address", fix);
            }
        }
        (None, Some(_)) if server.auth.is_some() || !server.headers.is_empty() => {
            say(at.clone(), true, "is a program: auth and headers do nothing", "give it keys in env");
        }
        (None, Some(_)) => {}
    }
    if server.auth.is_some() && server.headers.keys().any(|name| name.eq_ignore_ascii_case("authorization")) {
        let fix = "remove it, or auth";
        say(at.key("headers"), false, "has an Authorization beside a login", fix);
    }
    for variable in server.env.keys().filter(|variable| loads_code(variable)) {
        let message = "would put other code into the program";
        say(at.key("env").key(variable), false, message, "remove it, or start a program of your own that sets it");
    }
    let hash = |pin: &str| pin.len() == 64 && pin.chars().all(|c| c.is_ascii_hexdigit());
    for (tool, _) in server.tools.pins.iter().filter(|(_, pin)| !hash(pin)) {
        let fix = "copy it from `chela mcp tools`";
        say(at.key("tools").key("pins").key(tool), false, "is not a digest", fix);
    }
    misfits
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::{Surroundings, check};
    use crate::variables::MissingVariable;

    fn said(servers: &str) -> Vec<String> {
        let surroundings = Surroundings { variables: &|_| None, missing: MissingVariable::Defer, channels: &[] };
        let report = check("c", &format!("{{ mcp: {{ servers: {servers} }} }}"), &|_| None, &surroundings).report;
        report.errors.iter().chain(&report.warnings).map(|f| format!("{}: {}", f.path, f.message)).collect()
    }

    #[test]
    fn servers_are_read_with_their_defaults() {
        let text = r#"{ mcp: { servers: {
            docs: { url: "https://mcp.example.com/mcp", auth: "oauth", risk: "read" },
            files: { command: "f", args: ["x"], env: { KEY: { source: "env", id: "K" } }, tools: { risk: { a: "external" } } },
        } } }"#;
        let surroundings = Surroundings { variables: &|_| None, missing: MissingVariable::Defer, channels: &[] };
        let checked = check("c", text, &|_| None, &surroundings);
        assert!(checked.report.is_clean(), "{}", checked.report.render());
        let servers = checked.config.unwrap().mcp.servers;
        assert_eq!((servers["docs"].risk, servers["files"].risk), (McpRisk::Read, McpRisk::Write));
        assert!(servers["files"].ask && servers["files"].enabled);
        assert_eq!(servers["files"].tools.risk["a"], McpRisk::External);
    }

    #[test]
    fn what_is_unsafe_or_contradicts_itself_is_found() {
        for (servers, wanted) in [
            (r#"{ "a__b": { command: "x" } }"#, "is not a name"),
            (r#"{ "../b": { command: "x" } }"#, "is not a name"),
            (r#"{ a: { command: "x", url: "https://a.example" } }"#, "a url and a command"),
            ("{ a: {} }", "neither url nor command"),
            (r#"{ a: { url: "https://user:key@a.example/" } }"#, "is not a web address"),
            (r#"{ a: { url: "file:///etc/passwd" } }"#, "is not a web address"),
            (
                r#"{ a: { url: "https://a.example", auth: "oauth", headers: { authorization: "x" } } }"#,
                "beside a login",
            ),
            (r#"{ a: { command: "x", env: { LD_PRELOAD: "y" } } }"#, "other code"),
            (r#"{ a: { command: "x", env: { node_options: "y" } } }"#, "other code"),
            (r#"{ a: { command: "x", tools: { pins: { t: "12" } } } }"#, "is not a digest"),
            (r#"{ a: { command: "x", auth: "oauth" } }"#, "do nothing"),
            (r#"{ a: { command: "x", risk: "none" } }"#, "is not one of"),
        ] {
            let said = said(servers);
            assert!(said.iter().any(|line| line.contains(wanted)), "{servers}: {said:?}");
        }
        assert_eq!(said(r#"{ "a-1": { command: "x", env: { GITHUB_TOKEN: "y" } } }"#), Vec::<String>::new());
    }
}
