//! What went wrong in OpenClaw's approvals, advisory by advisory, and every construct whose words cannot be told.

use crate::{assert_asked, assert_asked_argv, programs};

#[test]
fn cve_2026_27183_and_ghsa_ccg8_46r6_9qgj_wrappers_within_wrappers() {
    assert_asked(&[
        "nice nohup timeout 5 env sudo sh -c id",
        "setsid stdbuf -oL ls",
        "command builtin exec ls",
        "nohup ls",
    ]);
}

#[test]
fn cve_2026_35666_time() {
    assert_asked(&["time ls", "time -p ls", "/usr/bin/time ls", "\\time ls", "ls; time ls", "ls | time ls"]);
}

#[test]
fn cve_2026_41390_script() {
    assert_asked(&["script -c id", "script -qc 'id' /dev/null", "/usr/bin/script x"]);
    assert_asked_argv(&["script -c id"]);
}

#[test]
fn cve_2026_62190_flock() {
    assert_asked(&["flock x -c id", "flock x ls", "/usr/bin/flock x ls"]);
    assert_asked_argv(&["flock x ls"]);
}

#[test]
fn cve_2026_27209_and_44115_here_documents() {
    assert_asked(&[
        "cat <<EOF\n$(id)\nEOF",
        "cat <<'EOF'\nx\nEOF",
        "cat <<-EOF\n\tx\nEOF",
        "cat <<< x",
        "cat << EOF",
        "cat <<EOF\nEOF\nls",
        "cat<<a",
    ]);
}

/// GHSA-gv46-4xfq-jv58: a second way to start programs that goes around the check. Here both ways are one function.
#[test]
fn ghsa_gv46_4xfq_jv58_no_way_around() {
    for line in ["sh", "sudo", "env", "python3", "/bin/sh", "./x", "find . -delete", "git config"] {
        assert_asked(&[line]);
        assert_asked_argv(&[line]);
    }
}

#[test]
fn what_the_shell_puts_in_is_asked_about() {
    assert_asked(&[
        "ls $(id)",
        "ls `id`",
        "ls \"$(id)\"",
        "ls \"`id`\"",
        "ls $x",
        "ls ${x}",
        "ls \"$x\"",
        "ls $((1+1))",
        "ls $[1]",
        "ls \"$\"",
        "ls a$",
        "ls ~",
        "ls ~/x",
        "ls ~root",
        "ls a:~/x",
        "ls --x=~/y",
        "ls {a,b}",
        "ls {1..3}",
        "ls x{",
        "ls *",
        "ls a*b",
        "ls ?",
        "ls [ab]",
        "ls $'a'",
        "ls $\"a\"",
        "ls !!",
        "ls a!b",
        "ls \"!a\"",
        "!ls",
        "$x",
        "`id`",
        "$(id)",
        "ls $*",
        "ls $@",
        "ls $?",
        "ls ''~",
        "$'ls'",
    ]);
}

#[test]
fn what_the_shell_does_beside_running_programs_is_asked_about() {
    assert_asked(&[
        "ls > x",
        "ls >> x",
        "ls < x",
        "ls 2> x",
        "ls &> x",
        "ls >& x",
        "ls >| x",
        "ls <> x",
        "> x",
        "> x ls",
        "ls 2>&1",
        "ls |& ls",
        "{ ls; }",
        "(ls)",
        "f() { ls; }",
        "f() ls",
        "function f { ls; }",
        "if ls; then ls; fi",
        "for a in b; do ls; done",
        "while ls; do ls; done",
        "until ls; do ls; done",
        "case a in a) ls;; esac",
        "select a in b; do ls; done",
        "[[ a ]]",
        "((1))",
        "! ls",
        "coproc ls",
        "ls &",
        "ls & ls",
        "ls <(ls)",
        "ls >(ls)",
        "exec ls",
        "eval ls",
        "source x",
        ". x",
        "command ls",
        "builtin ls",
        "alias ls=sh",
        "trap ls EXIT",
        "set -x",
        "shopt -s x",
        "enable -f x y",
        "hash -p /tmp/x ls",
        "read x",
        "unset x",
        "let x=1",
        "mapfile -C ls x",
        "exit",
    ]);
}

#[test]
fn what_is_no_command_is_asked_about() {
    assert_asked(&[
        "", " ", "\n", "# ls", "ls |", "ls &&", "&& ls", "; ls", "ls ;; ls", "ls 'a", "ls \"a", "ls `a", "ls $(a",
        "ls (", "ls )", "| ls",
    ]);
    assert_asked(&[
        "ls\tx",
        "ls\rx",
        "ls\u{0}x",
        "ls \u{200b}",
        "ls\u{a0}x",
        "ls \u{202e}",
        "\u{feff}ls",
        "ls 'a\nb'",
        "l\u{73}\u{301}",
    ]);
}

#[test]
fn what_runs_other_code_is_asked_about() {
    assert_asked(&[
        "python -c x",
        "python3.11 x.py",
        "perl -e x",
        "node x",
        "ruby x",
        "awk x",
        "gawk x",
        "php x",
        "lua5.4 x",
        "osascript x",
        "make",
        "make test",
        "vim -c x",
        "less x",
        "man ls",
        "ssh x ls",
        "scp a b",
        "rsync a b",
        "xargs ls",
        "parallel ls",
        "watch ls",
        "sudo ls",
        "doas ls",
        "su",
        "at now",
        "crontab x",
        "docker run x",
        "kubectl exec x",
        "npm test",
        "npx x",
        "cargo test",
        "go run x",
        "pip install x",
        "apt-get install x",
        "gdb x",
        "strace ls",
        "chroot x",
        "unshare ls",
        "nsenter ls",
        "/lib64/ld-linux-x86-64.so.2 /bin/ls",
        "tmux",
        "screen",
        "expect x",
        "ed x",
        "sqlite3 x",
        "systemctl start x",
        "emacs",
        "socat x y",
        "nc x",
        "jq-1 2>x",
        "Rscript x",
        "gcc-12 x",
        "mount x",
        "mysql",
        "psql",
        "java -jar x",
    ]);
}

#[test]
fn git_is_read_for_what_its_options_and_aliases_run() {
    assert_asked(&[
        "git -c core.pager=sh log",
        "git --exec-path=/tmp log",
        "git -C /tmp status",
        "git mine",
        "git config alias.x '!sh'",
        "git -p log",
        "git rebase -x sh",
        "git rebase --exec sh",
        "git rebase --exe=sh",
        "git clone 'ext::sh -c id'",
        "git fetch --upload-pack=sh x",
        "git grep -Osh x",
        "git diff --ext-diff",
        "git log --output=x",
        "git bisect run sh",
        "git submodule foreach sh",
        "git difftool -x sh",
        "git --git-dir=x log",
        "git clone -c core.fsmonitor=sh x",
        "git filter-branch x",
        "git ls-remote --upload-pack sh x",
        "git --config-env=x log",
        "git push --receive-pack=sh",
    ]);
    for line in [
        "git status",
        "git log -3 --oneline",
        "git --no-pager diff HEAD~2 -- src",
        "git commit -m 'a: b'",
        "git",
        "git --version",
    ] {
        assert!(programs(line).is_some(), "{line}");
    }
}

#[test]
fn sed_is_read_only_where_it_prints_lines() {
    assert_asked(&[
        "sed e x",
        "sed '1e id' x",
        "sed s/a/id/e x",
        "sed -n 1,2wx y",
        "sed -i 1d x",
        "sed -f x y",
        "sed -n 1p x -i",
        "sed 1r/etc/x y",
        "sed -s x",
    ]);
    for line in ["sed -n 1,20p x", "sed 5q x", "sed -n '3,$p' x y", "sed"] {
        assert!(programs(line).is_some(), "{line}");
    }
}

/// A person who is asked about everything stops reading: what is plain is read.
#[test]
fn plain_commands_are_read() {
    for (line, words) in [
        ("ls -la src", 3),
        ("cat 'a b' \"c d\" e\\ f", 4),
        ("grep -n 'fn main() { $x }' x", 4),
        ("cd src && ls; pwd | wc -l", 6),
        ("find . -name '*.rs'", 4),
        ("git show HEAD~2:src/x.rs", 3),
        ("echo a=b", 2),
        ("tar tzf x.tgz", 3),
        ("sort -rn x", 3),
        ("echo é日本", 2),
        ("jq '.a[0]|.b' x.json", 3),
        ("ls # all of it", 1),
        ("rm -rf x", 3),
        ("mkdir -p a/b-c_d.e+f,g@h%i", 3),
        ("/usr/bin/ls x", 2),
        ("ls\n\nls\n", 2),
    ] {
        let found = programs(line).unwrap_or_else(|| panic!("{line}"));
        assert_eq!(found.concat().len(), words, "{line}: {found:?}");
    }
}

/// GTFOBins and the like: whatever runs another program, by whatever it is called on one system or another.
#[test]
fn what_runs_another_program_is_asked_about_by_any_of_its_names() {
    assert_asked(&[
        "vim.tiny x",
        "nc.openbsd x",
        "bash-static -c id",
        "busybox-static ls",
        "python3-dbg x",
        "python3.11-config x",
        "perl5.36-x86_64-linux-gnu -e x",
        "x86_64-linux-gnu-gcc-12 x",
        "ld-musl-x86_64.so.1 ls",
        "/lib/ld-linux-aarch64.so.1 ls",
        "ld-2.31.so ls",
        "npm.cmd x",
        "git-shell -c id",
        "systemd-inhibit ls",
        "docker-buildx x",
        "gxargs ls",
        "genv ls",
        "gsed e",
        "gfind . -exec ls",
        "gsort -o x",
    ]);
    assert_asked(&[
        "x86_64 ls",
        "uclampset ls",
        "sshuttle -e sh",
        "ifne ls",
        "mispipe ls ls",
        "vipe",
        "dumb-init ls",
        "gosu root ls",
        "su-exec root ls",
        "execlineb -c ls",
        "gdbserver x ls",
        "sotruss ls",
        "memusage ls",
        "openvt ls",
        "xterm -e ls",
        "editor x",
        "pager x",
        "rename s/a/b/ x",
        "exiftool -if x y",
        "prove x",
        "pydoc x",
        "perldoc x",
        "erb x",
        "coverage run x",
        "pylint --init-hook=x",
        "runghc x",
        "duckdb -c x",
        "fzf --preview id",
        "gpg --photo-viewer id",
        "patch -i x",
        "pandoc -F sh x",
        "yt-dlp --exec id x",
        "latexmk x",
        "yarnpkg x",
        "bmake",
        "micromamba run ls",
        "msgfilter sh",
        "smbclient -c '!id'",
        "zless x",
        "ncdu",
    ]);
}

/// An absolute path is a program only where programs lie: the shell's own is `/proc/self/exe`.
#[test]
fn a_program_lies_where_no_command_can_put_it() {
    let paths =
        ["/proc/self/exe -c id", "/PROC/1/exe x", "/proc/self/root/bin/ls", "/dev/fd/3", "/tmp/x", "/var/tmp/x y"];
    assert_asked(&paths);
    assert_asked_argv(&paths);
    assert!(programs("/usr/local/bin/x y").is_some() && programs("ls /tmp /proc/self/exe").is_some());
}

#[test]
fn arguments_that_run_or_write_are_asked_about_wherever_they_stand() {
    assert_asked(&[
        "uniq a b",
        "uniq -c a b",
        "xxd -r a b",
        "shuf -o x y",
        "tree -o x",
        "iconv -o x y",
        "sdiff --diff-program=sh a b",
        "diff3 --diff=sh a b c",
        "nm --plugin x.so y",
        "xmllint --shell x",
        "ag --pager sh x",
        "tar xf host:x.tar",
        "tar cf root@host:/x y",
        "git --help log",
        "git --version -c x",
        "yq -i .a x",
    ]);
    for line in
        ["sort x | uniq -c", "xxd x", "git --help", "tree src", "iconv -f latin1 x", "tar czf x.tgz src", "nm x"]
    {
        assert!(programs(line).is_some(), "{line}");
    }
}

/// What people use all day stays plain.
#[test]
fn everyday_programs_are_read() {
    for line in [
        "head -n 5 x",
        "tail -f x",
        "wc -l x",
        "diff -u a b",
        "cmp a b",
        "cut -d, -f1 x",
        "tr a b",
        "tee x",
        "touch x",
        "cp -r a b",
        "mv a b",
        "ln -s a b",
        "chmod +x x",
        "stat x",
        "file x",
        "du -sh .",
        "df -h",
        "ps aux",
        "date +%F",
        "which ls",
        "basename a/b",
        "dirname a/b",
        "realpath a",
        "sha256sum x",
        "base64 x",
        "gzip x",
        "unzip x.zip",
        "comm a b",
        "paste a b",
        "column -t x",
        "seq 3",
        "sleep 1",
        "true",
        "uname -a",
        "whoami",
        "hostname",
        "strings x",
        "hexdump -C x",
        "jq . x",
        "mktemp -d",
        "nproc",
        "printenv HOME",
        "pwd",
        "rmdir x",
        "tac x",
    ] {
        assert!(programs(line).is_some(), "{line}");
    }
}
