//! What a command must not reach, and how much it must not use. Every test runs in both places.

use std::net::TcpListener;
use std::os::unix::net::UnixListener;
use std::time::{Duration, Instant};

use chela_core::sandbox::{CommandRequest, CommandResult, Sandbox};

use crate::place::{Function, SECRET, everywhere, jail, landlock, root, shell};

fn python(script: &str) -> CommandRequest {
    crate::place::request(&["python3", "-c", script])
}

fn all(result: &CommandResult) -> String {
    format!("{}{}", result.stdout, result.stderr)
}

#[tokio::test]
async fn x01_no_environment_holds_a_secret() {
    let script = "env; cat /proc/self/environ /proc/1/environ /proc/$PPID/environ; cat /proc/[0-9]*/environ; \
                  grep -a AWS /proc/$PPID/mem";
    for (place, result) in everywhere(&shell(script)).await {
        let said = all(&result);
        // Nothing of ours, and nothing of the process that runs the tests.
        for secret in [SECRET, "AWS_", "CARGO", "9001"] {
            // As root the test's own surroundings are readable for root alone; unprivileged, they are the same user's, and
            // only Landlock hides them.
            let of_others = secret == "CARGO" && place == "function" && !root() && landlock() < 1;
            assert!(of_others || !said.contains(secret), "{secret} in the {place}: {said}");
        }
    }
}

/// Beside the stage, and of its user where that is not root: as an extension of Lambda's would be.
#[tokio::test]
async fn other_processes_are_not_looked_into() {
    if landlock() < 1 {
        return; // Nothing else hides them.
    }
    let mut function = Function::after("(sleep 5 &)");
    let result = function.run(&shell("cat /proc/[0-9]*/environ 2>/dev/null | tr '\\0' '\\n' | grep -c HUNTER2"));
    assert_eq!(result.stdout, "0\n", "{result:?}");
}

#[tokio::test]
async fn l03_no_network_is_reached_neither_the_runtime_api_nor_metadata_nor_a_name() {
    let runtime_api = TcpListener::bind("127.0.0.1:0").unwrap();
    runtime_api.set_nonblocking(true).unwrap();
    let port = runtime_api.local_addr().unwrap().port();
    let script = format!(
        "import socket
for family, address in [(socket.AF_INET, ('127.0.0.1', {port})), (socket.AF_INET, ('169.254.169.254', 80)),
        (socket.AF_INET, ('169.254.100.1', 9001)), (socket.AF_INET, ('1.1.1.1', 53)), (socket.AF_INET6, ('::1', {port}))]:
    try:
        made = socket.socket(family, socket.SOCK_STREAM)
        made.settimeout(1)
        made.connect(address)
        print('REACHED', address)
    except PermissionError:
        print('refused')
try:
    print('REACHED', socket.getaddrinfo('example.com', 80))
except OSError:
    print('refused')
for kind in (socket.AF_UNIX, socket.AF_NETLINK, socket.AF_PACKET, 40):
    try:
        socket.socket(kind, socket.SOCK_RAW if kind == socket.AF_PACKET else socket.SOCK_STREAM)
        print('REACHED', kind)
    except PermissionError:
        print('refused')
"
    );
    for (place, result) in everywhere(&python(&script)).await {
        assert_eq!(result.stdout, "refused\n".repeat(10), "{place}: {result:?}");
        assert!(runtime_api.accept().is_err(), "somebody came out of the {place}");
    }
    let bash = format!("exec 3<>/dev/tcp/127.0.0.1/{port} && echo REACHED");
    for (place, result) in everywhere(&shell(&bash)).await {
        assert!(!result.stdout.contains("REACHED") && result.exit_code != Some(0), "{place}: {result:?}");
    }
}

#[tokio::test]
async fn sockets_of_the_host_are_out_of_reach() {
    let folder = tempfile::tempdir_in("/var/tmp").unwrap();
    let path = folder.path().join("docker.sock");
    let _listener = UnixListener::bind(&path).unwrap();
    let script = format!(
        "import socket\ntry:\n    socket.socket(socket.AF_UNIX).connect('{}')\n    print('REACHED')\nexcept OSError:\n    print('refused')",
        path.display()
    );
    for (place, result) in everywhere(&python(&script)).await {
        assert_eq!(result.stdout, "refused\n", "{place}: {result:?}");
    }
}

/// Numbers of calls on x86-64 and on ARM.
fn calls() -> [(&'static str, i64); 10] {
    let arm = cfg!(target_arch = "aarch64");
    let either = |x86: i64, other: i64| if arm { other } else { x86 };
    [
        ("ptrace", either(101, 117)),
        ("process_vm_readv", either(310, 270)),
        ("unshare", either(272, 97)),
        ("mount", either(165, 40)),
        ("bpf", either(321, 280)),
        ("keyctl", either(250, 219)),
        ("io_uring_setup", 425),
        ("memfd_create", either(319, 279)),
        // A semaphore outlives its process, and says to the next command in a warm environment what it was told.
        ("semget", either(64, 190)),
        ("pidfd_getfd", 438),
    ]
}

#[tokio::test]
async fn calls_that_open_other_processes_and_the_kernel_are_not_permitted() {
    let mut numbers: Vec<i64> = calls().iter().map(|(_, number)| *number).collect();
    if cfg!(target_arch = "x86_64") {
        // socket and ptrace behind the numbers of the third ABI; a kernel without it does not know them at all.
        numbers.extend([0x4000_0000 + 41, 0x4000_0000 + 521]);
    }
    let script = format!(
        "import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
for number in {numbers:?}:
    ctypes.set_errno(0)
    done = libc.syscall(ctypes.c_long(number), ctypes.c_long(16), ctypes.c_long(os.getppid()), 0, 0, 0, 0)
    print(number, done, ctypes.get_errno())
print('clone3', libc.syscall(ctypes.c_long(435), 0, 0), ctypes.get_errno())
print('clone', libc.syscall(ctypes.c_long({clone}), ctypes.c_long(0x10000000 | 17), 0, 0, 0, 0), ctypes.get_errno())",
        clone = if cfg!(target_arch = "aarch64") { 220 } else { 56 }
    );
    let refused: String = numbers.iter().map(|number| format!("{number} -1 1\n")).collect();
    for (place, result) in everywhere(&python(&script)).await {
        assert_eq!(result.stdout, format!("{refused}clone3 -1 38\nclone -1 1\n"), "{place}: {result:?}");
    }
}

/// What the house, or whoever started it, has open without closing it for programs it starts: a folder among them leads
/// out of every wall.
#[tokio::test]
async fn nothing_that_is_open_outside_is_open_inside() {
    let root = std::fs::File::open("/").unwrap();
    let inherited = rustix::io::dup(&root).unwrap();
    let script = "import os\nprint([n for n in range(3, 256) if os.path.exists('/proc/self/fd/%d' % n)])";
    let mut function = Function::after("exec 9</");
    let places =
        [("jail", jail().await.run(&python(script)).await.unwrap()), ("function", function.run(&python(script)))];
    for (place, result) in places {
        assert_eq!(result.stdout, "[]\n", "{place}: {result:?}");
    }
    drop(inherited);
}

#[tokio::test]
async fn nothing_is_read_that_is_not_for_everybody_and_nothing_written_outside() {
    // A world like Lambda's with a folder that is open to all; without Landlock it would be written to.
    let open = if landlock() < 1 { "" } else { "OPEN=/mnt/x;" };
    let script = format!("{open} {READ_AND_WRITE}");
    for (place, result) in everywhere(&shell(&script)).await {
        let expected = "CapPrm:0000000000000000\nCapEff:0000000000000000\nNoNewPrivs:1\nSeccomp:2\n";
        assert_eq!(result.stdout, expected, "{place}: {result:?}");
    }
}

const READ_AND_WRITE: &str = "cat /etc/shadow ~root/.bashrc /dev/mem /dev/kmsg 2>/dev/null && echo READ
        for file in /x /usr/x /etc/x /bin/x /var/task/x /var/task/bootstrap /dev/x $OPEN /proc/sysrq-trigger /sys/x ~root/x; do
            (: >>$file) 2>/dev/null && echo WROTE $file
        done
        mknod device b 8 0 2>/dev/null && echo MADE
        mount -t tmpfs none /mnt 2>/dev/null && echo MOUNTED
        chroot / true 2>/dev/null && echo ROOT
        unshare -Ur true 2>/dev/null && echo NAMESPACE
        grep -E '^(NoNewPrivs|Seccomp|CapEff|CapPrm):' /proc/self/status | tr -d '\\t'";

#[tokio::test]
async fn a_jail_shows_nothing_of_the_house() {
    let folder = tempfile::tempdir_in("/var/tmp").unwrap();
    std::fs::write(folder.path().join("other-session"), SECRET).unwrap();
    let script = format!(
        "cat {}/other-session; ls /home /root /run /var/tmp; cat /etc/passwd /etc/hostname; hostname; ls -A /tmp | wc -l; \
         ls -d /proc/[0-9]* | wc -l; find /dev -type b; find /dev ! -type d ! -type l | grep -vE '^/dev/(null|zero|full|u?random|tty|pts/ptmx)$'",
        folder.path().display()
    );
    let result = jail().await.run(&shell(&script)).await.unwrap();
    let lines: Vec<&str> = result.stdout.split_whitespace().collect();
    assert_eq!(lines[..2], ["sandbox", "1"], "{result:?}");
    assert!(lines[2].parse::<u32>().unwrap() <= 5 && lines.len() == 3, "{result:?}");
}

#[tokio::test]
async fn a_command_cannot_end_the_stage_or_dies_with_it() {
    let result = jail().await.run(&shell("kill -9 $PPID 1 -1; echo still here")).await.unwrap();
    // The stage is the first process of its namespace: signals from inside do not reach it.
    assert!(result.stdout.contains("still here") || result.exit_code.is_none(), "{result:?}");
    let answer = Function::start().try_run(&shell("kill -9 $PPID; sleep 0.2; echo still here"));
    match answer {
        Some(result) => assert!(result.stdout.contains("still here"), "{result:?}"),
        None => {
            assert!(!root() && landlock() < 6, "root's stage is not its command's to kill, nor one behind Landlock")
        }
    }
}

#[tokio::test]
async fn processes_are_counted() {
    let script = "import os, time
made = 0
try:
    while made < 5000:
        if os.fork() == 0:
            time.sleep(60)
            os._exit(0)
        made += 1
except BlockingIOError:
    pass
print(made)";
    for (place, result) in everywhere(&python(script)).await {
        let made: u64 = result.stdout.trim().parse().unwrap_or_else(|_| panic!("{place}: {result:?}"));
        assert!((10..=chela_sandbox::MOST_PROCESSES).contains(&made), "{place}: {made}");
    }
}

#[tokio::test]
async fn x23_a_fork_bomb_burns_out() {
    let began = Instant::now();
    for (place, result) in
        everywhere(&CommandRequest { timeout_ms: 1_000, ..shell("bomb() { bomb | bomb & }; bomb; wait") }).await
    {
        assert!(result.exit_code != Some(0) || result.duration_ms < 5_000, "{place}: {result:?}");
    }
    assert!(began.elapsed() < Duration::from_secs(20));
}

#[tokio::test]
async fn memory_is_bounded_for_one_process_for_many_and_for_what_is_shared() {
    let one = "b = bytearray(1 << 30)\nprint('HAD IT')";
    for (place, result) in everywhere(&python(one)).await {
        assert!(result.stdout.is_empty() && result.exit_code != Some(0), "{place}: {result:?}");
    }
    let many = "import os, time
for _ in range(12):
    if os.fork() == 0:
        b = bytearray(os.urandom(1 << 20)) * 60
        time.sleep(8)
        os._exit(0)
time.sleep(8)";
    let shared = "import mmap, time
m = mmap.mmap(-1, 1 << 30)
for at in range(0, 1 << 30, 4096):
    m[at] = 1
time.sleep(8)";
    for script in [many, shared] {
        for (place, result) in everywhere(&python(script)).await {
            let why = result.killed.as_deref().unwrap_or_default();
            assert!(why.contains("memory"), "{place}: {result:?}");
        }
    }
}

#[tokio::test]
async fn x23_files_are_bounded_in_size_in_sum_and_in_number() {
    let large = "head -c 100M /dev/zero >large; ls -s large; truncate -s 100G sparse || echo refused";
    for (place, result) in everywhere(&shell(large)).await {
        assert!(!result.stdout.contains("102400"), "{place}: {result:?}");
        assert!(result.left_out.iter().any(|name| name.starts_with("large: it is too large")), "{place}: {result:?}");
    }
    let sum = "for i in $(seq 40); do head -c 20M /dev/zero >$i || exit 9; done; sleep 5; echo FULL";
    let number = "i=0; while [ $i -lt 60000 ]; do : >$i; i=$((i+1)); done; sleep 5; echo FULL";
    for (what, script) in [("bytes", sum), ("files", number)] {
        for (place, result) in everywhere(&shell(script)).await {
            let why = result.killed.as_deref().unwrap_or_default();
            assert!(why.contains(what) || result.exit_code == Some(9), "{what} in the {place}: {result:?}");
            assert!(!result.stdout.contains("FULL"), "{place}");
        }
    }
}

#[tokio::test]
async fn x23_time_is_bounded_and_endless_output_with_it() {
    for (place, result) in everywhere(&CommandRequest { timeout_ms: 500, ..shell("trap '' TERM HUP; yes") }).await {
        assert!(result.killed.as_deref().unwrap_or_default().contains("time"), "{place}: {:?}", result.killed);
        assert!(result.truncated && result.stdout.len() == 64 * 1024 && result.duration_ms < 5_000, "{place}");
    }
}
