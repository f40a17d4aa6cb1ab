//! The last stage: binds itself, then becomes the command. What is bound here no program can loosen again.

use std::os::unix::process::CommandExt as _;
use std::process::{Command, ExitCode};

use crate::run::Walls;

/// What shells answer for a program that cannot be started.
const NOT_STARTED: u8 = 127;

/// Becomes `argv`. Returns only if that failed.
pub(crate) fn enter(walls: Walls, mut argv: impl Iterator<Item = String>) -> ExitCode {
    let Some(program) = argv.next() else { return ExitCode::FAILURE };
    let failed = |what: &str, reason: &dyn std::fmt::Display| {
        use std::io::Write as _;
        let _ = writeln!(std::io::stderr(), "{what}: {reason}");
        ExitCode::from(NOT_STARTED)
    };
    if let Err(error) = bind(walls) {
        return failed("the sandbox cannot close itself, so nothing was run", &error);
    }
    let error = Command::new(&program).args(argv).exec();
    failed(&format!("\"{program}\" cannot be started"), &error)
}

#[cfg(not(target_os = "linux"))]
fn bind(_: Walls) -> Result<(), String> {
    Err("it needs Linux".to_owned())
}

#[cfg(target_os = "linux")]
fn bind(walls: Walls) -> Result<(), String> {
    linux::close_what_is_open().map_err(|error| error.to_string())?;
    linux::limit().map_err(|error| error.to_string())?;
    if walls == Walls::Open {
        return Ok(());
    }
    linux::fence().map_err(|error| error.to_string())?;
    linux::filter().map_err(|error| error.to_string())
}

#[cfg(target_os = "linux")]
mod linux {
    use std::collections::BTreeMap;

    use landlock::{
        ABI, Access as _, AccessFs, Ruleset, RulesetAttr as _, RulesetCreatedAttr as _, RulesetError, Scope,
        path_beneath_rules,
    };
    use rustix::process::{Resource, Rlimit, Signal, setrlimit};
    use seccompiler::{
        BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
        TargetArch, apply_filter,
    };

    use crate::limits::{FILE_BYTES, MEMORY_BYTES, MOST_PROCESSES, OPEN_FILES};

    /// Closes all but input, output and errors. Whoever started the house may have left files open: a socket, a folder,
    /// from which `openat` goes anywhere past every mount.
    pub(super) fn close_what_is_open() -> std::io::Result<()> {
        let open = std::fs::read_dir("/proc/self/fd")?.map(|entry| {
            let entry = entry?;
            Ok(entry.file_name().to_str().and_then(|number| number.parse::<i32>().ok()))
        });
        let open = open.collect::<std::io::Result<Vec<_>>>()?;
        for number in open.into_iter().flatten().filter(|number| *number > 2) {
            // The list itself was one of them, and is closed already.
            let _ = nix::unistd::close(number);
        }
        Ok(())
    }

    /// Nothing here holds for a family of processes but the number of them; the watch of `run` looks at the rest.
    pub(super) fn limit() -> rustix::io::Result<()> {
        // If the house dies, so does the command.
        rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
        let limits = [
            (Resource::Core, 0),
            (Resource::Cpu, chela_core::sandbox::MAX_TIMEOUT_MS.div_ceil(1000)),
            // Not the address space: JavaScript engines reserve gigabytes of it and use none.
            (Resource::Data, MEMORY_BYTES),
            (Resource::Fsize, FILE_BYTES),
            (Resource::Nproc, MOST_PROCESSES),
            (Resource::Nofile, OPEN_FILES),
            (Resource::Memlock, 64 * 1024),
            (Resource::Msgqueue, 0),
        ];
        for (resource, most) in limits {
            setrlimit(resource, Rlimit { current: Some(most), maximum: Some(most) })?;
        }
        Ok(())
    }

    /// Landlock: nothing is written but below the folder of the command and `/tmp` and to devices, no process outside is
    /// looked into, and none is signalled. In a jail mounts say so already; in Lambda nothing else does. A kernel that has
    /// only a part of it, or nothing, gives that part: whether Lambda's has it is not known, and the other walls stand.
    pub(super) fn fence() -> Result<(), RulesetError> {
        let abi = ABI::V6;
        let device = AccessFs::WriteFile | AccessFs::Truncate | AccessFs::IoctlDev;
        Ruleset::default()
            .handle_access(AccessFs::from_write(abi))?
            .scope(Scope::from_all(abi))?
            .create()?
            .add_rules(path_beneath_rules([".", "/tmp"], AccessFs::from_write(abi)))?
            .add_rules(path_beneath_rules(["/dev"], device))?
            .restrict_self()?;
        Ok(())
    }

    /// Calls that are answered with "not permitted". No socket at all: in Lambda, where no network namespace can be made,
    /// this is what makes the Runtime API, the metadata address and the internet unreachable. `socketpair` remains.
    const DENIED: &[i64] = &[
        libc::SYS_socket,
        // It makes sockets and more, past any filter.
        libc::SYS_io_uring_setup,
        libc::SYS_io_uring_enter,
        libc::SYS_io_uring_register,
        // Other processes and their memory.
        libc::SYS_ptrace,
        libc::SYS_process_vm_readv,
        libc::SYS_process_vm_writev,
        libc::SYS_process_madvise,
        libc::SYS_pidfd_getfd,
        libc::SYS_kcmp,
        libc::SYS_perf_event_open,
        // Namespaces and mounts: a namespace of its own makes a process root over much of the kernel.
        libc::SYS_unshare,
        libc::SYS_setns,
        libc::SYS_mount,
        libc::SYS_umount2,
        libc::SYS_pivot_root,
        libc::SYS_chroot,
        libc::SYS_open_tree,
        libc::SYS_move_mount,
        libc::SYS_fsopen,
        libc::SYS_fsconfig,
        libc::SYS_fsmount,
        libc::SYS_fspick,
        libc::SYS_mount_setattr,
        libc::SYS_open_by_handle_at,
        // The kernel itself.
        libc::SYS_bpf,
        libc::SYS_userfaultfd,
        libc::SYS_keyctl,
        libc::SYS_add_key,
        libc::SYS_request_key,
        libc::SYS_kexec_load,
        libc::SYS_init_module,
        libc::SYS_finit_module,
        libc::SYS_delete_module,
        libc::SYS_reboot,
        libc::SYS_swapon,
        libc::SYS_swapoff,
        libc::SYS_acct,
        libc::SYS_quotactl,
        libc::SYS_quotactl_fd,
        libc::SYS_syslog,
        libc::SYS_sethostname,
        libc::SYS_setdomainname,
        // Memory that no process seems to have, and what outlives all of them.
        libc::SYS_memfd_create,
        libc::SYS_memfd_secret,
        libc::SYS_shmget,
        libc::SYS_msgget,
        libc::SYS_semget,
        libc::SYS_mq_open,
    ];

    /// `clone` with any of these makes a namespace.
    const NAMESPACES: [i32; 7] = [
        libc::CLONE_NEWNS,
        libc::CLONE_NEWUSER,
        libc::CLONE_NEWPID,
        libc::CLONE_NEWNET,
        libc::CLONE_NEWIPC,
        libc::CLONE_NEWUTS,
        libc::CLONE_NEWCGROUP,
    ];

    /// Calls of x86's third ABI: the same kernel behind other numbers, which a list of the usual ones does not name.
    #[cfg(target_arch = "x86_64")]
    const X32: i64 = 0x4000_0000;

    /// Those of the third ABI that have numbers of their own: `ptrace`, `process_vm_readv`, `process_vm_writev`.
    #[cfg(target_arch = "x86_64")]
    const X32_OWN: [i64; 3] = [X32 + 521, X32 + 539, X32 + 540];

    /// Sets `NO_NEW_PRIVS` and the filters. A call of another architecture ends the process.
    pub(super) fn filter() -> Result<(), seccompiler::Error> {
        let mut rules: BTreeMap<i64, Vec<SeccompRule>> = DENIED.iter().map(|number| (*number, Vec::new())).collect();
        let mut namespaces = Vec::new();
        for flag in NAMESPACES {
            let flag = u64::from(flag.cast_unsigned());
            let has = SeccompCondition::new(0, SeccompCmpArgLen::Qword, SeccompCmpOp::MaskedEq(flag), flag)?;
            namespaces.push(SeccompRule::new(vec![has])?);
        }
        rules.insert(libc::SYS_clone, namespaces);
        #[cfg(target_arch = "x86_64")]
        {
            let others: Vec<_> = rules.iter().map(|(number, rules)| (number | X32, rules.clone())).collect();
            rules.extend(others);
            rules.extend(X32_OWN.map(|number| (number, Vec::new())));
            rules.extend([libc::SYS_iopl, libc::SYS_ioperm].map(|number| (number, Vec::new())));
        }
        install(rules, libc::EPERM)?;
        // Its flags lie in memory, where no filter sees them; "no such call" makes C libraries use `clone`.
        let mut unseen = BTreeMap::from([(libc::SYS_clone3, Vec::new())]);
        #[cfg(target_arch = "x86_64")]
        unseen.insert(libc::SYS_clone3 | X32, Vec::new());
        install(std::mem::take(&mut unseen), libc::ENOSYS)
    }

    fn install(rules: BTreeMap<i64, Vec<SeccompRule>>, answer: i32) -> Result<(), seccompiler::Error> {
        let arch = TargetArch::try_from(std::env::consts::ARCH)?;
        let denied = SeccompAction::Errno(answer.cast_unsigned());
        let program: BpfProgram = SeccompFilter::new(rules, SeccompAction::Allow, denied, arch)?.try_into()?;
        apply_filter(&program)
    }
}
