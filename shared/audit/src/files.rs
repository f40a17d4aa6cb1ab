//! Permissions on this machine.

use crate::checks::{READABLE, SYMLINK, WRITABLE};
use crate::{Finding, Holds, OwnedFile, Repair, Severity, Subject};

/// Bits by which others read.
const OTHERS_READ: u32 = 0o044;

/// Bits by which others write.
const OTHERS_WRITE: u32 = 0o022;

pub(crate) fn look(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    for file in subject.files {
        let at = file.path.display().to_string();
        let wanted = match file.holds {
            Holds::Configuration => 0o600,
            Holds::Data => 0o700,
        };
        let repair = Repair::Mode { path: file.path.clone(), mode: wanted };
        let fix = format!("chmod {wanted:o} {at}");
        if file.symlink {
            let fix = "make sure that nobody else can change where it leads";
            findings.push(SYMLINK.found(at.as_str(), "this is a symbolic link", fix));
        }
        if file.mode & OTHERS_WRITE != 0 {
            findings.push(WRITABLE.found(at.as_str(), "others may write it", fix.as_str()).with(repair.clone()));
        }
        if file.mode & OTHERS_READ != 0 {
            let found = READABLE.found(at, "others may read it", fix).with(repair);
            findings.push(if is_private(subject, file) { found } else { found.of_severity(Severity::Info) });
        }
    }
}

/// Whether there is anything in it that others must not read: conversations always, a configuration if it has secrets.
fn is_private(subject: &Subject<'_>, file: &OwnedFile) -> bool {
    let mut found = Vec::new();
    crate::secrets::look(subject, &mut found);
    file.holds == Holds::Data || !found.is_empty()
}
