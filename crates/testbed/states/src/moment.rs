//! Moments, in milliseconds since 1970, as Step Functions reads and writes them.

const DAY_MS: i64 = 24 * 3600 * 1000;

/// Reads RFC 3339.
pub fn parse(text: &str) -> Option<i64> {
    let (date, time) = text.split_once(['T', 't'])?;
    let mut date = date.split('-').map(digits);
    let (year, month, day) = (date.next()??, date.next()??, date.next()??);
    let offset_at = time.rfind(['Z', 'z', '+', '-'])?;
    let (time, offset) = (time.get(..offset_at)?, time.get(offset_at..)?);
    let (time, fraction) = time.split_once('.').unwrap_or((time, "0"));
    let mut time = time.split(':').map(digits);
    let (hour, minute, second) = (time.next()??, time.next()??, time.next()??);
    let right = date.next().is_none()
        && time.next().is_none()
        && (1..=12).contains(&month)
        && (1..=31).contains(&day)
        && hour < 24
        && minute < 60
        && second < 61;
    let milliseconds = digits(&format!("{fraction:0<3}").chars().take(3).collect::<String>())?;
    digits(fraction)?;
    let seconds = (hour * 60 + minute) * 60 + second - offset_seconds(offset)?;
    right.then(|| days(year, month, day) * DAY_MS + seconds * 1000 + milliseconds)
}

/// Writes RFC 3339 in UTC, to the millisecond.
pub fn text(moment: i64) -> String {
    let (year, month, day) = date(moment.div_euclid(DAY_MS));
    let rest = moment.rem_euclid(DAY_MS);
    let (hour, minute, second) = (rest / 3_600_000, rest / 60_000 % 60, rest / 1000 % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{:03}Z", rest % 1000)
}

fn digits(text: &str) -> Option<i64> {
    let right = !text.is_empty() && text.bytes().all(|each| each.is_ascii_digit());
    right.then(|| text.parse().ok()).flatten()
}

fn offset_seconds(text: &str) -> Option<i64> {
    if text.eq_ignore_ascii_case("z") {
        return Some(0);
    }
    let (sign, rest) = (if text.starts_with('-') { -1 } else { 1 }, text.get(1..)?);
    let (hours, minutes) = rest.split_once(':')?;
    Some(sign * (digits(hours)? * 60 + digits(minutes)?) * 60)
}

/// Counts the days from 1970 to a date; a year begins with March here, so that a leap day is its last.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month > 2 { year } else { year - 1 };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

fn date(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let (era, of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let march = (5 * of_year + 2) / 153;
    let month = if march < 10 { march + 3 } else { march - 9 };
    let day = of_year - (153 * march + 2) / 5 + 1;
    (year + era * 400 + i64::from(month < 3), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_read_and_written() {
        for (written, moment) in [
            ("1970-01-01T00:00:00.000Z", 0),
            ("2000-02-29T23:59:59.999Z", 951_868_799_999),
            ("2026-11-23T10:00:00.250Z", 1_795_428_000_250),
            ("1969-12-31T23:59:59.001Z", -999),
        ] {
            assert_eq!((parse(written), text(moment).as_str()), (Some(moment), written));
        }
        for same in
            ["2026-11-23T10:00:00.25Z", "2026-11-23T11:30:00.250123+01:30", "2026-11-23t05:00:00.25-05:00"]
        {
            assert_eq!(parse(same), Some(1_795_428_000_250), "{same}");
        }
        for wrong in [
            "",
            "tomorrow",
            "2026-11-23",
            "2026-11-23T10:00:00",
            "2026-13-01T00:00:00Z",
            "2026-11-23T25:00:00Z",
            "2026-11-23T10:00Z",
            "2026-11-23T10:00:00.Z",
            "2026-11-23T10:00:00+1",
        ] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }
}
