//! Makes texts from outside fit into sentences: one line, readable, and bounded.

mod signature;

pub use signature::signature;

/// How much of a sentence is shown.
pub const LONGEST_SENTENCE: usize = 1024;

/// How much of a value is shown within a sentence.
const LONGEST_VALUE: usize = 80;

/// Makes one line of at most `most` characters.
pub fn line(text: &str, most: usize) -> String {
    cut(text.chars().map(readable), most)
}

/// Shows a value as it was written, in quotes; of a long one the beginning.
pub fn shown(value: &str) -> String {
    match value.char_indices().nth(LONGEST_VALUE) {
        Some((end, _)) => format!("{:?}...", value.get(..end).unwrap_or(value)),
        None => format!("{value:?}"),
    }
}

/// Takes a space for what breaks a line, moves a cursor, or changes how the characters around it are read.
pub fn readable(c: char) -> char {
    let hidden = matches!(c, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    if c.is_control() || hidden { ' ' } else { c }
}

/// Cuts between characters, and shows that something is missing.
pub fn cut(characters: impl Iterator<Item = char>, most: usize) -> String {
    let begun: Vec<char> = characters.take(most.saturating_add(1)).collect();
    if begun.len() <= most {
        return begun.into_iter().collect();
    }
    let kept: String = begun.into_iter().take(most.saturating_sub(3)).collect();
    format!("{}...", kept.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_longer_than_asked_and_no_character_in_two() {
        assert_eq!(line("äöü€", 4), "äöü€");
        assert_eq!(line("äöü€x", 4), "ä...");
        for most in 3..20 {
            assert!(line("die Größe zählt nicht", most).chars().count() <= most);
        }
    }

    #[test]
    fn a_line_is_one_and_reads_as_it_is_written() {
        assert_eq!(line("a\nb\u{7}c", 9), "a b c");
        assert_eq!(line("a\u{2028}b\u{202e}c\u{2066}d", 9), "a b c d");
    }

    #[test]
    fn a_value_is_shown_with_its_quotes_and_a_long_one_by_its_beginning() {
        assert_eq!(shown("a\"b\n"), r#""a\"b\n""#);
        assert_eq!(shown(&"ü".repeat(80)), format!("{:?}", "ü".repeat(80)));
        assert_eq!(shown(&"ü".repeat(81)), format!("{:?}...", "ü".repeat(80)));
    }
}
