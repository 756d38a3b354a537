//! Makes text fit where it goes.

use pipeline::rows::Failure;
use serde_json::Value;

/// Makes one line of at most `most` characters.
pub(super) fn line(text: &str, most: usize) -> String {
    cut(text.chars().map(|c| if c.is_control() { ' ' } else { c }), most)
}

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

/// Says why an item ended early; what Lambda says is JSON around the sentence.
pub(super) fn failure(failure: &Failure) -> String {
    let said = serde_json::from_str::<Value>(&failure.cause).ok();
    let sentence = said.as_ref().and_then(|said| said.get("errorMessage")).and_then(Value::as_str);
    format!("{}: {}", failure.error, sentence.unwrap_or(&failure.cause))
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

/// Cuts between characters, and shows that something is missing.
fn cut(characters: impl Iterator<Item = char>, most: usize) -> String {
    let all: Vec<char> = characters.collect();
    if all.len() <= most {
        return all.into_iter().collect();
    }
    let kept: String = all.into_iter().take(most.saturating_sub(3)).collect();
    format!("{}...", kept.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_longer_than_asked_and_no_character_in_two() {
        assert_eq!(line("äöü€", 4), "äöü€");
        assert_eq!(line("äöü€x", 4), "ä...");
        assert_eq!(line("a\nb\u{7}c", 9), "a b c");
        for most in 3..20 {
            assert!(line("die Größe zählt nicht", most).chars().count() <= most);
        }
    }

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
    fn a_failure_is_told_by_its_sentence_and_whole_if_it_has_none() {
        let told = |cause: &str| failure(&Failure { error: "Denied".to_owned(), cause: cause.to_owned() });
        assert_eq!(told(r#"{"errorMessage":"not allowed","errorType":"Denied"}"#), "Denied: not allowed");
        for cause in ["not allowed", "7", r#"{"errorType":"Denied"}"#, r#"{"errorMessage":"cut sho"#] {
            assert_eq!(told(cause), format!("Denied: {cause}"));
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
