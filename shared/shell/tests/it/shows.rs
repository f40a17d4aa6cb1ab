//! What a person is shown, and what a grant is bound to.

use chela_shell::{Verdict, digest, shown, verdict};

#[test]
fn nothing_hides() {
    let hidden = [
        "\u{0}",
        "\u{7}",
        "\u{1b}[2K",
        "\n",
        "\r",
        "\t",
        "\u{7f}",
        "\u{85}",
        "\u{a0}",
        "\u{ad}",
        "\u{34f}",
        "\u{115f}",
        "\u{1160}",
        "\u{180e}",
        "\u{2000}",
        "\u{200b}",
        "\u{200d}",
        "\u{200e}",
        "\u{2028}",
        "\u{202a}",
        "\u{202e}",
        "\u{2060}",
        "\u{2066}",
        "\u{2069}",
        "\u{206f}",
        "\u{2800}",
        "\u{3000}",
        "\u{3164}",
        "\u{e000}",
        "\u{fe0f}",
        "\u{feff}",
        "\u{ffa0}",
        "\u{fff9}",
        "\u{e0001}",
        "\u{e0041}",
        "\u{e0100}",
        "\u{10ffff}",
        "\u{1d173}",
        "\u{1f3fb}\u{200d}",
    ];
    for text in hidden {
        let shown = shown(&format!("ls a{text}b"));
        assert!(shown.contains("⟨U+") && !shown.contains(text), "{text:?}: {shown}");
        if text != "\n" {
            assert!(matches!(verdict(&format!("ls a{text}b")), Verdict::NeedsPerson { .. }), "{text:?}");
        }
    }
    assert_eq!(shown("ls 'é日本😀' \\n ~/x"), "ls 'é日本😀' \\n ~/x");
    assert_eq!(shown("ls\n\u{202e}x"), "ls⟨U+000A⟩⟨U+202E⟩x");
}

/// Somebody who writes our own sign cannot pass one command for another.
#[test]
fn two_commands_never_look_the_same() {
    assert_ne!(shown("ls ⟨U+202E⟩"), shown("ls \u{202e}"));
    assert_ne!(shown("ls \\n"), shown("ls \n"));
}

#[test]
fn a_digest_names_its_texts_in_their_order_and_no_others() {
    let name = digest(&["ls", "/work", "session"]);
    assert_eq!((name.len(), &name), (64, &digest(&["ls".to_owned(), "/work".to_owned(), "session".to_owned()])));
    for other in [
        &["ls", "/work", "sessions"][..],
        &["ls/work", "session"],
        &["ls", "session", "/work"],
        &["ls", "/work", "session", ""],
        &["l", "s/work", "session"],
        &[],
    ] {
        assert_ne!(digest(other), name, "{other:?}");
    }
}

#[test]
fn the_reason_is_a_sentence_and_shows_no_trick() {
    let why = |line: &str| match verdict(line) {
        Verdict::NeedsPerson { why } => why.to_string(),
        Verdict::Programs(programs) => panic!("{programs:?}"),
    };
    assert_eq!(why("ls > x"), "`>` redirects input or output");
    assert_eq!(why("ls $(id)"), "`$(…)` is replaced by the shell when the command runs");
    assert_eq!(why("A=1 ls"), "`A=1` sets a variable, which can change what a program does");
    assert_eq!(why("python3 -c 1"), "`python3` runs code that it is given");
    assert_eq!(why("sort --comp=sh"), "`sort` with `--comp=sh` runs a program or writes a file");
    assert_eq!(why("ls \u{202e}x"), "the command contains a character that does not show: ⟨U+202E⟩");
    assert_eq!(why("if ls; then ls; fi"), "`if` begins a control structure");
    assert_eq!(why("ls *"), "`*` is expanded by the shell when the command runs; quote it if it stands for itself");
    assert_eq!(why(""), "there is no command");
    assert_eq!(why("ls & ls"), "`&` leaves the command running in the background");
}
