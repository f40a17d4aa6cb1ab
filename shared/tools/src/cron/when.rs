//! When a schedule fires, as models write it: in the words of EventBridge Scheduler, or in OpenClaw's.

use chela_core::clock::Millis;
use chela_core::schedule::{Schedule, ScheduleExpression, Timing};
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde_json::Value;

/// An expression that is checked, and when it fires if it fires once.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct When {
    pub(super) expression: ScheduleExpression,
    pub(super) timezone: String,
    pub(super) once_at: Option<Millis>,
}

const FORMS: &str = "write {\"kind\":\"every\",\"minutes\":60}, {\"kind\":\"cron\",\"expr\":\"0 8 * * 1-5\"}, \
                     {\"kind\":\"at\",\"at\":\"2026-12-24T18:00\"} or {\"kind\":\"in\",\"minutes\":20}";

/// Reads it. `least` is the least number of minutes between two firings.
pub(super) fn when(given: &Value, zone: &str, now: Millis, least: u32) -> Result<When, String> {
    let own = ["tz", "timezone"].iter().find_map(|key| given.get(key)?.as_str());
    let timezone = own.unwrap_or(zone).to_owned();
    let (expression, timezone) = match (given, given.get("kind").and_then(Value::as_str)) {
        (Value::String(text), _) => (written(text)?, timezone),
        (_, Some("cron")) => (written(text(given, &["expr", "expression", "cron"])?)?, timezone),
        (_, Some("every")) => (every(given)?, timezone),
        (_, Some("in")) => {
            let later = now.plus(number(given, "minutes")?.saturating_mul(60_000));
            (at_utc(later)?, "UTC".to_owned())
        }
        (_, Some("at")) => at(given, timezone)?,
        _ => return Err(format!("When? {FORMS}.")),
    };
    let schedule = Schedule { name: "x".into(), expression: ScheduleExpression(expression), timezone, enabled: true };
    // The name is not what is looked at here.
    let (timing, zone) = schedule.check().map_err(|error| error.to_string().replacen("schedule \"x\": ", "", 1))?;
    let once_at = match &timing {
        Timing::At(time) => Some(future(*time, &zone, now)?),
        Timing::Rate { minutes } => {
            often_enough(*minutes, least)?;
            None
        }
        Timing::Cron(cron) => {
            often_enough(cron.least_gap().into(), least)?;
            None
        }
    };
    Ok(When { expression: schedule.expression, timezone: schedule.timezone, once_at })
}

fn often_enough(minutes: u64, least: u32) -> Result<(), String> {
    if minutes < u64::from(least) {
        return Err(format!(
            "It would fire every {minutes} minutes at times; at least {least} minutes must lie between two firings \
             (tools.cron.minIntervalMinutes)."
        ));
    }
    Ok(())
}

/// An expression of the scheduler's, or the five fields of a crontab.
fn written(text: &str) -> Result<String, String> {
    if text.contains('(') { Ok(text.trim().to_owned()) } else { five_fields(text) }
}

/// Five fields as six: days of the week begin with 0 on Sunday here and with 1 there, and one of the two day fields must
/// not say anything.
fn five_fields(text: &str) -> Result<String, String> {
    let fields: Vec<&str> = text.split_whitespace().collect();
    let [minute, hour, day, month, weekday] = fields[..] else {
        return Err(format!("\"{text}\" has not the five fields of a crontab, as in 0 8 * * 1-5."));
    };
    let (day, weekday) = match (day, weekday) {
        (day, "*" | "?") => (if day == "?" { "*" } else { day }.to_owned(), "?".to_owned()),
        ("*" | "?", weekday) => ("?".to_owned(), weekdays(weekday)?),
        _ => return Err("A day of the month and a day of the week exclude each other: make two schedules.".to_owned()),
    };
    Ok(format!("cron({minute} {hour} {day} {month} {weekday} *)"))
}

fn weekdays(field: &str) -> Result<String, String> {
    let wrong = || format!("\"{field}\" are no days of the week: write 0 to 7, where 0 and 7 are Sunday, or MON-FRI.");
    let one = |word: &str| match word.parse::<u8>() {
        Ok(7) => Ok("1".to_owned()),
        Ok(number @ 0..=6) => Ok(number.saturating_add(1).to_string()),
        _ if word == "*" || word.chars().all(|c| c.is_ascii_alphabetic()) && !word.is_empty() => Ok(word.to_owned()),
        _ => Err(wrong()),
    };
    let part = |part: &str| -> Result<String, String> {
        let (range, step) = part.split_once('/').map_or((part, None), |(range, step)| (range, Some(step)));
        let range = match range.split_once('-') {
            // A week that ends on Sunday: there it begins with it.
            Some((first, "7")) => format!("{}-7,1", one(first)?),
            Some((first, last)) => format!("{}-{}", one(first)?, one(last)?),
            None => one(range)?,
        };
        match step {
            Some(_) if range.contains(',') => Err(wrong()),
            Some(step) => Ok(format!("{range}/{step}")),
            None => Ok(range),
        }
    };
    Ok(field.split(',').map(part).collect::<Result<Vec<_>, _>>()?.join(","))
}

fn every(given: &Value) -> Result<String, String> {
    let minutes = match given.get("everyMs") {
        Some(ms) => {
            let ms = ms.as_u64().ok_or_else(|| format!("everyMs is a number of milliseconds; {FORMS}."))?;
            // Rounded down, so that what is too often stays so.
            ms / 60_000
        }
        None => number(given, "minutes")?,
    };
    if minutes == 0 {
        return Err("The least interval is a minute.".to_owned());
    }
    Ok(format!("rate({minutes} {})", if minutes == 1 { "minute" } else { "minutes" }))
}

/// A time with an offset is a moment; one without is what the clock of the zone shows.
fn at(given: &Value, timezone: String) -> Result<(String, String), String> {
    if let Some(ms) = given.get("atMs").and_then(Value::as_u64) {
        return Ok((at_utc(Millis(ms))?, "UTC".to_owned()));
    }
    let text = text(given, &["at", "time"])?;
    if let Ok(moment) = text.parse::<Timestamp>() {
        return Ok((at_utc(Millis(u64::try_from(moment.as_millisecond()).unwrap_or_default()))?, "UTC".to_owned()));
    }
    let time: DateTime =
        text.parse().map_err(|_| format!("\"{text}\" is no time such as 2026-12-24T18:00 or 2026-12-24T17:00:00Z."))?;
    Ok((format!("at({})", time.strftime("%Y-%m-%dT%H:%M:%S")), timezone))
}

fn at_utc(at: Millis) -> Result<String, String> {
    let moment = i64::try_from(at.0).ok().and_then(|ms| Timestamp::from_millisecond(ms).ok());
    let moment = moment.ok_or_else(|| "That is no time.".to_owned())?;
    Ok(format!("at({})", moment.to_zoned(TimeZone::UTC).strftime("%Y-%m-%dT%H:%M:%S")))
}

fn future(time: DateTime, zone: &TimeZone, now: Millis) -> Result<Millis, String> {
    let moment = zone.to_ambiguous_zoned(time).compatible().map_err(|_| "That is no time.".to_owned())?;
    let at = u64::try_from(moment.timestamp().as_millisecond()).map(Millis).unwrap_or_default();
    if at <= now {
        return Err(format!("{time} is over; session_status says what time it is."));
    }
    Ok(at)
}

fn text<'a>(given: &'a Value, keys: &[&str]) -> Result<&'a str, String> {
    keys.iter().find_map(|key| given.get(key)?.as_str()).ok_or_else(|| format!("When? {FORMS}."))
}

fn number(given: &Value, key: &str) -> Result<u64, String> {
    given.get(key).and_then(Value::as_u64).filter(|n| *n < 60 * 24 * 366).ok_or_else(|| format!("When? {FORMS}."))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// 2026-11-21T09:00:00Z.
    const NOW: Millis = Millis(1_795_251_600_000);

    fn expression(given: Value) -> Result<String, String> {
        when(&given, "Europe/Berlin", NOW, 5).map(|when| format!("{} {}", when.expression.0, when.timezone))
    }

    #[test]
    fn all_forms_become_the_schedulers() {
        for (given, wanted) in [
            (json!("rate(30 minutes)"), "rate(30 minutes) Europe/Berlin"),
            (json!("cron(0 8 * * ? *)"), "cron(0 8 * * ? *) Europe/Berlin"),
            (json!("0 8 * * *"), "cron(0 8 * * ? *) Europe/Berlin"),
            (json!({"kind": "cron", "expr": "0 8 * * 1-5", "tz": "UTC"}), "cron(0 8 ? * 2-6 *) UTC"),
            (json!({"kind": "cron", "expr": "*/10 8-18 1,15 * *"}), "cron(*/10 8-18 1,15 * ? *) Europe/Berlin"),
            (json!({"kind": "cron", "expr": "0 8 * * 0,6"}), "cron(0 8 ? * 1,7 *) Europe/Berlin"),
            (json!({"kind": "cron", "expr": "0 8 * * 5-7"}), "cron(0 8 ? * 6-7,1 *) Europe/Berlin"),
            (json!({"kind": "cron", "expr": "0 8 * * mon-fri"}), "cron(0 8 ? * mon-fri *) Europe/Berlin"),
            (json!({"kind": "every", "everyMs": 3_600_000}), "rate(60 minutes) Europe/Berlin"),
            (json!({"kind": "every", "minutes": 7}), "rate(7 minutes) Europe/Berlin"),
            (json!({"kind": "at", "at": "2026-12-24T18:00"}), "at(2026-12-24T18:00:00) Europe/Berlin"),
            (json!({"kind": "at", "at": "2026-12-24T18:00:00+01:00"}), "at(2026-12-24T17:00:00) UTC"),
            (json!({"kind": "at", "atMs": NOW.0 + 60_000}), "at(2026-11-21T09:01:00) UTC"),
            (json!({"kind": "in", "minutes": 20}), "at(2026-11-21T09:20:00) UTC"),
        ] {
            assert_eq!(expression(given.clone()).as_deref(), Ok(wanted), "{given}");
        }
    }

    #[test]
    fn q08_what_fires_too_often_is_refused() {
        for given in [
            json!("rate(1 minute)"),
            json!("rate(4 minutes)"),
            json!("* * * * *"),
            json!("*/4 * * * *"),
            json!("0,2 8 1 1 *"),
            json!("0,58 0,23 * * *"),
            json!({"kind": "every", "everyMs": 1_000}),
            json!({"kind": "every", "everyMs": 299_999}),
            json!({"kind": "every", "minutes": 0}),
        ] {
            assert!(expression(given.clone()).is_err(), "{given}");
        }
        assert!(expression(json!("*/5 * * * *")).is_ok());
    }

    #[test]
    fn what_is_over_or_is_no_time_is_refused() {
        for (given, why) in [
            (json!({"kind": "at", "at": "2026-11-21T08:00"}), "is over"),
            (json!({"kind": "at", "at": "2026-11-21T09:00:00Z"}), "is over"),
            (json!({"kind": "in", "minutes": 0}), "is over"),
            (json!({"kind": "at", "at": "tomorrow"}), "is no time"),
            (json!({"kind": "at", "at": "2026-02-30T10:00"}), "is no time"),
            (json!({"kind": "cron", "expr": "0 8 1 * 1"}), "exclude each other"),
            (json!({"kind": "cron", "expr": "0 0 8 * * *"}), "five fields"),
            (json!({"kind": "cron", "expr": "0 8 * * 8"}), "days of the week"),
            (json!({"kind": "cron", "expr": "0 25 * * *"}), "is not a hours"),
            (json!({"kind": "cron", "expr": "0 8 * * *", "tz": "Mars/Olympus"}), "time zone"),
            (json!({"kind": "soon"}), "When?"),
            (json!({"kind": "in", "minutes": -5}), "When?"),
            (json!(7), "When?"),
        ] {
            let said = expression(given.clone()).unwrap_err();
            assert!(said.contains(why), "{given}: {said}");
        }
    }
}
