//! Everything a command started, however often it forked and whatever it called itself. This process adopts orphans, so
//! that all of them are its descendants, and finds them in `/proc`.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::time::Duration;

use rustix::process::{Pid, Signal, WaitOptions, kill_process, waitpid};

use crate::limits::MEMORY_BYTES;

/// Rounds of killing: each finds all there are, and the number of processes is bounded.
const ROUNDS: usize = 400;

/// Between two rounds.
const PAUSE: Duration = Duration::from_millis(5);

/// Orphans of descendants become children of this process instead of the system's.
#[cfg(target_os = "linux")]
pub(crate) fn adopt() -> io::Result<()> {
    // Any process but none at all; the kernel only looks whether it is zero.
    Ok(rustix::process::set_child_subreaper(Some(rustix::process::getpid()))?)
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn adopt() -> io::Result<()> {
    Err(io::Error::other("commands run on Linux only"))
}

/// Memory all descendants hold together, in bytes. What several share counts in parts where the kernel tells the parts,
/// else whole for each of them.
pub(crate) fn memory() -> u64 {
    let page = u64::try_from(rustix::param::page_size()).unwrap_or(4096);
    let resident = |pid: &i32| -> Option<u64> {
        let statm = std::fs::read_to_string(format!("/proc/{pid}/statm")).ok()?;
        Some(statm.split(' ').nth(1)?.parse::<u64>().ok()?.saturating_mul(page))
    };
    let all = descendants();
    let most: u64 = all.iter().filter_map(resident).sum();
    if most <= MEMORY_BYTES {
        return most;
    }
    // Slower to ask for, so only now.
    all.iter().filter_map(|pid| proportional(*pid).or_else(|| resident(pid))).sum()
}

fn proportional(pid: i32) -> Option<u64> {
    let smaps = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?;
    let line = smaps.lines().find_map(|line| line.strip_prefix("Pss:"))?;
    Some(line.trim().strip_suffix(" kB")?.parse::<u64>().ok()?.saturating_mul(1024))
}

/// Kills and buries all descendants. To be called after the command itself has been waited for.
pub(crate) async fn kill_all() -> io::Result<()> {
    for _ in 0..ROUNDS {
        bury();
        let alive = descendants();
        if alive.is_empty() {
            return Ok(());
        }
        for pid in alive {
            if let Some(pid) = Pid::from_raw(pid) {
                // It may be gone already.
                let _ = kill_process(pid, Signal::KILL);
            }
        }
        tokio::time::sleep(PAUSE).await;
    }
    Err(io::Error::other("a process of the command cannot be killed"))
}

fn bury() {
    while let Ok(Some(_)) = waitpid(None, WaitOptions::NOHANG) {}
}

/// Living descendants of this process.
fn descendants() -> BTreeSet<i32> {
    let mut parents: BTreeMap<i32, i32> = BTreeMap::new();
    for entry in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
        if let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok())
            && let Some(parent) = parent(pid)
        {
            parents.insert(pid, parent);
        }
    }
    let own = rustix::process::getpid().as_raw_nonzero().get();
    let mut found = BTreeSet::new();
    loop {
        let ours = |(pid, parent): (&i32, &i32)| {
            ((*parent == own || found.contains(parent)) && !found.contains(pid)).then_some(*pid)
        };
        let more: Vec<i32> = parents.iter().filter_map(ours).collect();
        if more.is_empty() {
            return found;
        }
        found.extend(more);
    }
}

/// The parent of a process that lives. Its name, which it chooses itself, stands in parentheses and may hold some.
fn parent(pid: i32) -> Option<i32> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace();
    let state = fields.next()?;
    let parent = fields.next()?.parse().ok()?;
    (!matches!(state, "Z" | "X")).then_some(parent)
}
