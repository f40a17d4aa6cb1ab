//! The six fields of `cron(minutes hours day-of-month month day-of-week year)` as EventBridge Scheduler reads them:
//! <https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html#cron-based>

use jiff::civil::{Date, DateTime, Weekday};

const MONTHS: [&str; 12] = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];
const WEEKDAYS: [&str; 7] = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];

const DAY_MINUTES: u16 = 24 * 60;

/// A set of times a clock may show, to the minute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cron {
    minutes: Numbers,
    hours: Numbers,
    months: Numbers,
    years: Numbers,
    days: Days,
}

/// Numbers a field allows: ranges with a step.
type Numbers = Vec<Stepped>;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stepped {
    first: u16,
    last: u16,
    step: u16,
}

/// Which days of a month; one of the two day fields is always `?`.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Days {
    OfMonth(Vec<MonthDay>),
    OfWeek(Vec<WeekDay>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum MonthDay {
    Numbered(Stepped),
    /// `L`.
    Last,
    /// `LW`: the last day from Monday to Friday.
    LastWorkday,
    /// `15W`: the day from Monday to Friday nearest to the 15th, in the same month.
    Workday(u16),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum WeekDay {
    Numbered(Stepped),
    /// `6L`: the month's last Friday.
    Last(u16),
    /// `3#2`: the month's second Tuesday.
    Nth(u16, u16),
}

/// One field: its name and range for errors, and names that stand for numbers.
struct Field {
    name: &'static str,
    first: u16,
    last: u16,
    names: &'static [&'static str],
}

const MINUTES: Field = Field { name: "minutes", first: 0, last: 59, names: &[] };
const HOURS: Field = Field { name: "hours", first: 0, last: 23, names: &[] };
const DAYS_OF_MONTH: Field = Field { name: "day of month", first: 1, last: 31, names: &[] };
const MONTH: Field = Field { name: "month", first: 1, last: 12, names: &MONTHS };
const DAYS_OF_WEEK: Field = Field { name: "day of week", first: 1, last: 7, names: &WEEKDAYS };
const YEARS: Field = Field { name: "year", first: 1970, last: 2199, names: &[] };

impl Cron {
    /// Reads the six fields.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let fields: Vec<&str> = text.split_ascii_whitespace().collect();
        let [minutes, hours, day_of_month, month, day_of_week, year] = fields[..] else {
            return Err(format!("cron has six fields, not {}; write cron(0 8 * * ? *)", fields.len()));
        };
        let days = match (day_of_month, day_of_week) {
            ("?", "?") => Err("only one of the two day fields may be '?'".to_owned()),
            (days, "?") => days.split(',').map(month_day).collect::<Result<_, _>>().map(Days::OfMonth),
            ("?", days) => days.split(',').map(week_day).collect::<Result<_, _>>().map(Days::OfWeek),
            _ => Err("day of month and day of week exclude each other: write '?' in one of them".to_owned()),
        }?;
        Ok(Self {
            minutes: MINUTES.numbers(minutes)?,
            hours: HOURS.numbers(hours)?,
            months: MONTH.numbers(month)?,
            years: YEARS.numbers(year)?,
            days,
        })
    }

    /// Whether it fires at some time of this day.
    pub fn fires_on(&self, date: Date) -> bool {
        let (year, month) = (date.year().unsigned_abs(), u16::from(date.month().unsigned_abs()));
        let day = match &self.days {
            Days::OfMonth(days) => days.iter().any(|day| day.matches(date)),
            Days::OfWeek(days) => days.iter().any(|day| day.matches(date)),
        };
        day && contains(&self.years, year) && contains(&self.months, month)
    }

    /// Least minutes between two of its times: as if every day were one of its days, so that it may be farther.
    pub fn least_gap(&self) -> u16 {
        let day = |hours: &Numbers, minutes: &Numbers| -> Vec<u16> {
            let hours = (0..24).filter(|hour| contains(hours, *hour));
            let times = hours.flat_map(|hour| {
                (0..60).filter(|minute| contains(minutes, *minute)).map(move |minute| hour * 60 + minute)
            });
            times.collect()
        };
        let times = day(&self.hours, &self.minutes);
        let next = times.iter().skip(1).copied().chain(times.first().map(|first| first.saturating_add(DAY_MINUTES)));
        times.iter().zip(next).map(|(time, next)| next.saturating_sub(*time)).min().unwrap_or(DAY_MINUTES)
    }

    /// Whether it fires in the minute this time lies in.
    pub fn fires_at(&self, time: DateTime) -> bool {
        contains(&self.minutes, u16::from(time.minute().unsigned_abs()))
            && contains(&self.hours, u16::from(time.hour().unsigned_abs()))
            && self.fires_on(time.date())
    }
}

impl Field {
    fn numbers(&self, text: &str) -> Result<Numbers, String> {
        text.split(',').map(|part| self.stepped(part)).collect()
    }

    /// `*`, `5`, `1-5`, `*/2`, `5/10`, `1-30/5`.
    fn stepped(&self, part: &str) -> Result<Stepped, String> {
        let (range, step) = match part.split_once('/') {
            Some((range, step)) => (range, Some(step)),
            None => (part, None),
        };
        let (first, last) = match range.split_once('-') {
            _ if range == "*" => (self.first, self.last),
            Some((first, last)) => (self.number(first)?, self.number(last)?),
            None => {
                let first = self.number(range)?;
                (first, if step.is_some() { self.last } else { first })
            }
        };
        let step = match step {
            None => 1,
            Some(step) => digits(step).filter(|step| *step > 0).ok_or_else(|| self.wrong(part))?,
        };
        if first > last {
            return Err(self.wrong(part));
        }
        Ok(Stepped { first, last, step })
    }

    fn number(&self, text: &str) -> Result<u16, String> {
        let named = self.names.iter().zip(self.first..).find(|(name, _)| name.eq_ignore_ascii_case(text));
        named
            .map(|(_, number)| number)
            .or_else(|| digits(text))
            .filter(|number| (self.first..=self.last).contains(number))
            .ok_or_else(|| self.wrong(text))
    }

    fn wrong(&self, part: &str) -> String {
        let Self { name, first, last, .. } = self;
        format!("\"{part}\" is not a {name}; write numbers from {first} to {last}, '*', ranges such as {first}-{last}")
    }
}

fn digits(text: &str) -> Option<u16> {
    if text.bytes().all(|b| b.is_ascii_digit()) { text.parse().ok() } else { None }
}

fn contains(numbers: &[Stepped], number: u16) -> bool {
    numbers.iter().any(|range| range.contains(number))
}

impl Stepped {
    fn contains(self, number: u16) -> bool {
        let Self { first, last, step } = self;
        (first..=last).contains(&number) && number.saturating_sub(first).is_multiple_of(step)
    }
}

fn month_day(part: &str) -> Result<MonthDay, String> {
    match (part, part.strip_suffix('W')) {
        ("L", _) => Ok(MonthDay::Last),
        ("LW", _) => Ok(MonthDay::LastWorkday),
        (_, Some(day)) => DAYS_OF_MONTH.number(day).map(MonthDay::Workday),
        _ => DAYS_OF_MONTH.stepped(part).map(MonthDay::Numbered),
    }
}

fn week_day(part: &str) -> Result<WeekDay, String> {
    match (part.strip_suffix('L'), part.split_once('#')) {
        // Alone it is the last day of the week.
        (Some(""), _) => DAYS_OF_WEEK.stepped("7").map(WeekDay::Numbered),
        (Some(day), _) => DAYS_OF_WEEK.number(day).map(WeekDay::Last),
        (_, Some((day, nth))) => {
            let nth = digits(nth).filter(|nth| (1..=5).contains(nth)).ok_or_else(|| DAYS_OF_WEEK.wrong(part))?;
            Ok(WeekDay::Nth(DAYS_OF_WEEK.number(day)?, nth))
        }
        _ => DAYS_OF_WEEK.stepped(part).map(WeekDay::Numbered),
    }
}

impl MonthDay {
    fn matches(self, date: Date) -> bool {
        let day = u16::from(date.day().unsigned_abs());
        let last = u16::from(date.days_in_month().unsigned_abs());
        match self {
            Self::Numbered(days) => days.contains(day),
            Self::Last => day == last,
            Self::LastWorkday => nearest_workday(date.last_of_month()) == Some(date),
            Self::Workday(wanted) if wanted <= last => {
                let offset = i64::from(wanted).saturating_sub(i64::from(day));
                let target = date.checked_add(jiff::Span::new().days(offset)).ok();
                target.and_then(nearest_workday) == Some(date)
            }
            Self::Workday(_) => false,
        }
    }
}

/// The day from Monday to Friday nearest to `date`, in the same month.
fn nearest_workday(date: Date) -> Option<Date> {
    let nearest = match date.weekday() {
        Weekday::Saturday if date.day() == 1 => nth_day_after(date, 2),
        Weekday::Saturday => date.yesterday().ok(),
        Weekday::Sunday if date == date.last_of_month() => nth_day_after(date, -2),
        Weekday::Sunday => date.tomorrow().ok(),
        _ => Some(date),
    };
    nearest.filter(|nearest| nearest.month() == date.month())
}

fn nth_day_after(date: Date, days: i64) -> Option<Date> {
    date.checked_add(jiff::Span::new().days(days)).ok()
}

impl WeekDay {
    fn matches(self, date: Date) -> bool {
        let weekday = u16::from(date.weekday().to_sunday_one_offset().unsigned_abs());
        let day = u16::from(date.day().unsigned_abs());
        let last = u16::from(date.days_in_month().unsigned_abs());
        match self {
            Self::Numbered(days) => days.contains(weekday),
            Self::Last(wanted) => weekday == wanted && day.saturating_add(7) > last,
            Self::Nth(wanted, nth) => weekday == wanted && day.div_ceil(7) == nth,
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    fn fires(fields: &str, from: Date, days: i64) -> Vec<String> {
        let cron = Cron::parse(fields).unwrap();
        let all = (0..days).map(|n| nth_day_after(from, n).unwrap());
        all.filter(|date| cron.fires_on(*date)).map(|date| date.to_string()).collect()
    }

    #[test]
    fn minutes_and_hours_are_lists_ranges_and_steps() {
        let cron = Cron::parse("0/15,59 8-18/2 * * ? *").unwrap();
        let day = date(2026, 11, 21);
        let fires: Vec<_> = (0..24)
            .flat_map(|hour| (0..60).map(move |minute| day.at(hour, minute, 30, 0)))
            .filter(|time| cron.fires_at(*time))
            .map(|time| (time.hour(), time.minute()))
            .collect();
        let expected: Vec<_> =
            [8, 10, 12, 14, 16, 18].into_iter().flat_map(|h| [0, 15, 30, 45, 59].map(|m| (h, m))).collect();
        assert_eq!(fires, expected);
    }

    #[test]
    fn the_least_gap_goes_over_midnight_too() {
        for (fields, gap) in [
            ("* * * * ? *", 1),
            ("0/15 * * * ? *", 15),
            ("0,59 * * * ? *", 1),
            ("0,30 8 * * ? *", 30),
            ("0 8 * * ? *", 24 * 60),
            ("0 8,20 * * ? *", 12 * 60),
            ("58 0,23 * * ? *", 60),
            ("0/7 * 1 1 ? 2030", 4),
        ] {
            assert_eq!(Cron::parse(fields).unwrap().least_gap(), gap, "{fields}");
        }
    }

    #[test]
    fn days_of_the_month() {
        let may = date(2026, 5, 1);
        assert_eq!(fires("0 8 1,15 * ? *", may, 31), ["2026-05-01", "2026-05-15"]);
        assert_eq!(fires("0 8 L FEB ? *", date(2028, 1, 1), 366), ["2028-02-29"]);
        // 31 May 2026 is a Sunday, 16 May 2026 a Saturday, 17 May a Sunday, 1 August a Saturday.
        assert_eq!(fires("0 8 LW * ? *", may, 31), ["2026-05-29"]);
        assert_eq!(fires("0 8 31W * ? *", may, 31), ["2026-05-29"]);
        assert_eq!(fires("0 8 16W * ? *", may, 31), ["2026-05-15"]);
        assert_eq!(fires("0 8 17W * ? *", may, 31), ["2026-05-18"]);
        assert_eq!(fires("0 8 1W 8 ? *", date(2026, 8, 1), 31), ["2026-08-03"]);
        assert_eq!(fires("0 8 31W 2 ? *", date(2026, 2, 1), 28), Vec::<String>::new());
    }

    #[test]
    fn days_of_the_week() {
        let november = date(2026, 11, 1);
        let fridays = ["2026-11-06", "2026-11-13", "2026-11-20", "2026-11-27"];
        assert_eq!(fires("0 8 ? * 6 *", november, 30), fridays);
        assert_eq!(fires("0 8 ? * fri *", november, 30), fridays);
        assert_eq!(fires("0 8 ? * 6L *", november, 30), ["2026-11-27"]);
        assert_eq!(fires("0 8 ? * FRIL *", november, 30), ["2026-11-27"]);
        assert_eq!(fires("0 8 ? * 3#2 *", november, 30), ["2026-11-10"]);
        assert_eq!(fires("0 8 ? * L *", november, 10), ["2026-11-07"]);
        assert_eq!(fires("0 8 ? * MON-FRI *", november, 8), fires("0 8 ? * 2-6 *", november, 8));
        assert_eq!(fires("0 8 ? * MON-FRI *", november, 8).len(), 5);
    }

    #[test]
    fn months_and_years() {
        assert_eq!(fires("0 8 1 JAN,7 ? 2027", date(2026, 1, 1), 1000), ["2027-01-01", "2027-07-01"]);
    }

    #[test]
    fn what_the_service_would_refuse_is_refused() {
        for fields in [
            "",
            "0 8 * * ?",
            "0 8 * * * *",
            "0 8 ? * ? *",
            "60 8 * * ? *",
            "0 24 * * ? *",
            "0 8 0 * ? *",
            "0 8 32 * ? *",
            "0 8 * 13 ? *",
            "0 8 ? * 8 *",
            "0 8 ? * MON#6 *",
            "0 8 ? FOO MON *",
            "0 8 * * ? 1969",
            "0 8 * * ? 2200",
            "5-1 8 * * ? *",
            "*/0 8 * * ? *",
            "+5 8 * * ? *",
            ", 8 * * ? *",
            "0 8 W * ? *",
        ] {
            assert!(Cron::parse(fields).is_err(), "{fields}");
        }
    }
}
