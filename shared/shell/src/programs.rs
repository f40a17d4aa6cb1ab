//! Programs that run something else than themselves, as data: names with a space between them.
//!
//! Nobody can list all: what is not here is refused unless a rule of the owner names it, and what its options do is
//! refused unless the rule names the option (`rule.rs`).

/// Programs by what they do. Versions, and whatever else stands behind a dot or a dash, are cut off before the comparison
/// (`python3.11`, `vim.tiny`, `bash-static`, `ld-musl-x86_64.so.1`), and so are the compiler's target and `.exe`.
pub(crate) const PROGRAMS: [(&str, &str); 10] = [
    (
        "runs the command in its arguments",
        "aa-exec abduco agetty ansible ansible-test aoss apache2ctl at atd autoexpect batch bear bpftrace builtin \
         busybox byobu capsh catatonit catchsegv ccache chamber choom chpst chronic chroot chrt command coproc cowsay \
         cowthink cpulimit cross-env csvtool daemon daemonize dbus-launch dbus-run-session direnv distcc dlv doas \
         doppler dosbox dotenv dotenvx dotnet dtach dumb-init dumpcap dvtm eatmydata entr env env-cmd envconsul envdir \
         eval exec execlineb expect facter fakechroot fakeroot faketime flock foreman forever forfiles formail gcore \
         gdbserver genie gio gosu grc gtester gtk-launch heaptrack hyperfine i386 icecc ifne infisical inotifywait \
         inotifywatch intercept-build ionice ip kitty knife konsole latrace lckdo linux32 linux64 logsave ltrace \
         machinectl memusage minijail0 mise mispipe mosh-server msgexec msgfilter multitime nc ncat needrestart netcat \
         nice nodemon nohup nsenter nsjail numactl op openvpn openvt parallel pee perf pexec pkexec please plymouth \
         posh prlimit procmail proot proxychains reformail retry rlwrap rr rtorrent run-mailcap run-one run-parts run0 \
         runas runcon runscript runuser scan-build sccache screen script scriptreplay scrot sem setarch setlock \
         setpriv setsid setuidgid sg socat softlimit sotruss ssh-agent sshpass sshuttle start-stop-daemon stdbuf \
         strace stunnel su su-exec sudo sudoedit sux svscan sysctl systemd taskset tasksh tcpdump tcpserver tcpsvd \
         time timeout tini tmate tmux torify torsocks toybox trace-cmd truss ts-node tsp uclampset uftrace uname26 \
         unbuffer unshare urxvt valgrind varnishncsa vidir vipe watch watchexec wezterm wsl x86_64 xargs xdg-open \
         xdotool xinit xpad xterm xvfb-run zellij zrun",
    ),
    (
        "is a shell",
        "ash bash bash-static bashbug bashdb brush bsh clish cmd csh dash elvish es fish gash git-shell hush ion jsh \
         ksh ksh93 lksh loksh lshell mksh mrsh msh murex ngs nu oil oksh osh pdksh powershell psh pwsh rbash rc rksh \
         rsh rssh rzsh sash scponly scsh sh tcsh vtysh wish xonsh yash ysh zsh zsh-static",
    ),
    (
        "runs code that it is given",
        "abcl awk babashka babel-node bb bc boot bpython bun bunx busted celery chef chez chibi-scheme clang-repl \
         clickhouse cling clisp clj clojure cobc coffee conda coverage cpan cqlsh crystal cscript csi d8 dart dc ddd \
         deno django-admin dmd duckdb ecl elixir emacsclient erb erl escript exiftool fennel file-rename flutter gap \
         gawk gcl gdb gforth ghc ghci ghostscript gimp ginsh gjs gnuplot go gp groovy groovysh gs gsi guile gunicorn \
         hy iex igawk instantfpc ipython irb janet java jbang jimsh jjs jrunscript jsc jshell julia jupyter jython \
         kotlin kotlinc latex latexmk lisp lldb lua luajit lualatex luarocks luatex m4 mamba mariadb matlab mawk \
         maxima mit-scheme mongo mongosh mono mpost msfconsole mshta mycli mysql mysqlsh nawk neko newlisp nim node \
         nodejs ocaml octave octave-cli original-awk osascript osqueryi pandoc pdb pdflatex pdftex perl perlbug \
         perldoc pgcli php php-cgi phpdbg pico8 picolisp pike pipenv pipx plackup poetry prename prove pry psql \
         ptpython puppet pydoc pylint pypy python pythonw qjs r racket raco rails raku rdmd redcarpet redis-cli regina \
         rename rexx rhino rscript rspec ruby rundll runghc runhaskell rust-script sage salt-call sbcl scala scanmem \
         scheme sphinx-build sqlite sqlplus streamlit swift swipl tcc tclsh tdbtool terraform tex texlua thor tofu \
         tshark tsx usql utop uv uvicorn uvx vagrant volatility wasmer wasmtime wolframscript wscript xelatex xetex \
         xsltproc yaegi zx",
    ),
    (
        "changes what later commands mean, or evaluates its arguments",
        ". alias bg bind break caller compgen complete compopt continue declare dirs disown enable exit export fc fg \
         getopts hash history jobs let local logout mapfile popd pushd read readarray readonly return set shift shopt \
         source suspend times trap typeset ulimit umask unalias unset wait",
    ),
    (
        "starts other programs, a shell among them",
        "alpine aria2c arj aspell atop bat batcat broot btop byebug bzless bzmore bzr cdist chrome chromium \
         chromium-browser code codex compose coredumpctl crash crontab cursor cvs debugfs delta dialog dstat dvips ed \
         edit editor elinks emacs espeak evim ex fastfetch feh fetchmail finger firefox fossil ftp fzf ghostview gitk \
         gitui glances google-chrome gpg gpg2 gpgsm gpgv groff gum gview gvim helix hg hostnamectl htop hx iftop info \
         iotop irssi ispell jed jj jmacs joe journalctl jpico jstar kak ksshell lazygit le less lessc lf lftp \
         libreoffice links links2 lp lpr lv lynx mail mailx man mandb mbsync mc mcedit mcview mg micro minicom more \
         most msmtp mtr mutt nano ncdu ncftp ne neofetch neomutt neovim newsboat nmap nnn nroff ntpdate nvi nvim \
         opencode opkg pager patch peco pg pico pidstat pinfo powertop psad psftp rake ranger red ri rjoe rnano rview \
         rvim s-nail see select-editor sendmail sensible-browser sensible-editor sensible-pager sk slsh smbclient \
         soffice sqlmap subl svn telnet tftp tig timedatectl tnftp top troff unrar urlget vi view vifm vim vimdiff \
         vimtutor vimx vipw visudo w3m weechat wg-quick whiptail wireshark www-browser x-terminal-emulator \
         x-www-browser xdg-user-dir xzless xzmore yelp youtube-dl yt-dlp zathura zed zile zless zmore zstdless",
    ),
    (
        "runs what files in the folder say",
        "act air ant as autoconf autogen autoheader automake autoreconf ava b2 bazel bazelisk bjam bmake buck bundle \
         bundler c++ c89 c99 cabal cargo cc clang clang++ cmake composer concurrently cpack cpp ctest cypress dmake \
         doit dpkg-buildpackage dub dune earthly easyrsa eb eslint fastlane flit g++ gcc gem gfortran gmake gn gold \
         gradle gradlew grunt gulp gup hatch husky inv invoke jam jekyll jest just karma ld lein lerna libtool lld \
         mage make maven meson mix mk mkdocs mocha moon msbuild mvn mvnw mypy ninja nmake nose2 nosetests nox npm npx \
         nuget nx nyc opam packer pants pdm phpunit pip playwright plz pmake pnpm pnpx pod pre-commit premake5 \
         prettier protoc pulumi py.test pytest qmake rebar redo remake rpmbuild rush rustc rustdoc rustup rye sbt \
         scons shards skaffold snakemake stack swc swiftc task tectonic terragrunt tilt tox tsc tup turbo vite vitest \
         waf wasm-pack webpack wrangler xcodebuild xcrun xmake yarn yarnpkg zig",
    ),
    (
        "runs commands on another machine or in a container",
        "ansible-playbook apptainer autossh aws az borg buildah bwrap check_by_ssh consul crictl ctr dbclient devbox \
         devcontainer distrobox docker docker-compose doctl dropbear duplicity fab firejail flatpak flyctl gcloud gh \
         glab gsutil helm heroku incus k3s k9s kubectl kubectx lima limactl lxc lxd minikube mosh nerdctl nomad oc \
         pdsh plink podman podman-compose psexec pssh rclone restic rexec rlogin rsync runc scp sftp singularity \
         slogin ssh ssh-copy-id sshfs systemd-nspawn systemd-run toolbox unison vault virsh winrs xe",
    ),
    (
        "installs programs",
        "apk apt apt-get aptitude asdf brew choco conan corepack cpanm dnf dpkg easy_install emerge eopkg fnm guix \
         microdnf micromamba nix nix-env nix-shell nvm pacman pixi pkg pkg_add port pyenv rbenv rpm rpm2cpio rtx scoop \
         sdk snap steam swupd tdnf tlmgr vcpkg volta winget xbps-install yay yum zypper",
    ),
    (
        "changes the machine or what it starts",
        "anacron apachectl auditctl bitsadmin bootctl busctl caddy certutil chkconfig cron dhclient dmsetup \
         fail2ban-client gpasswd halt haproxy httpd init initctl insmod installutil iptables iptables-restore kexec \
         launchctl ldconfig lighttpd localectl loginctl logrotate losetup modprobe mount msiexec networkctl newgrp nft \
         nginx passwd pm2 poweroff pppd rc-service reboot reg regsvr resolvectl rmmod rsyslogd runit s6-svc sc \
         schtasks service setcap shutdown supervisorctl supervisord sv swapon systemctl systemd-resolve tailscale \
         telinit udevadm udhcpc umount update-alternatives useradd usermod wmic",
    ),
    ("loads another program into the memory", "ld ld64 ldd"),
];

/// Arguments that make a harmless program run or write something else. `--long` is also met by its abbreviations and
/// with `=value`, `-x` in every bundle (`-nx`), `-word` as it stands.
pub(crate) const ARGUMENTS: [(&str, &str, &str); 33] = [
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
    ("sdiff", "runs a program or writes a file", "--diff-program --output -o"),
    ("diff3", "runs a program", "--diff-program"),
    ("shuf", "writes a file", "--output -o"),
    ("iconv", "writes a file", "--output -o"),
    ("tree", "writes a file", "-o -R"),
    ("ack", "runs a program", "--pager --ackrc"),
    ("ag", "runs a program", "--pager"),
    ("dmesg", "runs a program", "--human -H"),
    ("xmllint", "opens a shell or writes a file", "--shell --output -o"),
    ("nm", "loads a library", "--plugin"),
    ("ar", "loads a library", "--plugin"),
    ("ranlib", "loads a library", "--plugin"),
    ("strip", "loads a library or writes a file", "--plugin -o"),
    ("objcopy", "loads a library", "--plugin"),
    ("objdump", "loads a library", "--plugin"),
    ("yq", "writes a file", "--inplace -i"),
];

/// Programs of GNU that other systems have with a `g` before their names.
pub(crate) const GNU: &str = "date diff3 env find install make nice nohup printf sdiff sed shuf sort split stdbuf tar test \
     time timeout uniq xargs";

/// Folders in which commands can write, or in which names stand for other programs: `/proc/self/exe` is the shell itself.
pub(crate) const NO_PLACES: [&str; 6] = ["/proc/", "/dev/", "/tmp/", "/var/tmp/", "/run/", "/sys/"];

/// Commands of git that no alias can stand for, and that do no more than their options say. Any other word may be an
/// alias of the repository, or a program named `git-…`.
pub(crate) const GIT_COMMANDS: &str = "add apply blame branch cat-file check-ignore checkout cherry cherry-pick clean clone commit count-objects \
     describe diff diff-tree fetch for-each-ref grep init log ls-files ls-remote ls-tree merge merge-base mv \
     name-rev pull push rebase reflog remote reset restore rev-list rev-parse revert rm shortlog show show-ref \
     stash status switch tag version";

/// Options of git's commands that run or write something else.
pub(crate) const GIT_ARGUMENTS: &str = "--exec --exec-path --upload-pack --receive-pack --open-files-in-pager -O --output --ext-diff --textconv \
     --config --template --interactive -x";
