//! One command, from its files to what came of it.

use std::io;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use chela_core::sandbox::{
    CommandRequest, CommandResult, Hear, MAX_OUTPUT, MAX_TIMEOUT_MS, SandboxError, check_request,
};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, Command};

use crate::folder::Folder;
use crate::limits::{DISK_BYTES, MEMORY_BYTES, MOST_FILES, NOBODY};
use crate::stage::ENTER;
use crate::strays;

/// Where programs are looked for: folders that no command can write to.
pub(crate) const PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// How often memory and files are looked at.
const LOOK_EVERY: Duration = Duration::from_millis(25);

/// What a command is held by beside limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Walls {
    /// The filter of system calls. What lies around the process is the place's business.
    Closed,
    /// None: the owner of the machine wants it so.
    Open,
}

impl Walls {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
        }
    }

    pub(crate) fn of_name(name: &str) -> Option<Self> {
        [Self::Closed, Self::Open].into_iter().find(|walls| walls.name() == name)
    }
}

/// Runs one command to its end. It needs a process that does nothing else: every descendant of it is killed. The program
/// must call [`crate::take_over`] first. `hear` is told what the command writes while it runs.
pub async fn run(request: &CommandRequest, walls: Walls, hear: &Hear<'_>) -> Result<CommandResult, SandboxError> {
    check_request(request)?;
    let broken = |error: io::Error| SandboxError::Unavailable(error.to_string());
    strays::adopt().map_err(broken)?;
    unreadable().map_err(broken)?;
    // What an earlier command left because this process was stopped in the middle.
    strays::kill_all().await.map_err(broken)?;
    let folder = Folder::with(&request.archive).map_err(|error| SandboxError::Invalid(error.to_string()))?;
    let started = Instant::now();
    let mut result = in_folder(request, walls, folder.path(), hear).await.map_err(broken)?;
    result.duration_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    folder.bring_back(&mut result).map_err(broken)?;
    Ok(result)
}

async fn in_folder(
    request: &CommandRequest,
    walls: Walls,
    folder: &Path,
    hear: &Hear<'_>,
) -> io::Result<CommandResult> {
    let before = used(folder);
    let mut child = start(request, walls, folder)?;
    let (input, output, errors) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let feed = async {
        if let Some(mut input) = input {
            // A program that does not read its input closes the pipe; that is its right.
            let _ = input.write_all(request.stdin.as_bytes()).await;
        }
    };
    let timeout = Duration::from_millis(request.timeout_ms.min(MAX_TIMEOUT_MS));
    let end = async {
        let killed = tokio::select! {
            biased;
            _ = child.wait() => None,
            () = tokio::time::sleep(timeout) => Some(format!("its time of {} ms was over", timeout.as_millis())),
            why = too_much(folder, before) => Some(why),
        };
        if killed.is_some() {
            let _ = child.start_kill();
        }
        let status = child.wait().await;
        // Only then do the pipes end: a daemon may hold them.
        let strays = strays::kill_all().await;
        (killed, status, strays)
    };
    let ((killed, status, strays), (), stdout, stderr) =
        tokio::join!(end, feed, read(output, hear), read(errors, hear));
    strays?;
    Ok(CommandResult {
        exit_code: if killed.is_some() { None } else { status?.code() },
        truncated: stdout.1 || stderr.1,
        stdout: String::from_utf8_lossy(&stdout.0).into_owned(),
        stderr: String::from_utf8_lossy(&stderr.0).into_owned(),
        killed,
        ..CommandResult::default()
    })
}

fn start(request: &CommandRequest, walls: Walls, folder: &Path) -> io::Result<Child> {
    let mut command = Command::new(std::env::current_exe()?);
    command
        .args([ENTER, walls.name()])
        .args(&request.argv)
        .env_clear()
        .env("LANG", "C.UTF-8")
        .envs(&request.env)
        .env("PATH", PATH)
        .env("HOME", folder)
        .env("TMPDIR", folder)
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    if rustix::process::geteuid().is_root() {
        // Root could undo all of it, and no number of processes is too high for root.
        command.uid(NOBODY).gid(NOBODY);
    }
    command.spawn()
}

/// Other processes of the same user can neither read this one's memory and environment nor trace it.
fn unreadable() -> io::Result<()> {
    #[cfg(target_os = "linux")]
    rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable)?;
    Ok(())
}

/// Bytes and files in use where the folder lies.
fn used(folder: &Path) -> (u64, u64) {
    rustix::fs::statvfs(folder).map_or((0, 0), |state| {
        let blocks = state.f_blocks.saturating_sub(state.f_bfree);
        (blocks.saturating_mul(state.f_frsize), state.f_files.saturating_sub(state.f_ffree))
    })
}

/// Ends when the command uses too much of what no limit of the system bounds for all its processes together.
async fn too_much(folder: &Path, before: (u64, u64)) -> String {
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        let (bytes, files) = used(folder);
        if bytes.saturating_sub(before.0) > DISK_BYTES {
            return format!("it wrote more than {DISK_BYTES} bytes");
        }
        if files.saturating_sub(before.1) > MOST_FILES {
            return format!("it made more than {MOST_FILES} files");
        }
        if strays::memory() > MEMORY_BYTES {
            return format!("it used more than {MEMORY_BYTES} bytes of memory");
        }
    }
}

/// Reads to the end and keeps the beginning, which is told; says whether anything was thrown away.
async fn read(stream: Option<impl AsyncRead + Unpin>, hear: &Hear<'_>) -> (Vec<u8>, bool) {
    let Some(mut stream) = stream else { return (Vec::new(), false) };
    let (mut kept, mut told, mut cut, mut buffer) = (Vec::new(), 0_usize, false, vec![0u8; 8192]);
    while let Ok(n @ 1..) = stream.read(&mut buffer).await {
        let room = MAX_OUTPUT.saturating_sub(kept.len()).min(n);
        kept.extend_from_slice(buffer.get(..room).unwrap_or_default());
        cut |= room < n;
        let fresh = kept.get(told..).unwrap_or_default();
        let whole = characters(fresh);
        if whole > 0 {
            hear(&String::from_utf8_lossy(fresh.get(..whole).unwrap_or_default()));
            told = told.saturating_add(whole);
        }
    }
    (kept, cut)
}

/// How many bytes can be told: all but a character at the end that has only begun.
fn characters(bytes: &[u8]) -> usize {
    let last = bytes.utf8_chunks().last().map_or(&[][..], |chunk| chunk.invalid());
    let begun = std::str::from_utf8(last).is_err_and(|error| error.error_len().is_none());
    if begun { bytes.len().saturating_sub(last.len()) } else { bytes.len() }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    /// A character that came in two pieces is told once, and what is no character does not hold up what is behind it.
    #[tokio::test]
    async fn output_is_told_by_characters_and_no_more_than_is_kept() {
        let told = Mutex::new(Vec::new());
        let pieces: [&[u8]; 4] = [b"a\xc3", b"\xa4b", b"\xffc\xe2\x82", b"\xac"];
        let (mut writer, reader) = tokio::io::duplex(8);
        let write = async {
            for piece in pieces {
                writer.write_all(piece).await.unwrap();
                tokio::task::yield_now().await;
            }
            let rest = vec![b'x'; MAX_OUTPUT];
            writer.write_all(&rest).await.unwrap();
            drop(writer);
        };
        let hear = |text: &str| told.lock().unwrap().push(text.to_owned());
        let ((kept, cut), ()) = tokio::join!(read(Some(reader), &hear), write);
        let told = told.into_inner().unwrap().concat();
        assert!(cut && kept.len() == MAX_OUTPUT && told.starts_with("aäb\u{fffd}c€x"), "{} bytes", told.len());
        assert_eq!(told, String::from_utf8_lossy(&kept));
    }
}
