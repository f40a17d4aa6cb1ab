//! Programs that run something else than themselves, as data: names with a space between them.
//!
//! Nobody can list all: what is not here is refused unless a rule of the owner names it, and what its options do is
//! refused unless the rule names the option (`rule.rs`).

/// Programs by what they do; versions (`python3.11`, `lua5.4`) and `.exe` are cut off before the comparison.
pub(crate) const PROGRAMS: [(&str, &str); 10] = [
    (
        "runs the command in its arguments",
        "aa-exec ansible at atd batch bpftrace builtin busybox byobu capsh catchsegv choom chpst chronic chroot chrt \
         command coproc cpulimit daemon dbus-launch dbus-run-session direnv doas dotnet dtach dumpcap eatmydata entr \
         env envdir eval exec expect facter fakechroot fakeroot faketime flock genie hyperfine i386 inotifywait \
         ionice ip knife linux32 linux64 logsave ltrace machinectl mise multitime nc ncat netcat nice nodemon nohup \
         nsenter nsjail numactl op openvpn parallel perf pexec pkexec posh prlimit proot proxychains rlwrap rr \
         run-mailcap run-one run-parts run0 runcon runscript runuser screen script scriptreplay sem setarch setlock \
         setpriv setsid setuidgid sg socat softlimit ssh-agent sshpass start-stop-daemon stdbuf strace su sudo \
         sudoedit sysctl taskset tcpdump time timeout tini tmate tmux torify torsocks toybox truss ts-node tsp \
         uname26 unbuffer unshare valgrind varnishncsa watch watchexec wsl xargs xdg-open xdotool xvfb-run zellij",
    ),
    (
        "is a shell",
        "ash bash bash-static bashbug bsh cmd csh dash elvish fish hush ion jsh ksh ksh93 lksh mksh msh nu oil osh \
         pdksh powershell pwsh rbash rc rksh rsh rzsh sash scsh sh tcsh wish xonsh yash ysh zsh zsh-static",
    ),
    (
        "runs code that it is given",
        "awk bc bun bunx busted chef clisp cobc coffee conda cpan cqlsh crystal cscript d8 dc deno dmd ecl elixir \
         emacsclient erl escript gawk gcl gdb ghc ghci ghostscript gimp gjs gnuplot go groovy gs guile hy iex ipython \
         irb java jjs jrunscript jsc jshell julia jupyter jython kotlin latex lldb lua luajit lualatex luatex m4 \
         mamba mariadb mawk maxima mongo mongosh mono msfconsole mshta mysql nawk nim node nodejs ocaml octave \
         original-awk osascript osqueryi pdflatex pdftex perl php php-cgi pico8 pike pipenv pipx poetry pry psql \
         puppet pypy python pythonw qjs r racket rails raku rdmd redis-cli rhino rscript ruby rundll rust-script \
         salt-call sbcl scala scheme sqlite sqlplus swift swipl tcc tclsh terraform tex tofu tsx uv uvx vagrant \
         wasmer wasmtime wolframscript wscript xelatex xetex zx",
    ),
    (
        "changes what later commands mean, or evaluates its arguments",
        ". alias bg bind break caller compgen complete compopt continue declare dirs disown enable exit export fc fg \
         getopts hash history jobs let local logout mapfile popd pushd read readarray readonly return set shift shopt \
         source suspend times trap typeset ulimit umask unalias unset wait",
    ),
    (
        "starts other programs, a shell among them",
        "alpine aria2c arj aspell bat batcat byebug bzr cdist crash crontab cvs dialog dvips ed edit elinks emacs \
         espeak ex feh finger fossil ftp ghostview groff gview gvim helix hg hostnamectl htop hx iftop info irssi jed \
         jj joe journalctl less lessc lftp lp lpr lynx mail mailx man mc micro more most mtr mutt nano neomutt neovim \
         nmap nroff ntpdate nvi nvim opkg pg pico pidstat rake ranger red rnano rview rvim sendmail slsh sqlmap svn \
         telnet tig timedatectl top troff unrar vi view vifm vim vimdiff vimtutor vipw visudo w3m weechat whiptail \
         xdg-user-dir zathura",
    ),
    (
        "runs what files in the folder say",
        "act ant as autoconf autoheader automake autoreconf bazel bazelisk buck bundle bundler c++ cabal cargo cc \
         clang clang++ cmake composer cpack cpp ctest dpkg-buildpackage dub eslint g++ gcc gem gmake gold gradle \
         gradlew grunt gulp husky invoke jest just ld lein lld make maven meson mix mocha mvn mvnw ninja nmake nox \
         npm npx nx pants pip pnpm pnpx pre-commit prettier pytest rebar rpmbuild rustc rustup sbt scons snakemake \
         stack task tox tsc turbo vite waf webpack yarn zig",
    ),
    (
        "runs commands on another machine or in a container",
        "ansible-playbook apptainer autossh aws az buildah bwrap crictl ctr dbclient docker docker-compose doctl \
         dropbear fab firejail flatpak flyctl gcloud gh glab gsutil helm heroku incus k3s kubectl lxc lxd minikube \
         mosh nerdctl oc pdsh plink podman podman-compose psexec pssh rexec rlogin rsync runc scp sftp singularity \
         slogin ssh ssh-copy-id sshfs systemd-nspawn systemd-run virsh winrs xe",
    ),
    (
        "installs programs",
        "apk apt apt-get aptitude asdf brew choco dnf dpkg easy_install emerge eopkg guix microdnf nix nix-env \
         nix-shell nvm pacman pkg pkg_add port pyenv rbenv rpm rpm2cpio scoop sdk snap swupd tdnf tlmgr winget \
         xbps-install yay yum zypper",
    ),
    (
        "changes the machine or what it starts",
        "anacron auditctl busctl cron dmsetup gpasswd halt init insmod iptables kexec launchctl ldconfig logrotate \
         losetup modprobe mount newgrp passwd pm2 poweroff rc-service reboot reg rmmod runit s6-svc sc schtasks \
         service shutdown supervisorctl supervisord sv swapon systemctl systemd-resolve telinit umount \
         update-alternatives useradd usermod wmic",
    ),
    ("loads another program into the memory", "ld-linux ld-linux-aarch64.so ld-linux-x86-64.so ld-musl ld.so ldd"),
];

/// Arguments that make a harmless program run or write something else. `--long` is also met by its abbreviations and
/// with `=value`, `-x` in every bundle (`-nx`), `-word` as it stands.
pub(crate) const ARGUMENTS: [(&str, &str, &str); 17] = [
    ("sort", "runs a program or writes a file", "--compress-program --output -o --temporary-directory -T"),
    (
        "find",
        "runs a program, or deletes or writes files",
        "-exec -execdir -ok -okdir -delete -fprint -fprint0 -fprintf -fls -files0-from",
    ),
    ("fd", "runs a program", "--exec --exec-batch -x -X"),
    ("fdfind", "runs a program", "--exec --exec-batch -x -X"),
    ("rg", "runs a program", "--pre --hostname-bin --search-zip -z"),
    (
        "tar",
        "runs a program",
        "--checkpoint-action --to-command --use-compress-program --info-script --new-volume-script \
         --rmt-command --rsh-command -I -F",
    ),
    ("bsdtar", "runs a program", "--use-compress-program --rsh"),
    ("zip", "runs a program", "--unzip-command -T --test"),
    ("cpio", "runs a program", "--rsh-command --to-command -F -I -O --file"),
    ("split", "runs a program", "--filter"),
    (
        "curl",
        "reads or writes files",
        "--config -K --output -o --remote-name -O --remote-header-name -J --dump-header -D --cookie-jar -c \
         --trace --trace-ascii --stderr --libcurl --upload-file -T --etag-save --data -d --data-binary --form \
         -F --engine --hsts --alt-svc --proxy -x --preproxy --unix-socket --abstract-unix-socket",
    ),
    (
        "wget",
        "runs a program or reads and writes files",
        "--use-askpass --execute -e --config --output-document -O --directory-prefix -P --input-file -i \
         --post-file --body-file --output-file -o --append-output -a",
    ),
    ("date", "sets the clock or reads a file", "--set -s --file -f"),
    ("install", "runs a program", "--strip-program -s --strip"),
    ("test", "evaluates its arguments", "-v -R"),
    ("printf", "sets a variable and evaluates its name", "-v"),
    ("openssl", "loads a library", "-engine -provider -provider-path -config"),
];

/// Commands of git that no alias can stand for, and that do no more than their options say. Any other word may be an
/// alias of the repository, or a program named `git-…`.
pub(crate) const GIT_COMMANDS: &str = "add apply blame branch cat-file check-ignore checkout cherry cherry-pick clean clone commit count-objects \
     describe diff diff-tree fetch for-each-ref grep init log ls-files ls-remote ls-tree merge merge-base mv \
     name-rev pull push rebase reflog remote reset restore rev-list rev-parse revert rm shortlog show show-ref \
     stash status switch tag version";

/// Options of git's commands that run or write something else.
pub(crate) const GIT_ARGUMENTS: &str = "--exec --exec-path --upload-pack --receive-pack --open-files-in-pager -O --output --ext-diff --textconv \
     --config --template --interactive -x";
