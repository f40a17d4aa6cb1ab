//! The expressions of EventBridge Scheduler: `rate(…)`, `cron(…)` and `at(…)`.
//! <https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html>

use chela_core::clock::Millis;
use chela_core::schedule::{Schedule, ScheduleError};
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use super::cron::{Cron, number_of};

const MINUTE: u64 = 60_000;
const DAY: u64 = 24 * 60 * MINUTE;

/// Longest interval of a rate: a year. What is rarer has a date.
const RATE_MAX: u64 = 366 * DAY;

/// A schedule that was understood.
#[derive(Clone, Debug)]
pub struct Expression {
    form: Form,
    zone: TimeZone,
}

#[derive(Clone, Debug)]
enum Form {
    Rate { every: u64 },
    Cron(Box<Cron>),
    At(Millis),
}

impl Expression {
    /// Checks name, expression and time zone; the error says which is wrong and what would be right.
    pub fn parse(schedule: &Schedule) -> Result<Self, ScheduleError> {
        let invalid = |reason| ScheduleError::Invalid { name: schedule.name.clone(), reason };
        check_name(&schedule.name).map_err(invalid)?;
        let zone = zone(&schedule.timezone).map_err(invalid)?;
        let form = Form::parse(&schedule.expression.0, &zone).map_err(invalid)?;
        Ok(Self { form, zone })
    }

    /// The first occasion after `time`; `None` if there is none. `since` is when the schedule began: its rate counts
    /// from there, and the first occasion of a rate is one interval later.
    #[must_use]
    pub fn after(&self, time: Millis, since: Millis) -> Option<Millis> {
        match &self.form {
            Form::Rate { every } => {
                let passed = time.since(since) / every;
                Some(since.plus(every.saturating_mul(passed.saturating_add(1))))
            }
            Form::Cron(cron) => cron.after(time, &self.zone),
            Form::At(at) => Some(*at).filter(|at| *at > time),
        }
    }

    /// The newest occasion up to `now`, given that `known` is one.
    pub(super) fn newest(&self, known: Millis, now: Millis, since: Millis) -> Millis {
        let mut reach = MINUTE;
        loop {
            // Looking back twice as far each time, so that neither many occasions nor a long gap costs much.
            let from = Millis(now.0.saturating_sub(reach));
            if from <= known {
                return self.last_between(known, known, now, since);
            }
            if let Some(found) = self.after(from, since).filter(|at| *at <= now) {
                return self.last_between(found, found, now, since);
            }
            reach = reach.saturating_mul(2);
        }
    }

    fn last_between(&self, mut last: Millis, from: Millis, now: Millis, since: Millis) -> Millis {
        let mut time = from;
        while let Some(next) = self.after(time, since).filter(|at| *at <= now) {
            (last, time) = (next, next);
        }
        last
    }
}

impl Form {
    fn parse(text: &str, zone: &TimeZone) -> Result<Self, String> {
        const FORMS: &str = "write rate(30 minutes), cron(0 8 * * ? *) or at(2026-12-24T18:00:00)";
        let call = text.trim().strip_suffix(')').and_then(|text| text.split_once('('));
        let Some((kind, inside)) = call else { return Err(format!("\"{text}\" is no expression: {FORMS}")) };
        match kind {
            "rate" => rate(inside).map(|every| Self::Rate { every }),
            "cron" => Cron::parse(inside).map(|cron| Self::Cron(Box::new(cron))),
            "at" => at(inside, zone).map(Self::At),
            _ => Err(format!("\"{kind}\" is no kind of expression: {FORMS}")),
        }
    }
}

fn rate(inside: &str) -> Result<u64, String> {
    let wrong = || format!("rate({inside}) needs a whole number from 1 and minutes, hours or days: rate(30 minutes)");
    let mut words = inside.split_whitespace();
    let (Some(value), Some(unit), None) = (words.next(), words.next(), words.next()) else { return Err(wrong()) };
    let unit = match unit {
        "minute" | "minutes" => MINUTE,
        "hour" | "hours" => 60 * MINUTE,
        "day" | "days" => DAY,
        _ => return Err(wrong()),
    };
    let every = number_of::<u32>(value).filter(|value| *value > 0).ok_or_else(wrong)?;
    let every = u64::from(every).saturating_mul(unit);
    if every > RATE_MAX {
        return Err(format!("rate({inside}) is longer than a year: use cron or at"));
    }
    Ok(every)
}

fn at(inside: &str, zone: &TimeZone) -> Result<Millis, String> {
    let wrong = || format!("at({inside}) needs a date and time that exist, without a zone: at(2026-12-24T18:00:00)");
    let shape = |(place, byte): (usize, u8)| match place {
        4 | 7 => byte == b'-',
        10 => byte == b'T',
        13 | 16 => byte == b':',
        _ => byte.is_ascii_digit(),
    };
    if inside.len() != 19 || !inside.bytes().enumerate().all(shape) {
        return Err(wrong());
    }
    let time: DateTime = inside.parse().map_err(|_| wrong())?;
    // A time the clocks skip is taken as long after the change as it is written after its beginning.
    let zoned = zone.to_ambiguous_zoned(time).compatible().map_err(|_| wrong())?;
    millis(zoned.timestamp()).ok_or_else(wrong)
}

/// Milliseconds of a time; `None` before 1970.
pub(super) fn millis(time: Timestamp) -> Option<Millis> {
    u64::try_from(time.as_millisecond()).ok().map(Millis)
}

fn check_name(name: &str) -> Result<(), String> {
    let plain = name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'));
    if name.is_empty() || name.len() > 64 || !plain {
        return Err("the name needs 1 to 64 letters, digits, '-', '_' and '.', such as \"morning-news\"".to_owned());
    }
    Ok(())
}

fn zone(name: &str) -> Result<TimeZone, String> {
    TimeZone::get(name).map_err(|_| {
        format!("\"{name}\" is no time zone: use a name of the IANA list, such as \"Europe/Berlin\" or \"UTC\"")
    })
}

#[cfg(test)]
mod tests {
    use chela_core::schedule::{ScheduleExpression, Timing};
    use proptest::prelude::*;

    use super::*;

    fn parse(expression: &str, timezone: &str) -> Result<Expression, String> {
        let expression = ScheduleExpression(expression.to_owned());
        let schedule = Schedule { name: "daily".into(), expression, timezone: timezone.into(), enabled: true };
        Expression::parse(&schedule).map_err(|error| error.to_string())
    }

    fn first(expression: &str, timezone: &str) -> Option<u64> {
        parse(expression, timezone).unwrap().after(Millis(0), Millis(0)).map(|at| at.0 / 1000)
    }

    #[test]
    fn a_rate_counts_from_its_beginning() {
        let every_hour = parse("rate(1 hour)", "UTC").unwrap();
        let (since, hour) = (Millis(1_000_000), 60 * MINUTE);
        for (time, next) in
            [(0, 1), (1_000_000, 1), (1_000_000 + hour - 1, 1), (1_000_000 + hour, 2), (1_000_000 + 9 * hour, 10)]
        {
            assert_eq!(every_hour.after(Millis(time), since), Some(since.plus(next * hour)), "after {time}");
        }
    }

    #[test]
    fn rates_have_three_units_singular_or_plural() {
        for (rate, seconds) in [
            ("rate(1 minute)", 60),
            ("rate(1 minutes)", 60),
            ("rate(90 minutes)", 5400),
            ("rate(2 hours)", 7200),
            (" rate( 1  day ) ", 86_400),
            ("rate(366 days)", 366 * 86_400),
        ] {
            assert_eq!(first(rate, "UTC"), Some(seconds), "{rate}");
        }
        for rate in [
            "rate()",
            "rate(1)",
            "rate(one day)",
            "rate(1.5 days)",
            "rate(+1 day)",
            "rate(1 day 2 hours)",
            "rate(1 week)",
            "rate(367 days)",
            "rate(99999999999 days)",
            "Rate(1 day)",
        ] {
            assert!(parse(rate, "UTC").is_err(), "{rate}");
        }
    }

    #[test]
    fn a_single_time_is_that_of_its_zone_and_comes_once() {
        assert_eq!(first("at(2026-12-24T18:00:00)", "UTC"), Some(1_798_135_200));
        assert_eq!(first("at(2026-12-24T18:00:00)", "Europe/Berlin"), Some(1_798_135_200 - 3600));
        assert_eq!(
            first("at(2026-03-29T02:30:00)", "Europe/Berlin"),
            first("at(2026-03-29T01:30:00)", "UTC"),
            "skipped"
        );
        assert_eq!(first("at(2026-10-25T02:30:00)", "Europe/Berlin"), first("at(2026-10-25T00:30:00)", "UTC"), "twice");
        let once = parse("at(2026-12-24T18:00:00)", "UTC").unwrap();
        assert_eq!(once.after(Millis(1_798_135_200_000), Millis(0)), None);
    }

    #[test]
    fn a_single_time_has_one_form() {
        for time in [
            "2026-12-24",
            "2026-12-24 18:00:00",
            "2026-12-24T18:00",
            "2026-12-24T18:00:00Z",
            "2026-12-24T18:00:00.5",
            "2026-02-29T18:00:00",
            "2026-12-24T24:00:00",
            "26-12-24T18:00:00",
            "+026-12-24T18:00:00",
            "1969-12-31T18:00:00",
        ] {
            assert!(parse(&format!("at({time})"), "UTC").is_err(), "{time}");
        }
    }

    #[test]
    fn refusals_say_what_would_be_right() {
        for (expression, zone, told) in [
            ("every day", "UTC", "rate(30 minutes)"),
            ("cron 0 8 * * ? *", "UTC", "cron(0 8 * * ? *)"),
            ("daily(8)", "UTC", "\"daily\""),
            ("rate(0 days)", "UTC", "from 1"),
            ("at(now)", "UTC", "2026-12-24T18:00:00"),
            ("rate(1 day)", "CET-1", "\"Europe/Berlin\""),
        ] {
            let error = parse(expression, zone).unwrap_err();
            assert!(error.contains(told) && error.contains("\"daily\""), "{error}");
        }
    }

    fn fields() -> impl Strategy<Value = String> {
        let one = |words: &'static [&'static str]| prop::sample::select(words);
        let minutes = one(&["0", "*", "*/5", "0/7", "1-9/3", "58,2", "*/59", "5-10,50", "59/1"]);
        let hours = one(&["8", "*", "0,23", "1-3", "*/6", "22/1", "2"]);
        let days = one(&[
            "* ?",
            "1,15 ?",
            "L ?",
            "15W ?",
            "1W ?",
            "31 ?",
            "29-31 ?",
            "? MON-FRI",
            "? 2#1",
            "? 6L",
            "? L",
            "? SUN,SAT",
        ]);
        let (months, years) = (one(&["*", "FEB", "1-3", "JAN,7", "10"]), one(&["*", "2027", "2026-2028"]));
        (minutes, hours, days, months, years).prop_map(|(minutes, hours, days, months, years)| {
            let (date, weekday) = days.split_once(' ').unwrap_or_default();
            format!("cron({minutes} {hours} {date} {months} {weekday} {years})")
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(96))]

        /// How often something may fire is judged by one reading of it, and it fires by another: they must be the same.
        #[test]
        fn what_was_judged_is_what_fires(text in fields(), since in 1_760_000_000_000u64..1_800_000_000_000) {
            let expression = ScheduleExpression(text.clone());
            let schedule = Schedule { name: "x".into(), expression, timezone: "UTC".into(), enabled: true };
            let (timing, zone) = schedule.check().unwrap();
            let Timing::Cron(judged) = timing else { panic!("a cron") };
            let fires = Expression::parse(&schedule).unwrap();
            let mut time = Millis(since);
            for number in 0..24 {
                let Some(next) = fires.after(time, time) else { break };
                let shown = zone.to_datetime(Timestamp::from_millisecond(i64::try_from(next.0).unwrap()).unwrap());
                prop_assert!(judged.fires_at(shown), "{text}: {shown}");
                let apart = next.since(time) / MINUTE;
                prop_assert!(number == 0 || apart >= u64::from(judged.least_gap()), "{text}: {apart} minutes");
                // Nothing is left out in between, as far as one looks.
                for minute in 1..apart.min(180) {
                    let between = Millis(time.0 - time.0 % MINUTE).plus(minute * MINUTE);
                    let shown = zone.to_datetime(Timestamp::from_millisecond(i64::try_from(between.0).unwrap()).unwrap());
                    prop_assert!(!judged.fires_at(shown), "{text}: {shown} is left out");
                }
                time = next;
            }
        }
    }
}
