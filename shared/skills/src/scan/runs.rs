//! Lines that run what nobody has read: what they download, and what they decode.

use super::has;

pub(super) const DOWNLOADERS: [&str; 8] =
    ["curl ", "wget ", "iwr ", "irm ", "invoke-webrequest", "invoke-restmethod", "curl.exe ", "aria2c "];

/// What makes a text of what nobody can read.
const DECODERS: [&str; 9] = [
    "base64 -d",
    "base64 --d",
    "base64 -i -d",
    "base32 -d",
    "base32 --d",
    "openssl enc -d",
    "openssl base64 -d",
    "openssl base64 -a -d",
    "xxd -r",
];

const SHELLS: [&str; 10] = ["sh", "bash", "zsh", "dash", "ksh", "fish", "iex", "pwsh", "powershell", "busybox"];

/// They run what they read, unless the code is among their arguments: then they read data.
const INTERPRETERS: [&str; 10] =
    ["python", "python3", "node", "perl", "ruby", "php", "bun", "deno", "osascript", "lua"];

/// What stands before the program that is meant.
const WRAPPERS: [&str; 12] =
    ["sudo", "env", "exec", "command", "nohup", "nice", "time", "timeout", "xargs", "doas", "setsid", "stdbuf"];

/// Code that reads code from somewhere else.
const EVALUATES: [&str; 13] = [
    "exec(base64",
    "eval(base64",
    "exec(__import__",
    "eval(__import__",
    "exec(requests.get",
    "exec(urllib",
    "exec(compile(base64",
    "eval(atob(",
    "eval(buffer.from(",
    "frombase64string(",
    "downloadstring(",
    "certutil -urlcache",
    "mshta http",
];

/// `curl … | sh`, `bash <(curl …)`, `eval "$(… | base64 -d)"`, `iex (irm …)`, also where quotes and backslashes that mean
/// nothing stand between the letters.
pub(super) fn what_nobody_has_read(line: &str) -> bool {
    let bare: String = line.replace("${ifs}", " ").replace("$ifs", " ").replace(['"', '\'', '\\'], "");
    [line, &bare].into_iter().any(|line| piped(line) || substituted(line) || runs_by_name(line))
        || has(line, &EVALUATES)
        || has(line, &["powershell -e", "powershell.exe -e", "pwsh -e"])
}

/// `curl -o tool … && chmod +x tool`
pub(super) fn what_it_has_fetched(line: &str) -> bool {
    let starts = |next: &str| has(next, &["chmod +x", "chmod a+x", "chmod 755"]) || next.starts_with("./");
    fetched(line).any(|(_, next)| starts(next) || run(next).is_some()) && !what_nobody_has_read(line)
}

/// `curl -o i.sh … && bash i.sh`
fn runs_by_name(line: &str) -> bool {
    let named = |script: &str| script.trim_matches(['`', '"', '\'']).rsplit('/').next().unwrap_or_default().to_owned();
    fetched(line).any(|(what, next)| run(next).map(named).is_some_and(|name| !name.is_empty() && what.contains(&name)))
}

/// The script that a command gives to a shell.
fn run(command: &str) -> Option<&str> {
    let command = command.strip_prefix("sudo ").unwrap_or(command);
    ["bash ", "sh ", "zsh "].iter().find_map(|shell| command.strip_prefix(shell))?.split_whitespace().next()
}

/// Downloads, each with one of the commands behind it.
fn fetched(line: &str) -> impl Iterator<Item = (&str, &str)> {
    DOWNLOADERS.iter().filter_map(|program| line.split_once(program)).flat_map(|(_, rest)| {
        let mut commands = rest.split(['&', ';']).map(str::trim).filter(|command| !command.is_empty());
        let what = commands.next().unwrap_or_default();
        commands.map(move |command| (what, command))
    })
}

fn piped(line: &str) -> bool {
    let mut opaque = false;
    for segment in line.split('|') {
        if opaque && is_shell(segment) {
            return true;
        }
        opaque |= has(segment, &DOWNLOADERS) || has(segment, &DECODERS);
    }
    false
}

/// Whether a command is a shell or an interpreter, whatever wraps it.
fn is_shell(command: &str) -> bool {
    let words = command.split_whitespace().map(|word| word.trim_matches(|c: char| "`'\"();&".contains(c)));
    let names: Vec<&str> =
        words.map(|word| word.rsplit('/').next().unwrap_or(word)).filter(|word| !word.is_empty()).collect();
    let at = names.iter().position(|word| !word.contains('=') && !word.starts_with('-')).unwrap_or(names.len());
    // A wrapper's options have values, so that any of the next words may be the program.
    let wrapped = names.get(at).is_some_and(|program| WRAPPERS.contains(program));
    let reads_code = |at: usize| match names.get(at) {
        Some(program) if SHELLS.contains(program) => true,
        Some(program) if INTERPRETERS.contains(program) => {
            let given = |word: &&str| word.starts_with('-') && word.contains(['c', 'm', 'e', 'n', 'r', 'p']);
            !names.get(at.saturating_add(1)).is_some_and(given) || has(command, &["exec(", "eval("])
        }
        _ => false,
    };
    let last = if wrapped { at.saturating_add(6) } else { at };
    (at..=last).any(reads_code)
}

fn substituted(line: &str) -> bool {
    let opened = ["<(curl", "<(wget", "$(curl", "$(wget", "`curl", "`wget"];
    let decoded = has(line, &["$(", "<(", "eval `"]) && has(line, &DECODERS);
    let run = ["bash ", "bash<", "sh -c", "sh <(", "eval ", "source ", "zsh ", ". <(", "sh <<<"];
    let powershell = has(line, &["iex ", "iex(", "invoke-expression"]) && has(line, &DOWNLOADERS);
    ((has(line, &opened) || decoded) && has(line, &run) && !line.contains("-h ")) || powershell
}
