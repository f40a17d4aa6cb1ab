//! Why only a person can say whether a command may run.

/// Why a command needs a person. Its text is for that person and may show parts of the command.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Doubt {
    /// Nothing would run.
    #[error("there is no command")]
    Empty,
    /// Longer than [`crate::MAX_BYTES`].
    #[error("the command is longer than {} bytes", crate::MAX_BYTES)]
    TooLong,
    /// A character that does not show, or shows elsewhere than it stands.
    #[error("the command contains a character that does not show: {0}")]
    Hidden(String),
    /// A backslash at the end of a line.
    #[error("a line is continued by a backslash at its end")]
    Continued,
    /// Too many expansions within each other.
    #[error("expansions are nested too deeply to be read")]
    Nested,
    /// No command of bash.
    #[error("the command is not complete or not well-formed")]
    Malformed,
    /// A redirection, a background job, a subshell, …
    #[error("`{0}` {meaning}", meaning = meaning(.0))]
    Operator(String),
    /// A control structure, a function, `time`, `!`, …
    #[error("`{0}` begins a control structure")]
    Keyword(String),
    /// `A=b command`.
    #[error("`{0}` sets a variable, which can change what a program does")]
    Assignment(String),
    /// `$x`, `$(command)`, `` `command` ``, `$((1))`.
    #[error("`{0}` is replaced by the shell when the command runs")]
    Substitution(String),
    /// `~`, `*`, `?`, `[a]`, `{a,b}`.
    #[error("`{0}` is expanded by the shell when the command runs; quote it if it stands for itself")]
    Expansion(char),
    /// `$'…'` and `$"…"`.
    #[error("`$` before a quote changes what the text in it means")]
    DollarQuote,
    /// `!`, which an interactive shell replaces by an earlier command.
    #[error("`!` can stand for an earlier command; put it into single quotes")]
    History,
    /// Neither a bare name nor a plain absolute path.
    #[error("`{0}` is not the plain name of a program; use the bare name or the exact absolute path")]
    ProgramName(String),
    /// A path below [`crate::programs::NO_PLACES`].
    #[error("`{0}` lies where programs can be put or where names stand for other programs")]
    Place(String),
    /// A program that runs something else, or changes what later commands mean.
    #[error("`{program}` {does}")]
    Program {
        /// Its name.
        program: String,
        /// What it does.
        does: &'static str,
    },
    /// A program that runs or writes something else because of one argument.
    #[error("`{program}` with `{argument}` {does}")]
    Argument {
        /// The program.
        program: String,
        /// The argument.
        argument: String,
        /// What it does.
        does: &'static str,
    },
}

fn meaning(operator: &str) -> &'static str {
    match operator {
        "<<" | "<<-" => "gives the program a text of its own",
        "&" => "leaves the command running in the background",
        "(" | ")" => "opens a subshell, a function or an expression",
        ";;" | ";&" | ";;&" => "belongs into a control structure",
        _ => "redirects input or output",
    }
}
