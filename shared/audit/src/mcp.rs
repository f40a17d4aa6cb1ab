//! Servers whose tools are used.

use chela_config::{McpRisk, McpServer};

use crate::checks::{MCP_PLAIN, MCP_UNASKED, MCP_UNPINNED};
use crate::gateway::is_plain;
use crate::{Finding, Subject};

/// Programs that fetch another one and run it.
const FETCHES: &[&str] = &["bunx", "deno", "docker", "npm", "npx", "pipx", "pnpm", "podman", "uv", "uvx", "yarn"];

pub(crate) fn look(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    let servers = subject.config.mcp.servers.iter().filter(|(_, server)| server.enabled);
    for (name, server) in servers {
        let at = |key: &str| format!("mcp.servers.{name}.{key}");
        if server.url.as_deref().is_some_and(is_plain) {
            findings.push(MCP_PLAIN.found(at("url"), "the address begins with http://", "use https://"));
        }
        if fetches_anything(server) {
            let fix = "name the version, as [\"-y\", \"some-server@1.4.2\"], or install the program and name its path";
            findings.push(MCP_UNPINNED.found(at("args"), "the newest of a program is fetched at each start", fix));
        }
        let writes = server.risk != McpRisk::Read || server.tools.risk.values().any(|risk| *risk != McpRisk::Read);
        if writes && !server.ask {
            let fix = "remove ask: false, or name the tools that only look under tools.risk as \"read\"";
            findings.push(MCP_UNASKED.found(at("ask"), "its tools change things without asking", fix));
        }
    }
}

/// Whether a program is fetched at each start and nothing says which of its versions. What stands behind `-c` of a shell
/// is looked at, too.
fn fetches_anything(server: &McpServer) -> bool {
    let words = server.command.iter().chain(&server.args).flat_map(|word| word.split_whitespace());
    let mut words = words.skip_while(|word| !FETCHES.contains(&word.rsplit('/').next().unwrap_or_default()));
    match words.next() {
        Some(_) => !words.any(is_pinned),
        None => false,
    }
}

/// Whether a word names a version: `some-server@1.4.2`, `some-server==1.4`, `image:1.4`, `image@sha256:…`. A number of any
/// other kind, a port for instance, is none.
fn is_pinned(word: &str) -> bool {
    let word = match word.strip_prefix("--package=").or_else(|| word.strip_prefix("--from=")) {
        Some(package) => package,
        None if word.starts_with('-') => return false,
        None => word,
    };
    let named = word.starts_with(|c: char| c.is_ascii_alphabetic() || c == '@') && !word.contains("//");
    let version = word.rsplit_once(['@', '=', ':']).map(|(_, version)| version).unwrap_or_default();
    named && (version.len() == 64 || version.starts_with(|c: char| c.is_ascii_digit()))
}
