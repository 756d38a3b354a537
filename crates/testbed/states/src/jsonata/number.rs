//! Numbers as JavaScript has them.

use serde_json::{Number, Value};

/// Up to here, whole numbers are exact.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// Reads decimal digits, a fraction and an exponent, with leading zeros if need be; nothing if they make no number.
pub fn parse(text: &str) -> Option<f64> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let (digits, exponent) = match digits.split_once(['e', 'E']) {
        Some((digits, exponent)) => (digits, Some(exponent.strip_prefix(['+', '-']).unwrap_or(exponent))),
        None => (digits, None),
    };
    let (whole, fraction) = match digits.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (digits, None),
    };
    let all = |part: &str| !part.is_empty() && part.bytes().all(|each| each.is_ascii_digit());
    let right = all(whole) && fraction.is_none_or(all) && exponent.is_none_or(all);
    right.then(|| text.parse().ok()).flatten().filter(|number: &f64| number.is_finite())
}

/// Reads digits behind a prefix that names their base.
pub fn parse_prefixed(text: &str) -> Option<f64> {
    let bases = [("0x", 16), ("0X", 16), ("0o", 8), ("0O", 8), ("0b", 2), ("0B", 2)];
    let (digits, base) =
        bases.into_iter().find_map(|(prefix, base)| Some((text.strip_prefix(prefix)?, base)))?;
    let digits = Some(digits).filter(|digits| !digits.starts_with('+'))?;
    u64::from_str_radix(digits, base).ok().map(|number| number as f64)
}

/// Makes a value of a number; nothing if it is not finite.
pub fn value(number: f64) -> Option<Value> {
    if number.fract() == 0.0 && number.abs() < EXACT {
        return Some(Value::from(number as i64));
    }
    Number::from_f64(number).map(Value::Number)
}

/// Writes a number as JavaScript does, after it was cut to the 15 digits that JSONata shows.
pub fn text(number: f64) -> String {
    let number: f64 = format!("{number:.14e}").parse().unwrap_or(number);
    if number == 0.0 {
        return "0".to_owned();
    }
    if (1e-6..1e21).contains(&number.abs()) {
        return number.to_string();
    }
    let text = format!("{number:e}");
    if text.contains("e-") { text } else { text.replace('e', "e+") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_javascript_writes_them() {
        for (number, written) in [
            (0.0, "0"),
            (-0.0, "0"),
            (3.0, "3"),
            (-1.5, "-1.5"),
            (0.1 + 0.2, "0.3"),
            (1e20, "100000000000000000000"),
            (1e21, "1e+21"),
            (1.5e-7, "1.5e-7"),
            (0.000_001, "0.000001"),
        ] {
            assert_eq!(text(number), written);
        }
    }
}
