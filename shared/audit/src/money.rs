//! What can be spent.

use crate::channels::{enabled, is_open};
use crate::checks::{HALTED, NO_BUDGET, NO_USER_BUDGET, OFTEN};
use crate::{Finding, Repair, Severity, Subject};

/// Least minutes between two firings that earn no word.
const SELDOM: u32 = 5;

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
    let cron = &subject.config.tools.cron;
    if cron.min_interval_minutes < SELDOM && cron.max_jobs > 0 {
        let path = ["tools", "cron", "minIntervalMinutes"].map(str::to_owned).to_vec();
        let message = format!("schedules may fire every {} minutes", cron.min_interval_minutes);
        let found = OFTEN.found(path.join("."), message, "remove the key: five minutes lie between two firings then");
        findings.push(found.with(Repair::Key { path, value: SELDOM.into() }));
    }
    if spend.halted {
        findings.push(HALTED.found("spend.halted", "all spending is halted", "set it to false when you are ready"));
    }
}
