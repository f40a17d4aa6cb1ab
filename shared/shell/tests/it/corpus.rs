//! The cases of the corpus that concern what a command runs, each under its id. What the sandbox has to see to (X01's
//! files, X08's environment, X23's caps) is tested there.

use chela_shell::{MAX_BYTES, digest, shown};

use crate::{allowed, assert_asked, assert_asked_argv};

#[test]
fn x01_the_environment_is_not_read_without_a_person() {
    assert_asked(&["env; cat /proc/self/environ /proc/1/environ", "/usr/bin/env", "export", "set", "declare -p"]);
}

/// GHSA-9868-vxmx-w862
#[test]
fn x03_a_continued_line_is_asked_about() {
    assert_asked(&["echo \"$\\\n(id)\"", "l\\\ns", "ls \\\n-l", "ls '\\\n'", "ls \"a\\\nb\"", "ls \\"]);
}

/// CVE-2026-22175, GHSA-gwqp-86q6-w47g, CVE-2026-43530
#[test]
fn x04_one_binary_with_many_programs_is_a_wrapper() {
    assert_asked(&["busybox sh -c id", "toybox sh -c id", "/bin/busybox ls", "busybox", "BusyBox sh"]);
    assert_asked_argv(&["busybox sh -c id", "/usr/bin/toybox ls"]);
}

/// GHSA-48wf-g7cp-gr3m, GHSA-796m-2973-wc5q, GHSA-jj82-76v6-933r
#[test]
fn x05_env_runs_what_it_is_given() {
    assert_asked(&[
        "env -S \"sh -c id\"",
        "env FOO=1 sh -c id",
        "env -i ls",
        "env --split-string='ls'",
        "/usr/bin/env ls",
    ]);
    assert_asked_argv(&["env -S sh", "env ls"]);
}

/// GHSA-2fgq-7j6h-9rm4, CVE-2026-42435
#[test]
fn x07_an_assignment_is_asked_about() {
    assert_asked(&[
        "SHELLOPTS=xtrace PS4=\"$(id)\" true",
        "PS4=x ls",
        "A=b",
        "A= ls",
        "A+=b ls",
        "a[1]=b ls",
        "a=(b) ls",
        "ls; B=c ls",
        "IFS=x ls",
        "A='b' ls",
        "PATH=/tmp ls",
        "A=b B=c ls | ls",
        "BASH_ENV=x ls",
        "LD_PRELOAD=x ls",
        "GIT_SSH_COMMAND=x git fetch",
    ]);
}

/// CVE-2026-32059, GHSA-4gc7-qcvf-38wg, GHSA-4685-c5cp-vp95
#[test]
fn x09_options_that_run_or_write_are_refused_also_abbreviated() {
    assert_asked(&[
        "sort --compress-prog=sh",
        "sort --compress-program sh",
        "sort --comp=sh",
        "sort -o /ws/x",
        "sort -no/ws/x",
        "sort --outp x",
        "sort --o=x",
        "sort x -o x",
        "find . -exec sh",
        "find . -execdir ls",
        "find -ok ls",
        "find . -delete",
        "find . -fprintf x y",
        "tar cf x --checkpoint-action=exec=sh",
        "tar --checkpoint-act=exec=sh",
        "tar cIf sh x",
        "tar -cIsh",
        "tar --to-com=sh -xf x",
        "rg --pre sh x",
        "fd -x sh",
        "split --filter=sh",
        "zip -TT sh x",
        "printf -v 'a[$(id)]' x",
        "test -v 'a[$(id)]'",
    ]);
    assert_asked_argv(&["sort --compress-prog=sh", "find . -exec sh", "sort -o /ws/x"]);
    // No table knows every option: a wildcard stands for none.
    let rules = ["grep **", "sort **"];
    assert!(!allowed(&rules, "grep -r x") && !allowed(&rules, "grep --recursive x"));
    assert!(!allowed(&rules, "grep --recurs x") && allowed(&rules, "grep x y"));
    assert!(allowed(&rules, "sort x"));
}

/// CVE-2026-32973, GHSA-qhrr-grqp-6x2g, GHSA-g75x-8qqm-2vxp, CVE-2026-24763
#[test]
fn x12_a_program_is_a_bare_name_or_a_plain_absolute_path() {
    assert_asked(&[
        "/usr/bin/../bin/sh -c id",
        "/BIN/sh",
        "./sh",
        "./ls",
        "../ls",
        "bin/ls",
        "//bin/ls",
        "/bin/./ls",
        "/bin/../ls",
        "/bin/",
        "~/ls",
        "-ls",
        "%1",
        ".",
        "..",
        "'' a",
        "'l s'",
        "l$s",
        "Sh -c id",
        "BASH -c id",
    ]);
    assert_asked_argv(&["/usr/bin/../bin/ls", "./ls", "ls/ls", "l*s", "/bin/s\u{68}"]);
}

/// CVE-2026-53806, CVE-2026-53855, GHSA-c226-q6fx-6j6c
#[test]
fn x13_a_shell_is_asked_about_whatever_its_flags() {
    assert_asked(&[
        "bash -ic id",
        "sh -lc id",
        "sh -xec id",
        "sh -c '\"$0\"' id",
        "bash script",
        "zsh",
        "dash -c id",
        "/usr/bin/fish -c id",
        "bash5 -c id",
        "rbash",
        "ls | sh",
        "ls | bash -s",
        "ksh93 -c id",
        "'bash' -c id",
        "b\\ash -c id",
        "b'as'h -c id",
        "\"sh\" -c id",
    ]);
    assert_asked_argv(&["sh -c id", "/bin/bash -lc id"]);
}

/// CVE-2026-53829, GHSA-rw39-5899-8mxp, CVE-2021-42574
#[test]
fn x14_the_whole_command_is_shown_and_a_longer_one_refused() {
    let line = format!("ls{}; rm -rf x # \u{202e}\u{200b}", " ".repeat(8_000));
    assert!(shown(&line).starts_with("ls  ") && shown(&line).ends_with("; rm -rf x # ⟨U+202E⟩⟨U+200B⟩"));
    assert_eq!(shown(&line).matches(' ').count(), line.matches(' ').count());
    assert_asked(&[&line, &format!("ls {}", "x".repeat(MAX_BYTES))]);
    assert_eq!(digest(&[&line]).len(), 64);
}

/// GHSA-8g75-q649-6pv6, CVE-2026-32043, GHSA-q399-23r3-hfx4, CVE-2026-27545: what has changed has another name.
#[test]
fn x15_a_digest_binds_the_script_the_words_and_the_folder() {
    let approved = digest(&["ls x.txt", "/work", "contents"]);
    assert_ne!(approved, digest(&["ls x.txt", "/work", "contents!"]));
    assert_ne!(approved, digest(&["ls x.txt", "/other", "contents"]));
    assert_ne!(approved, digest(&["ls  x.txt", "/work", "contents"]));
    // And no rule lets a script run at all.
    assert_asked(&["./x.sh", "bash x.sh", "python x.py", "make", ". x.sh", "source x.sh"]);
}

/// GHSA-6j27-pc5c-m8w8, CVE-2026-41380, CVE-2026-41392, GHSA-9q2p-vc84-2rwm
#[test]
fn x16_no_rule_allows_a_wrapper_so_none_allows_another_inner_command() {
    for (rule, line) in [
        ("timeout 5 *", "timeout 5 ls"),
        ("env **", "env ls"),
        ("nice -n 5 ls", "nice -n 5 ls"),
        ("xargs ls", "xargs ls"),
        ("sudo ls", "sudo ls"),
        ("nohup -**", "nohup ls"),
    ] {
        assert!(!allowed(&[rule], line), "{rule}");
    }
    assert_asked(&["timeout 5 ls", "nice -n 5 ls", "ls | xargs ls"]);
}

/// GHSA-3h2q-j2v4-6w5r, CVE-2026-53836, CVE-2026-22168
#[test]
fn x24_windows_shells_are_asked_about() {
    assert_asked(&[
        "powershell -EncodedCommand x",
        "cmd /c a & b",
        "pwsh -c x",
        "cmd.exe /c a",
        "PowerShell.exe -File x",
        "CMD /c dir",
        "wscript x.vbs",
        "rundll32 x",
        "mshta x",
    ]);
    assert_asked_argv(&["powershell.exe -EncodedCommand x", "cmd /c dir"]);
}
