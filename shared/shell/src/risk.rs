//! Whether a program with these arguments runs something else than itself.

use crate::doubt::Doubt;
use crate::programs::{ARGUMENTS, GIT_ARGUMENTS, GIT_COMMANDS, GNU, NO_PLACES, PROGRAMS};
use crate::text::{named, plain, shows};

/// `Ok` if the program does what its name says, and nothing else because of its arguments.
pub(crate) fn check(argv: &[String]) -> Result<(), Doubt> {
    let (name, arguments) = argv.split_first().ok_or(Doubt::Empty)?;
    if let Some(hidden) = argv.iter().flat_map(|word| word.chars()).find(|c| !shows(*c)) {
        return Err(Doubt::Hidden(named(hidden)));
    }
    let program = program(name)?;
    if let Some(does) = does(&program) {
        return Err(Doubt::Program { program: plain(std::slice::from_ref(name)), does });
    }
    let doubt = |argument: &String, does| {
        let argument = plain(std::slice::from_ref(argument));
        Err(Doubt::Argument { program: program.clone(), argument, does })
    };
    for (_, does, options) in ARGUMENTS.iter().filter(|(of, ..)| *of == program) {
        if let Some(argument) = arguments.iter().find(|word| options.split(' ').any(|option| names(word, option))) {
            return doubt(argument, does);
        }
    }
    match program.as_str() {
        "git" => git(arguments).map_or(Ok(()), |(argument, does)| doubt(argument, does)),
        "sed" => sed(arguments).map_or(Ok(()), |argument| doubt(argument, "may run programs or write files")),
        "tar" => tar(arguments).map_or(Ok(()), |argument| doubt(argument, "runs a program")),
        // The second name is where they write.
        "uniq" | "xxd" => match arguments.iter().filter(|word| !word.starts_with('-')).nth(1) {
            Some(output) => doubt(output, "writes a file"),
            None => Ok(()),
        },
        _ => Ok(()),
    }
}

/// What a program of this name does, if it is one that runs something else.
pub(crate) fn does(program: &str) -> Option<&'static str> {
    // `x86_64-linux-gnu-gcc`
    let own = program.rsplit_once("-gnu-").or_else(|| program.rsplit_once("-musl-")).map_or(program, |(_, own)| own);
    let ends = own.match_indices(['.', '-', '_']).map(|(end, _)| end).chain([own.len()]);
    let begins: Vec<&str> = ends.filter_map(|end| own.get(..end)).collect();
    let unversioned = |name: &str| name.trim_end_matches(|c: char| c.is_ascii_digit()).to_owned();
    let listed = |name: &str| begins.iter().any(|begin| *begin == name || unversioned(begin) == name);
    PROGRAMS.iter().find(|(_, names)| names.split(' ').any(listed)).map(|(does, _)| *does)
}

/// The program that a name or an absolute path means, in small letters, since some file systems do not tell them apart.
pub(crate) fn program(name: &str) -> Result<String, Doubt> {
    let wrong = || Doubt::ProgramName(plain(&[name.to_owned()]));
    let part = |part: &str| {
        part.chars().all(|c| c.is_ascii_alphanumeric() || "_.+-@".contains(c)) && !matches!(part, "" | "." | "..")
    };
    let bare = match name.strip_prefix('/') {
        Some(_) if NO_PLACES.iter().any(|place| name.to_ascii_lowercase().starts_with(place)) => {
            return Err(Doubt::Place(plain(&[name.to_owned()])));
        }
        Some(path) if path.split('/').all(part) => path.rsplit('/').next().unwrap_or_default(),
        // `.` alone is the builtin; a name that begins with a sign is a job, an option or a mistake.
        None if name == "." || part(name) && name.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_') => name,
        _ => return Err(wrong()),
    };
    let small = bare.to_ascii_lowercase();
    let own = small.strip_suffix(".exe").unwrap_or(&small);
    let gnu = own.strip_prefix('g').filter(|name| GNU.split(' ').any(|known| known == *name));
    Ok(gnu.unwrap_or(own).to_owned())
}

/// Whether a word is this option: also abbreviated or with a value (`--comp=sh`), also in a bundle (`-no`).
fn names(word: &str, option: &str) -> bool {
    match (option.strip_prefix("--"), option.strip_prefix('-')) {
        (Some(long), _) => {
            let given = word.strip_prefix("--").map(|given| given.split('=').next().unwrap_or_default());
            given.is_some_and(|given| !given.is_empty() && long.starts_with(given))
        }
        (None, Some(letter)) if letter.len() == 1 => {
            let bundle = word.strip_prefix('-').filter(|bundle| !bundle.starts_with('-'));
            bundle.is_some_and(|bundle| bundle.contains(letter))
        }
        _ => word == option,
    }
}

/// The argument that makes git run something else: an option before the command, a command that may be an alias.
fn git(arguments: &[String]) -> Option<(&String, &'static str)> {
    const RUNS: &str = "can run other programs";
    let mut words = arguments.iter().skip_while(|word| matches!(word.as_str(), "--no-pager" | "-P"));
    let command = words.next()?;
    if matches!(command.as_str(), "--version" | "--help") {
        // Help about a command opens a pager or a browser.
        return words.next().map(|word| (word, RUNS));
    }
    if !GIT_COMMANDS.split(' ').any(|known| known == command) {
        return Some((command, "may be an alias, change the settings or run other programs"));
    }
    // A clone takes settings with it; elsewhere these letters name commits and patches.
    let sets = |word: &&String| command == "clone" && (names(word, "-c") || names(word, "-u"));
    // `ext::sh -c id` is an address to git.
    let runs = |word: &&String| word.contains("::") || GIT_ARGUMENTS.split(' ').any(|option| names(word, option));
    words.find(|word| sets(word) || runs(word)).map(|word| (word, RUNS))
}

/// The argument that makes tar run something that its options do not name: letters without a dash (`tar cfI x.tar sh`),
/// and an archive on another machine (`host:x.tar`).
fn tar(arguments: &[String]) -> Option<&String> {
    let letters = arguments.first().filter(|word| !word.starts_with('-') && word.contains(['I', 'F']));
    letters.or_else(|| arguments.iter().find(|word| word.contains(':')))
}

/// The argument that nobody here can read: sed runs programs (`e`) and writes files (`w`) by its script, so only
/// printing, quitting and deleting by line numbers is plain.
fn sed(arguments: &[String]) -> Option<&String> {
    let mut words = arguments.iter().skip_while(|word| matches!(word.as_str(), "-n" | "-E" | "-r"));
    let script = words.next()?;
    let body = script.strip_suffix(['p', 'q', 'd']).unwrap_or("?");
    let plain = body.split(',').count() <= 2 && body.chars().all(|c| c.is_ascii_digit() || matches!(c, ',' | '$'));
    if plain { words.find(|word| word.starts_with('-')) } else { Some(script) }
}
