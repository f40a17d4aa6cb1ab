//! Instructions on the shelf: whether they are what was installed.

use crate::checks::{SKILL_ACCEPTED, SKILL_CHANGED, SKILL_UNPINNED};
use crate::{Finding, OwnedSkill, Pinned, Subject};

pub(crate) fn look(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    for OwnedSkill { folder, pinned } in subject.skills {
        match pinned {
            Pinned::No => {
                let fix = "read it, then install it from its folder: chela skills install <folder>";
                findings.push(SKILL_UNPINNED.found(folder, "nothing says what it should say", fix));
            }
            Pinned::Changed(files) => {
                let message = format!("not as it was installed: {}", files.join(", "));
                let fix = "install it again, or remove it: chela skills remove <name>";
                findings.push(SKILL_CHANGED.found(folder, message, fix));
            }
            Pinned::Accepted(warnings) => {
                let message = format!("{warnings} warnings of the scan were accepted");
                findings.push(SKILL_ACCEPTED.found(folder, message, "chela skills scan <source> tells them"));
            }
        }
    }
}
