//! What stays the same of a line of a log from one time to the next.

use serde_json::Value;

use super::{cut, readable};

/// What stands for everything that is taken out.
const TAKEN: char = '#';

/// How much of a signature is kept: whatever follows does not tell two lines apart.
const LONGEST: usize = 400;

/// The shape of a UUID.
const UUID: &str = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";

/// The shortest run of digits and the letters of hex that is taken out whole.
const SHORTEST_HEX: usize = 4;

/// Takes numbers, hex, UUIDs and quoted text out of a line: two lines that a program writes at the same place come to
/// the same.
///
/// A line that is JSON is read by its fields, and the text after `=` as the value of a field: what is quoted there is
/// most of what the line says.
pub fn signature(line: &str) -> String {
    let whole = match serde_json::from_str(line.trim()) {
        Ok(fields @ Value::Object(_)) => of_json(&fields),
        _ => of_text(line),
    };
    cut(whole.chars(), LONGEST)
}

fn of_json(value: &Value) -> String {
    match value {
        Value::String(text) => of_text(text),
        Value::Number(_) => TAKEN.to_string(),
        Value::Array(all) => all.iter().map(of_json).collect::<Vec<_>>().join(" "),
        Value::Object(fields) => {
            let fields = fields.iter().map(|(name, value)| format!("{}={}", of_text(name), of_json(value)));
            fields.collect::<Vec<_>>().join(" ")
        }
        Value::Bool(_) | Value::Null => value.to_string(),
    }
}

fn of_text(text: &str) -> String {
    let text: String = text.chars().map(readable).collect();
    let unquoted = without_quoted(&text);
    let words = unquoted.split_whitespace().map(of_word);
    words.collect::<Vec<_>>().join(" ")
}

/// Takes out what stands between two quotes of one kind, but for the values of fields.
fn without_quoted(text: &str) -> String {
    let (mut kept, mut rest, mut before) = (String::new(), text, ' ');
    while let Some(first) = rest.chars().next() {
        let after = rest.get(first.len_utf8()..).unwrap_or_default();
        match quoted(first, before, after) {
            Some((inner, behind)) => {
                if before == '=' {
                    kept.push_str(inner)
                } else {
                    kept.push(TAKEN)
                }
                (rest, before) = (behind, first);
            }
            None => {
                kept.push(first);
                (rest, before) = (after, first);
            }
        }
    }
    kept
}

/// Returns what a quote opens, and what is behind its end; none if it is an apostrophe, or does not end.
fn quoted(quote: char, before: char, after: &str) -> Option<(&str, &str)> {
    if !['"', '\'', '`'].contains(&quote) || (quote == '\'' && before.is_alphanumeric()) {
        return None;
    }
    let mut escaped = false;
    let end = after.char_indices().find(|(at, c)| {
        let is_escaped = escaped;
        escaped = *c == '\\' && !is_escaped;
        let next = after.get(at + c.len_utf8()..).and_then(|rest| rest.chars().next());
        let is_apostrophe = quote == '\'' && next.is_some_and(char::is_alphanumeric);
        *c == quote && !is_escaped && !is_apostrophe
    });
    let (end, _) = end?;
    Some((after.get(..end)?, after.get(end + quote.len_utf8()..)?))
}

/// Takes numbers, hex and UUIDs out of a word.
fn of_word(word: &str) -> String {
    let (mut kept, word) = (String::new(), without_uuids(word));
    for piece in word.split_inclusive(|c: char| !c.is_ascii_alphanumeric()) {
        let run = piece.trim_end_matches(|c: char| !c.is_ascii_alphanumeric());
        let behind = piece.get(run.len()..).unwrap_or_default();
        push(&mut kept, run);
        kept.push_str(behind);
    }
    joined(&kept)
}

/// Takes UUIDs out of a word: a part of one may be of letters alone.
fn without_uuids(word: &str) -> String {
    let (mut kept, mut rest) = (String::new(), word);
    while let Some(first) = rest.chars().next() {
        if rest.get(..UUID.len()).is_some_and(is_uuid) {
            kept.push(TAKEN);
            rest = rest.get(UUID.len()..).unwrap_or_default();
        } else {
            kept.push(first);
            rest = rest.get(first.len_utf8()..).unwrap_or_default();
        }
    }
    kept
}

fn is_uuid(text: &str) -> bool {
    let alike = |(c, wanted): (char, char)| if wanted == '-' { c == '-' } else { c.is_ascii_hexdigit() };
    text.len() == UUID.len() && text.chars().zip(UUID.chars()).all(alike)
}

/// Adds a run of letters and digits: all of it, or what is left of it.
fn push(kept: &mut String, run: &str) {
    let has_digit = run.contains(|c: char| c.is_ascii_digit());
    let is_hex = run.len() >= SHORTEST_HEX && run.chars().all(|c| c.is_ascii_hexdigit());
    let is_marked = run.strip_prefix("0x").is_some_and(|hex| hex.chars().all(|c| c.is_ascii_hexdigit()));
    if has_digit && (is_hex || is_marked) {
        kept.push(TAKEN);
        return;
    }
    for c in run.chars() {
        match c.is_ascii_digit() {
            true if kept.ends_with(TAKEN) => {}
            true => kept.push(TAKEN),
            false => kept.push(c),
        }
    }
}

/// Makes one of what belongs to one number, address, time or UUID, so that its length does not matter.
fn joined(word: &str) -> String {
    let mut kept: Vec<char> = Vec::new();
    for c in word.chars() {
        let joins = c == TAKEN && kept.len() >= 2 && kept.get(kept.len() - 2) == Some(&TAKEN);
        match kept.last() {
            Some('.' | ',' | ':' | '-') if joins => drop(kept.pop()),
            Some(&TAKEN) if c == TAKEN => {}
            _ => kept.push(c),
        }
    }
    kept.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_from_time_to_time_is_taken_out() {
        for (line, expected) in [
            ("took 1.5 s, 1,024 bytes", "took # s, # bytes"),
            ("ERROR 2026-11-24T10:00:00.123Z worker7 gave up", "ERROR #T#Z worker# gave up"),
            ("order 550e8400-e29b-41d4-a716-446655440000 lost", "order # lost"),
            ("(abcdefab-abcd-abcd-abcd-abcdefabcdef)", "(#)"),
            ("at 0x7ffe12 in deadbeef01 by facade", "at # in # by facade"),
            ("no connection to 10.0.0.7:8080", "no connection to #"),
            ("user \"anna\" is not 'known' to `x`", "user # is not # to #"),
            (r#"said "a \" b" twice"#, "said # twice"),
            ("can't open it, won't try", "can't open it, won't try"),
            ("it is 6\" long", "it is #\" long"),
            ("thread 'main' panicked at src/main.rs:42:9:", "thread # panicked at src/main.rs:#:"),
            ("  two   spaces\tand a tab ", "two spaces and a tab"),
            ("", ""),
        ] {
            assert_eq!(signature(line), expected, "{line}");
        }
    }

    #[test]
    fn fields_are_told_apart_by_what_they_say() {
        let lost =
            r#"{"level":"error","at":"2026-11-24T10:00:00Z","message":"connection 5 lost","port":5432}"#;
        assert_eq!(signature(lost), "at=#T#Z level=error message=connection # lost port=#");
        assert_eq!(signature(lost), signature(&lost.replace("connection 5", "connection 61")));
        assert_ne!(signature(lost), signature(&lost.replace("lost", "refused")));
        let logfmt = r#"level=error msg="disk 3 full" took=5ms"#;
        assert_eq!(signature(logfmt), "level=error msg=disk # full took=#ms");
        assert_eq!(signature(r#"{"a":[1,{"b":null}],"c":true}"#), "a=# b=null c=true");
        assert_eq!(signature(r#"["a"]"#), "[#]", "no object");
    }

    #[test]
    fn a_signature_is_short_readable_and_its_own_signature() {
        let long = format!("ERROR {}", "é\u{1b}[31m7 ".repeat(4000));
        let short = signature(&long);
        assert!(short.chars().count() <= LONGEST && !short.contains('\u{1b}'), "{short}");
        for line in ["a 1-2-3", "x=\"y\" 'z'", "0x", "#5", "1.2.3.4,5:6", "\u{202e}12", "'", "\"\\"] {
            let once = signature(line);
            assert_eq!(signature(&once), once, "{line}");
        }
    }
}
