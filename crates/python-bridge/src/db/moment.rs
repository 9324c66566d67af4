//! Dates, times and intervals, from the ISO form that Postgres writes.

use std::str::FromStr;

use pyo3::prelude::*;
use pyo3::types::{PyDate, PyDateTime, PyDelta, PyTime, PyTzInfo};

use crate::db::errors::raise;

/// What a text is to become.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Date,
    Time,
    Timestamp,
    Interval,
}

/// Reads one. Times with an offset become aware of it.
pub(crate) fn read<'py>(py: Python<'py>, kind: Kind, text: &str) -> PyResult<Bound<'py, PyAny>> {
    let made = match kind {
        Kind::Date => date(text)
            .and_then(|(date, rest)| rest.is_empty().then_some(date))
            .map(|(year, month, day)| PyDate::new(py, year, month, day).map(Bound::into_any)),
        Kind::Time => time(text).map(|time| {
            let zone = zone(py, time.offset)?;
            // Python has no 24:00.
            PyTime::new(py, time.hour % 24, time.minute, time.second, time.microsecond, zone.as_ref())
                .map(Bound::into_any)
        }),
        Kind::Timestamp => timestamp(text).map(|((year, month, day), time)| {
            let Time { hour, minute, second, microsecond, offset } = time;
            let zone = zone(py, offset)?;
            PyDateTime::new(py, year, month, day, hour, minute, second, microsecond, zone.as_ref()).map(Bound::into_any)
        }),
        Kind::Interval => interval(text).map(|(days, seconds, microseconds)| {
            PyDelta::new(py, days, seconds, microseconds, true).map(Bound::into_any)
        }),
    };
    made.unwrap_or_else(|| Err(unfit(py, text)))
}

fn unfit(py: Python<'_>, text: &str) -> PyErr {
    let why = if text.trim_start_matches('-') == "infinity" {
        "has no end in Python"
    } else if text.ends_with(" BC") {
        "is before Python's year 1"
    } else if text.split('-').next().is_some_and(|year| year.len() > 4) {
        "is after Python's year 9999"
    } else {
        "is not in the form that is understood here: DateStyle must be ISO, IntervalStyle postgres"
    };
    raise(py, "DataError", &format!("'{text}' {why}: select it as text (::text)"))
}

fn zone(py: Python<'_>, offset: Option<i32>) -> PyResult<Option<Bound<'_, PyTzInfo>>> {
    Ok(match offset {
        None => None,
        Some(0) => Some(PyTzInfo::utc(py)?.to_owned()),
        Some(seconds) => Some(PyTzInfo::fixed_offset(py, PyDelta::new(py, 0, seconds, 0, true)?)?),
    })
}

struct Time {
    hour: u8,
    minute: u8,
    second: u8,
    microsecond: u32,
    /// East of Greenwich, in seconds.
    offset: Option<i32>,
}

fn number<T: FromStr>(text: &str) -> Option<T> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

/// Year, month and day, and what stands behind.
fn date(text: &str) -> Option<((i32, u8, u8), &str)> {
    let bytes = text.as_bytes();
    if bytes.len() < 10 || bytes[4] != b'-' || bytes[7] != b'-' {
        return None;
    }
    let date = (number(text.get(..4)?)?, number(text.get(5..7)?)?, number(text.get(8..10)?)?);
    Some((date, &text[10..]))
}

fn timestamp(text: &str) -> Option<((i32, u8, u8), Time)> {
    let (date, rest) = date(text)?;
    Some((date, time(rest.strip_prefix(' ')?)?))
}

/// `01:02:03.5+05:30`.
fn time(text: &str) -> Option<Time> {
    let length = text.find(['+', '-']).unwrap_or(text.len());
    let (clock, offset) = text.split_at(length);
    let (hour, minute, second, microsecond) = clock_time(clock)?;
    let offset = match offset {
        "" => None,
        offset => Some(seconds_east(offset)?),
    };
    Some(Time { hour: number(hour)?, minute, second, microsecond, offset })
}

/// The hours are left as they are written: those of an interval may be many.
fn clock_time(clock: &str) -> Option<(&str, u8, u8, u32)> {
    let mut parts = clock.split(':');
    let (hour, minute, second) = (parts.next()?, parts.next()?, parts.next().unwrap_or("0"));
    let (second, fraction) = second.split_once('.').unwrap_or((second, ""));
    if parts.next().is_some() || fraction.len() > 6 {
        return None;
    }
    let digits: u32 = if fraction.is_empty() { 0 } else { number(fraction)? };
    let microsecond = digits * 10u32.pow(6 - fraction.len() as u32);
    Some((hour, number(minute)?, number(second)?, microsecond))
}

/// `+02`, `-03:30`, `+00:53:28`.
fn seconds_east(offset: &str) -> Option<i32> {
    let mut seconds = 0;
    let mut unit = 3600;
    for part in offset[1..].split(':') {
        seconds += number::<i32>(part)? * unit;
        unit /= 60;
    }
    Some(if offset.starts_with('-') { -seconds } else { seconds })
}

/// `1 year 2 mons 3 days -04:05:06.7`, in days, seconds and microseconds. A month has 30 days, a year 365.
fn interval(text: &str) -> Option<(i32, i32, i32)> {
    let (mut days, mut seconds, mut microseconds) = (0i64, 0i64, 0i64);
    let mut words = text.split_ascii_whitespace();
    while let Some(word) = words.next() {
        if word.contains(':') {
            let sign = if word.starts_with('-') { -1 } else { 1 };
            let (hour, minute, second, fraction) = clock_time(word.trim_start_matches(['-', '+']))?;
            seconds = sign * (number::<i64>(hour)? * 3600 + i64::from(minute) * 60 + i64::from(second));
            microseconds = sign * i64::from(fraction);
            continue;
        }
        let count: i64 = word.parse().ok()?;
        days += count
            * match words.next()? {
                "year" | "years" => 365,
                "mon" | "mons" => 30,
                "day" | "days" => 1,
                _ => return None,
            };
    }
    days += seconds.div_euclid(86_400);
    Some((i32::try_from(days).ok()?, seconds.rem_euclid(86_400) as i32, microseconds as i32))
}
