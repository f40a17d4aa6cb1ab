//! What can be spent.

use crate::channels::{enabled, is_open};
use crate::checks::{HALTED, NO_BUDGET, NO_USER_BUDGET};
use crate::{Finding, Severity, Subject};

pub(crate) fn look(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    let spend = &subject.config.spend;
    let open = enabled(subject).iter().any(is_open);
    let everything = spend.limits.per_day.is_some();
    if !everything {
        let fix = "set spend.limits.perDay, in dollars: what a call may cost is reserved before it";
        let found = |message| NO_BUDGET.found("spend.limits.perDay", message, fix);
        findings.push(if open {
            found("no limit holds for a whole day, and strangers are heard").of_severity(Severity::Critical)
        } else {
            found("no limit holds for a whole day")
        });
    }
    if everything && open && spend.limits.per_user_per_day.is_none() {
        let fix = "set spend.limits.perUserPerDay below spend.limits.perDay";
        findings.push(NO_USER_BUDGET.found(
            "spend.limits.perUserPerDay",
            "strangers are heard, each without a limit",
            fix,
        ));
    }
    if spend.halted {
        findings.push(HALTED.found("spend.halted", "all spending is halted", "set it to false when you are ready"));
    }
}
