//! AWS's dialect of cron: six fields, minutes to years, of which one of the two day fields is `?`.
//! <https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html#cron-based>
//!
//! No crate fits: where clocks change, Scheduler skips a time that does not exist and takes a time that comes twice
//! once, at its first coming; cron libraries move and repeat these.

use std::str::FromStr;

use chela_core::clock::Millis;
use jiff::civil::{Date, DateTime, Weekday};
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{Timestamp, ToSpan};

use super::expression::millis;

const MONTHS: [&str; 12] = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];
const WEEKDAYS: [&str; 7] = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];

const FIRST_YEAR: i16 = 1970;
const LAST_YEAR: i16 = 2199;

/// A parsed expression.
#[derive(Clone, Debug)]
pub(super) struct Cron {
    minutes: Values,
    hours: Values,
    days: Days,
    months: Values,
    years: Values,
}

/// The numbers a field allows, ascending.
#[derive(Clone, Debug, PartialEq)]
struct Values(Vec<i16>);

/// Which days of a month.
#[derive(Clone, Debug, PartialEq)]
enum Days {
    /// Dates.
    Dates(Values),
    /// `L`: the last of the month.
    Last,
    /// `15W`: the weekday nearest to a date, within the month.
    NearestWeekday(i16),
    /// Days of the week, 1 is Sunday.
    Weekdays(Values),
    /// `6L`: the last such day of the week.
    LastWeekday(i16),
    /// `6#3`: the third such day of the week.
    NthWeekday(i16, i16),
}

/// A field's name, its numbers, and the words for them.
struct Field {
    name: &'static str,
    first: i16,
    last: i16,
    words: &'static [&'static str],
}

const MINUTE: Field = Field { name: "minutes", first: 0, last: 59, words: &[] };
const HOUR: Field = Field { name: "hours", first: 0, last: 23, words: &[] };
const DATE: Field = Field { name: "day of month", first: 1, last: 31, words: &[] };
const MONTH: Field = Field { name: "month", first: 1, last: 12, words: &MONTHS };
const WEEKDAY: Field = Field { name: "day of week", first: 1, last: 7, words: &WEEKDAYS };
const YEAR: Field = Field { name: "year", first: FIRST_YEAR, last: LAST_YEAR, words: &[] };

impl Cron {
    /// Parses what stands in the brackets. The error names the field, what is wrong and what would be right.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let fields: Vec<&str> = text.split_whitespace().collect();
        let [minutes, hours, date, month, weekday, year] = fields.as_slice() else {
            let count = fields.len();
            return Err(format!(
                "cron({text}) has {count} fields, not 6: minutes, hours, day of month, month, day of week, year"
            ));
        };
        Ok(Self {
            minutes: MINUTE.values(minutes)?,
            hours: HOUR.values(hours)?,
            days: Days::parse(date, weekday)?,
            months: MONTH.values(month)?,
            years: YEAR.values(year)?,
        })
    }

    /// The first time after `time` that the fields allow on the clocks of `zone`.
    pub(super) fn after(&self, time: Millis, zone: &TimeZone) -> Option<Millis> {
        let time = Timestamp::from_millisecond(i64::try_from(time.0).ok()?).ok()?;
        let from = zone.to_datetime(time).date();
        self.dates(from).find_map(|date| self.first_of_day(date, time, zone)).and_then(millis)
    }

    fn first_of_day(&self, date: Date, after: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        let times = self.hours.iter().flat_map(|hour| self.minutes.iter().map(move |minute| (hour, minute)));
        times.filter_map(|(hour, minute)| first_coming(at(date, hour, minute)?, zone)).find(|time| *time > after)
    }

    /// All days from `from` that the fields allow.
    fn dates(&self, from: Date) -> impl Iterator<Item = Date> {
        let years = self.years.iter().filter(move |year| *year >= from.year());
        let months = years.flat_map(|year| self.months.iter().map(move |month| (year, month)));
        let firsts = months.filter_map(|(year, month)| Date::new(year, i8::try_from(month).ok()?, 1).ok());
        let firsts = firsts.filter(move |first| first.last_of_month() >= from);
        firsts.flat_map(|first| self.days.of_month(first)).filter(move |date| *date >= from)
    }
}

fn at(date: Date, hour: i16, minute: i16) -> Option<DateTime> {
    Some(date.at(i8::try_from(hour).ok()?, i8::try_from(minute).ok()?, 0, 0))
}

/// When the clocks show this for the first time; `None` if they skip it.
fn first_coming(time: DateTime, zone: &TimeZone) -> Option<Timestamp> {
    match zone.to_ambiguous_timestamp(time).offset() {
        AmbiguousOffset::Unambiguous { offset } | AmbiguousOffset::Fold { before: offset, .. } => {
            offset.to_timestamp(time).ok()
        }
        AmbiguousOffset::Gap { .. } => None,
    }
}

impl Days {
    fn parse(date: &str, weekday: &str) -> Result<Self, String> {
        match (date, weekday) {
            ("?", "?") => Err("day of month and day of week are both \"?\": write \"*\" in one of them".to_owned()),
            (date, "?") => Self::of_date(date),
            ("?", weekday) => Self::of_weekday(weekday),
            _ => {
                Err("one of day of month and day of week must be \"?\": cron(0 8 * * ? *), cron(0 8 ? * MON *)".into())
            }
        }
    }

    fn of_date(text: &str) -> Result<Self, String> {
        if text == "L" {
            return Ok(Self::Last);
        }
        match text.strip_suffix('W') {
            Some(date) => DATE.value(date).map(Self::NearestWeekday),
            None => DATE.values(text).map(Self::Dates),
        }
    }

    fn of_weekday(text: &str) -> Result<Self, String> {
        if text == "L" {
            return Ok(Self::Weekdays(Values(vec![WEEKDAY.last])));
        }
        if let Some((day, nth)) = text.split_once('#') {
            let nth = nth.parse().ok().filter(|nth| (1..=5).contains(nth)).ok_or_else(|| {
                format!("day of week: \"{text}\" needs one day and 1 to 5 after '#': FRI#2 is the second Friday")
            })?;
            return WEEKDAY.value(day).map(|day| Self::NthWeekday(day, nth));
        }
        match text.strip_suffix('L') {
            Some(day) => WEEKDAY.value(day).map(Self::LastWeekday),
            // AWS documents no steps here.
            None if text.contains('/') => {
                Err(format!("day of week: \"{text}\" has a step: list the days, MON,WED,FRI"))
            }
            None => WEEKDAY.values(text).map(Self::Weekdays),
        }
    }

    /// The days of the month that begins with `first`.
    fn of_month(&self, first: Date) -> Vec<Date> {
        let day = |number: i16| Date::new(first.year(), first.month(), i8::try_from(number).ok()?).ok();
        let last = first.last_of_month();
        let on = |weekday: i16| (1..=31).filter_map(day).filter(move |date| number(date.weekday()) == weekday);
        match self {
            Self::Dates(dates) => dates.iter().filter_map(day).collect(),
            Self::Last => vec![last],
            Self::NearestWeekday(date) => day(*date).and_then(nearest_weekday).into_iter().collect(),
            Self::Weekdays(weekdays) => {
                (1..=31).filter_map(day).filter(|date| weekdays.0.contains(&number(date.weekday()))).collect()
            }
            Self::LastWeekday(weekday) => on(*weekday).next_back().into_iter().collect(),
            Self::NthWeekday(weekday, nth) => {
                let before = usize::try_from(nth - 1).unwrap_or_default();
                on(*weekday).nth(before).into_iter().collect()
            }
        }
    }
}

/// As AWS counts: Sunday is 1.
fn number(weekday: Weekday) -> i16 {
    i16::from(weekday.to_sunday_one_offset())
}

/// The nearest day from Monday to Friday without leaving the month.
fn nearest_weekday(date: Date) -> Option<Date> {
    let step = match date.weekday() {
        Weekday::Saturday if date.day() == 1 => 2,
        Weekday::Saturday => -1,
        Weekday::Sunday if date == date.last_of_month() => -2,
        Weekday::Sunday => 1,
        _ => 0,
    };
    date.checked_add(step.days()).ok()
}

impl Field {
    /// A list of numbers, ranges and steps.
    fn values(&self, text: &str) -> Result<Values, String> {
        let mut values = Vec::new();
        for part in text.split(',') {
            let (range, step) = match part.split_once('/') {
                None => (part, None),
                Some((range, step)) => (range, Some(self.step(part, step)?)),
            };
            let (first, last) = match (range, range.split_once('-')) {
                ("*", _) => (self.first, self.last),
                (_, Some((first, last))) => (self.value(first)?, self.value(last)?),
                (_, None) if step.is_some() => (self.value(range)?, self.last),
                (_, None) => (self.value(range)?, self.value(range)?),
            };
            if first > last {
                return Err(format!("{}: \"{range}\" ends before it begins: list its values with ','", self.name));
            }
            values.extend((first..=last).step_by(step.unwrap_or(1)));
        }
        values.sort_unstable();
        values.dedup();
        Ok(Values(values))
    }

    fn step(&self, part: &str, step: &str) -> Result<usize, String> {
        let most = usize::from(self.last.abs_diff(self.first)).max(1);
        number_of(step)
            .filter(|step| (1..=most).contains(step))
            .ok_or_else(|| format!("{}: \"{part}\" needs a whole number from 1 to {most} after '/'", self.name))
    }

    fn value(&self, text: &str) -> Result<i16, String> {
        let word = self.words.iter().position(|word| word.eq_ignore_ascii_case(text));
        let word = word.and_then(|at| i16::try_from(at).ok()).map(|at| self.first + at);
        word.or_else(|| number_of(text)).filter(|value| (self.first..=self.last).contains(value)).ok_or_else(|| {
            let Self { name, first, last, words } = self;
            let words = match words {
                [first, .., last] => format!(" or {first} to {last}"),
                _ => String::new(),
            };
            format!("{name}: \"{text}\" is not one of {first} to {last}{words}, nor a list, range or step of them")
        })
    }
}

impl Values {
    fn iter(&self) -> impl Iterator<Item = i16> {
        self.0.iter().copied()
    }
}

/// Digits only: no sign.
pub(super) fn number_of<T: FromStr>(text: &str) -> Option<T> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests;
