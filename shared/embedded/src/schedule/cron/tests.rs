use super::*;

/// The next times after `from` (UTC) on the clocks of `zone`, as these clocks show them.
fn next(expression: &str, zone: &str, from: &str, count: usize) -> Vec<String> {
    let (cron, zone) = (Cron::parse(expression).unwrap(), TimeZone::get(zone).unwrap());
    let from: Timestamp = from.parse().unwrap();
    let mut time = millis(from).unwrap();
    let mut times = Vec::new();
    while times.len() < count
        && let Some(found) = cron.after(time, &zone)
    {
        assert!(found > time, "{expression} does not go forward");
        time = found;
        let shown = Timestamp::from_millisecond(i64::try_from(time.0).unwrap()).unwrap().to_zoned(zone.clone());
        times.push(shown.strftime("%Y-%m-%dT%H:%M%:z").to_string());
    }
    times
}

fn in_utc(expression: &str, expected: &[&str]) {
    let expected: Vec<String> = expected.iter().map(|time| format!("{time}+00:00")).collect();
    assert_eq!(next(expression, "UTC", "2026-01-01T00:00:00Z", expected.len()), expected, "{expression}");
}

#[test]
fn fields_are_minute_hour_date_month_weekday_year() {
    in_utc("0 8 * * ? *", &["2026-01-01T08:00", "2026-01-02T08:00"]);
    in_utc("15 10 24 12 ? *", &["2026-12-24T10:15", "2027-12-24T10:15"]);
    in_utc("15 12 ? * 3 2027", &["2027-01-05T12:15", "2027-01-12T12:15"]);
}

#[test]
fn a_time_is_not_its_own_next() {
    in_utc("0 0 * * ? *", &["2026-01-02T00:00"]);
}

#[test]
fn lists_ranges_and_steps_combine() {
    in_utc(
        "5,50,20-22 8 1 1 ? 2026",
        &["2026-01-01T08:05", "2026-01-01T08:20", "2026-01-01T08:21", "2026-01-01T08:22", "2026-01-01T08:50"],
    );
    in_utc("0/25 8 * * ? *", &["2026-01-01T08:00", "2026-01-01T08:25", "2026-01-01T08:50", "2026-01-02T08:00"]);
    in_utc("*/30 0 * * ? *", &["2026-01-01T00:30", "2026-01-02T00:00"]);
    in_utc("7/40 9-17/4 * * ? *", &["2026-01-01T09:07", "2026-01-01T09:47", "2026-01-01T13:07"]);
    in_utc("0 0 5/10 * ? *", &["2026-01-05T00:00", "2026-01-15T00:00", "2026-01-25T00:00", "2026-02-05T00:00"]);
    in_utc("0 0 1 1/6 ? 2026/3", &["2026-07-01T00:00", "2029-01-01T00:00", "2029-07-01T00:00"]);
}

#[test]
fn months_and_weekdays_have_names_in_either_case() {
    in_utc(
        "0 8 ? JAN,mar MON *",
        &["2026-01-05T08:00", "2026-01-12T08:00", "2026-01-19T08:00", "2026-01-26T08:00", "2026-03-02T08:00"],
    );
    in_utc("0 8 ? * mon-FRI *", &["2026-01-01T08:00", "2026-01-02T08:00", "2026-01-05T08:00"]);
    in_utc("0 8 ? * 2-6 *", &["2026-01-01T08:00", "2026-01-02T08:00", "2026-01-05T08:00"]);
    in_utc("0 8 ? * 1,7 *", &["2026-01-03T08:00", "2026-01-04T08:00", "2026-01-10T08:00"]);
}

#[test]
fn the_last_day() {
    in_utc("0 8 L * ? *", &["2026-01-31T08:00", "2026-02-28T08:00", "2026-03-31T08:00", "2026-04-30T08:00"]);
    in_utc("0 8 L 2 ? 2027-2028", &["2027-02-28T08:00", "2028-02-29T08:00"]);
    in_utc("0 8 ? * L *", &["2026-01-03T08:00", "2026-01-10T08:00"]);
    in_utc("0 8 ? * 6L *", &["2026-01-30T08:00", "2026-02-27T08:00"]);
    in_utc("0 8 ? * FRIL *", &["2026-01-30T08:00", "2026-02-27T08:00"]);
}

#[test]
fn the_nearest_weekday_stays_in_its_month() {
    // 2026: 1 August is a Saturday, 15 August too; 31 May is a Sunday, 15 March too; 15 January is a Thursday.
    in_utc("0 8 1W 8 ? *", &["2026-08-03T08:00"]);
    in_utc("0 8 15W 8 ? *", &["2026-08-14T08:00"]);
    in_utc("0 8 31W 5 ? *", &["2026-05-29T08:00"]);
    in_utc("0 8 15W 3 ? *", &["2026-03-16T08:00"]);
    in_utc("0 8 15W 1 ? *", &["2026-01-15T08:00"]);
    in_utc("0 8 31W 2,3 ? 2026", &["2026-03-31T08:00"]);
}

#[test]
fn the_nth_weekday_skips_months_without_one() {
    in_utc("0 8 ? * 3#2 *", &["2026-01-13T08:00", "2026-02-10T08:00"]);
    in_utc("0 8 ? * FRI#5 *", &["2026-01-30T08:00", "2026-05-29T08:00"]);
    in_utc("0 8 31 * ? *", &["2026-01-31T08:00", "2026-03-31T08:00"]);
}

#[test]
fn what_never_comes_has_no_next() {
    for expression in ["0 0 30 2 ? *", "0 0 1 1 ? 2025", "0 0 ? 2 MON#5 2026"] {
        assert!(next(expression, "UTC", "2026-01-01T00:00:00Z", 1).is_empty(), "{expression}");
    }
    assert_eq!(next("59 23 31 12 ? 2199", "UTC", "2026-01-01T00:00:00Z", 2), ["2199-12-31T23:59+00:00"]);
}

#[test]
fn a_time_that_the_clocks_skip_is_skipped() {
    let times = next("30 2 * * ? *", "Europe/Berlin", "2026-03-27T12:00:00Z", 3);
    assert_eq!(times, ["2026-03-28T02:30+01:00", "2026-03-30T02:30+02:00", "2026-03-31T02:30+02:00"]);
    let times = next("0 0/1 * * ? *", "Europe/Berlin", "2026-03-29T00:00:00Z", 3);
    assert_eq!(times, ["2026-03-29T03:00+02:00", "2026-03-29T04:00+02:00", "2026-03-29T05:00+02:00"]);
}

#[test]
fn a_time_that_comes_twice_is_taken_at_its_first_coming() {
    let times = next("30 2 * * ? *", "Europe/Berlin", "2026-10-24T12:00:00Z", 2);
    assert_eq!(times, ["2026-10-25T02:30+02:00", "2026-10-26T02:30+01:00"]);
    let times = next("0/30 * * * ? *", "Europe/Berlin", "2026-10-24T23:45:00Z", 4);
    assert_eq!(times[..2], ["2026-10-25T02:00+02:00", "2026-10-25T02:30+02:00"]);
    assert_eq!(times[2..], ["2026-10-25T03:00+01:00", "2026-10-25T03:30+01:00"]);
    // Also when the search begins within the second coming.
    let times = next("0/30 * * * ? *", "Europe/Berlin", "2026-10-25T01:10:00Z", 1);
    assert_eq!(times, ["2026-10-25T03:00+01:00"]);
}

#[test]
fn the_day_is_that_of_the_zone() {
    let times = next("0 8 * * ? *", "Asia/Tokyo", "2026-01-01T22:00:00Z", 2);
    assert_eq!(times, ["2026-01-02T08:00+09:00", "2026-01-03T08:00+09:00"]);
    let times = next("0 8 1 * ? *", "America/New_York", "2026-01-31T23:00:00Z", 1);
    assert_eq!(times, ["2026-02-01T08:00-05:00"]);
}

#[test]
fn what_is_wrong_is_named_with_its_field() {
    for (expression, field) in [
        ("0 8 * * ?", "5 fields"),
        ("0 0 8 * * ? *", "7 fields"),
        ("", "0 fields"),
        ("60 8 * * ? *", "minutes"),
        ("-1 8 * * ? *", "minutes"),
        ("+1 8 * * ? *", "minutes"),
        ("1.5 8 * * ? *", "minutes"),
        ("5-1 8 * * ? *", "minutes"),
        ("1, 8 * * ? *", "minutes"),
        ("0/0 8 * * ? *", "minutes"),
        ("0/60 8 * * ? *", "minutes"),
        ("0/x 8 * * ? *", "minutes"),
        ("? 8 * * ? *", "minutes"),
        ("99999999999 8 * * ? *", "minutes"),
        ("0 24 * * ? *", "hours"),
        ("0 JAN * * ? *", "hours"),
        ("0 8 0 * ? *", "day of month"),
        ("0 8 32 * ? *", "day of month"),
        ("0 8 32W * ? *", "day of month"),
        ("0 8 LW * ? *", "day of month"),
        ("0 8 L-3 * ? *", "day of month"),
        ("0 8 1W,15W * ? *", "day of month"),
        ("0 8 * 13 ? *", "month"),
        ("0 8 * FOO ? *", "month"),
        ("0 8 * ? ? *", "month"),
        ("0 8 ? * 0 *", "day of week"),
        ("0 8 ? * 8 *", "day of week"),
        ("0 8 ? * FRI-MON *", "day of week"),
        ("0 8 ? * 2/2 *", "day of week"),
        ("0 8 ? * FRI#6 *", "day of week"),
        ("0 8 ? * FRI#0 *", "day of week"),
        ("0 8 ? * 3#1,6#3 *", "day of week"),
        ("0 8 ? * 8L *", "day of week"),
        ("0 8 ? * MON,L *", "day of week"),
        ("0 8 * * ? 1969", "year"),
        ("0 8 * * ? 2200", "year"),
        ("0 8 * * * *", "\"?\""),
        ("0 8 1 * MON *", "\"?\""),
        ("0 8 ? * ? *", "\"?\""),
    ] {
        let error = Cron::parse(expression).map(|_| ()).expect_err(expression);
        assert!(error.contains(field), "{expression}: {error}");
    }
}
