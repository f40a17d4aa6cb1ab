//! Laws of [`Schedules`].

use chela_core::schedule::{Schedule, ScheduleError, ScheduleExpression, Schedules};

fn schedule(name: &str, expression: &str) -> Schedule {
    Schedule {
        name: name.into(),
        expression: ScheduleExpression(expression.into()),
        timezone: "Europe/Berlin".into(),
        enabled: true,
    }
}

/// All schedules are listed by name, as they were put.
pub async fn schedules_are_listed_by_name(store: &dyn Schedules) {
    assert_eq!(store.list().await.unwrap(), []);
    let disabled = Schedule { enabled: false, timezone: "UTC".into(), ..schedule("b.2_x", "rate(30 minutes)") };
    let sorted = [
        schedule("a-1", "cron(0 8 * * ? *)"),
        disabled,
        schedule("c", "at(2096-12-24T18:00:00)"),
        schedule("d", "cron(0/15 8-18 ? * MON-FRI *)"),
        schedule("e", "rate(1 day)"),
    ];
    for schedule in sorted.iter().rev() {
        store.put(schedule).await.unwrap();
    }
    assert_eq!(store.list().await.unwrap(), sorted);
}

/// A schedule put again replaces the one of its name; the same twice is one.
pub async fn a_schedule_is_replaced_by_name(store: &dyn Schedules) {
    store.put(&schedule("a", "rate(30 minutes)")).await.unwrap();
    let changed = Schedule { timezone: "Asia/Tokyo".into(), ..schedule("a", "cron(0 8 * * ? *)") };
    for _ in 0..2 {
        store.put(&changed).await.unwrap();
        assert_eq!(store.list().await.unwrap(), std::slice::from_ref(&changed));
    }
}

/// A deleted schedule is gone, and deleting what is not there is no error.
pub async fn a_schedule_is_deleted_by_name(store: &dyn Schedules) {
    for name in ["a", "b"] {
        store.put(&schedule(name, "rate(30 minutes)")).await.unwrap();
    }
    for name in ["a", "a", "never"] {
        store.delete(name).await.unwrap();
    }
    assert_eq!(store.list().await.unwrap(), [schedule("b", "rate(30 minutes)")]);
}

/// A name that is not one is refused, and the refusal says which and what would do.
pub async fn a_bad_name_is_refused(store: &dyn Schedules) {
    let long = "x".repeat(65);
    for name in ["", "two words", "a/b", "é", "a:b", &long] {
        refused(store, &schedule(name, "rate(30 minutes)")).await;
    }
    store.put(&schedule(&"x".repeat(64), "rate(30 minutes)")).await.unwrap();
}

/// An expression that is not one is refused.
pub async fn a_bad_expression_is_refused(store: &dyn Schedules) {
    for expression in [
        "",
        "nonsense",
        "30 minutes",
        "rate(0 minutes)",
        "rate(-5 minutes)",
        "rate(5 fortnights)",
        "rate(5)",
        "cron(0 8 * * *)",
        "cron(0 8 * * * *)",
        "cron(60 8 * * ? *)",
        "cron(0 24 * * ? *)",
        "cron(0 8 32 * ? *)",
        "cron(0 8 ? * 8 *)",
        "cron(0 8 ? FOO MON *)",
        "at(tomorrow)",
        "at(2096-02-30T18:00:00)",
        "cron(0 8 * * ? *) and more",
    ] {
        refused(store, &schedule("daily", expression)).await;
    }
}

/// A time zone that is not one is refused.
pub async fn a_bad_timezone_is_refused(store: &dyn Schedules) {
    for timezone in ["", "Mars/Olympus", "../../etc/passwd"] {
        refused(store, &Schedule { timezone: timezone.into(), ..schedule("daily", "cron(0 8 * * ? *)") }).await;
    }
}

async fn refused(store: &dyn Schedules, schedule: &Schedule) {
    match store.put(schedule).await {
        Err(ScheduleError::Invalid { name, reason }) => {
            assert_eq!(name, schedule.name);
            assert!(reason.len() > 10, "{schedule:?}: \"{reason}\" does not say what would be right");
        }
        other => panic!("{schedule:?} must be refused: {other:?}"),
    }
    assert_eq!(store.list().await.unwrap(), [], "what was refused is not kept");
}

/// Declares one test for each law of schedules; `$make` is an `async fn() -> Subject<dyn Schedules>`.
#[macro_export]
macro_rules! schedule_laws {
    ($make:expr) => {
        $crate::law_tests!(
            schedules,
            $make,
            [
                schedules_are_listed_by_name,
                a_schedule_is_replaced_by_name,
                a_schedule_is_deleted_by_name,
                a_bad_name_is_refused,
                a_bad_expression_is_refused,
                a_bad_timezone_is_refused,
            ]
        );
    };
}
