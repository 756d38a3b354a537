//! Makes text fit where it goes.

use pipeline::rows::Failure;
use pipeline::text::cut;
use serde_json::Value;

/// Makes one line of printable ASCII, as SNS wants a subject.
pub(super) fn ascii(text: &str, most: usize) -> String {
    cut(text.chars().map(|c| if c == ' ' || c.is_ascii_graphic() { c } else { '?' }), most)
}

/// Makes one line out of the characters that cost one place in an SMS.
///
/// A single other character would make the whole message one of 70 places.
pub(super) fn gsm(text: &str, most: usize) -> String {
    let plain = text.chars().map(|c| match c {
        '[' | '{' => '(',
        ']' | '}' => ')',
        '`' => '\'',
        c if c == ' ' || c.is_ascii_alphanumeric() || "!\"#$%&'()*+,-./:;<=>?@_".contains(c) => c,
        c if c.is_whitespace() => ' ',
        _ => '?',
    });
    cut(plain, most)
}

/// Shortens a name in its middle, where the fewest differ.
pub(super) fn name(name: &str, most: usize) -> String {
    let count = name.chars().count();
    if count <= most {
        return name.to_owned();
    }
    let kept = most.saturating_sub(2);
    let (front, back) = (kept.div_ceil(2), kept / 2);
    let end: String = name.chars().skip(count - back).collect();
    format!("{}..{end}", name.chars().take(front).collect::<String>())
}

/// Says why an item ended early; what Lambda says is JSON around the sentence.
pub(super) fn failure(failure: &Failure) -> String {
    let said = serde_json::from_str::<Value>(&failure.cause).ok();
    let sentence = said.as_ref().and_then(|said| said.get("errorMessage")).and_then(Value::as_str);
    format!("{}: {}", failure.error, sentence.unwrap_or(&failure.cause))
}

/// Returns as many of some lines as there is room for: so many, and so many bytes as they stand in JSON.
pub(crate) fn first(lines: impl Iterator<Item = String>, most: usize, most_bytes: usize) -> Vec<String> {
    let mut bytes = 0;
    let fits = |line: &String| {
        bytes += Value::from(line.as_str()).to_string().len();
        bytes <= most_bytes
    };
    lines.take(most).take_while(fits).collect()
}

/// Writes a length of time for people.
pub(super) fn duration(seconds: i64) -> String {
    let seconds = seconds.max(0);
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, s) => format!("{s} s"),
        (0, m, s) => format!("{m} min {s} s"),
        (h, m, _) => format!("{h} h {m} min"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subject_is_printable_ascii() {
        assert_eq!(ascii("Größe\r\nBcc: x", 99), "Gr??e??Bcc: x");
        assert_eq!(ascii(&"n".repeat(100), 99).len(), 99);
    }

    #[test]
    fn an_sms_has_no_character_that_costs_more_than_one_place() {
        assert_eq!(gsm("[a] {b} `c` d^e~f\\g|h€ü\n", 160), "(a) (b) 'c' d?e?f?g?h?? ");
        assert_eq!(gsm(&"n".repeat(161), 160).len(), 160);
    }

    #[test]
    fn a_name_is_shortened_in_its_middle() {
        assert_eq!(
            [name("users", 5), name("customers", 6), name("customers", 7)],
            ["users", "cu..rs", "cus..rs"]
        );
        assert_eq!(name("größenwahn", 8).chars().count(), 8);
    }

    #[test]
    fn a_failure_is_told_by_its_sentence_and_whole_if_it_has_none() {
        let told = |cause: &str| failure(&Failure { error: "Denied".to_owned(), cause: cause.to_owned() });
        assert_eq!(told(r#"{"errorMessage":"not allowed","errorType":"Denied"}"#), "Denied: not allowed");
        for cause in ["not allowed", "7", r#"{"errorType":"Denied"}"#, r#"{"errorMessage":"cut sho"#] {
            assert_eq!(told(cause), format!("Denied: {cause}"));
        }
    }

    #[test]
    fn the_first_lines_that_fit_are_kept() {
        let lines = || ["ab", "\"\"", "c"].map(str::to_owned).into_iter();
        for (most, bytes, kept) in [(9, 99, 3), (2, 99, 2), (9, 13, 3), (9, 12, 2), (9, 9, 1), (9, 3, 0)] {
            assert_eq!(first(lines(), most, bytes).len(), kept, "{most} {bytes}");
        }
    }

    #[test]
    fn durations_are_short() {
        assert_eq!(
            [0, 59, 60, 310, 3600, 90_061].map(duration),
            ["0 s", "59 s", "1 min 0 s", "5 min 10 s", "1 h 0 min", "25 h 1 min"]
        );
        assert_eq!(duration(-5), "0 s");
    }
}
