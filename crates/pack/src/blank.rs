//! Keeps secrets out of text that leaves: in whatever way they are written there.

use std::collections::BTreeSet;

/// What stands in place of a secret.
const BLANK: &str = "***";

/// The shortest secret: a shorter one would be found everywhere.
pub const SHORTEST: usize = 4;

/// The two alphabets of base64.
const STANDARD: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const URL_SAFE: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// A secret.  It cannot be shown.
#[derive(Clone)]
pub struct Secret {
    value: String,
    forms: Vec<Form>,
}

/// A way to write a secret.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Form {
    text: Vec<char>,
    /// Whether a character before it, or after it, holds a part of the secret, too.
    before: bool,
    after: bool,
}

impl Secret {
    /// Takes a secret; none if it is too short to be found.
    pub fn new(value: impl Into<String>) -> Option<Self> {
        let value = value.into();
        if value.chars().count() < SHORTEST {
            return None;
        }
        let hex: String = value.bytes().map(|byte| format!("{byte:02x}")).collect();
        let whole = |text: &str| Form { text: text.chars().collect(), before: false, after: false };
        let mut forms = BTreeSet::from([whole(&value), whole(&hex), whole(&hex.to_uppercase())]);
        for (alphabet, shift) in
            [STANDARD, URL_SAFE].into_iter().flat_map(|one| [0, 1, 2].map(|shift| (one, shift)))
        {
            forms.insert(base64(value.as_bytes(), alphabet, shift));
        }
        Some(Secret { value, forms: forms.into_iter().collect() })
    }

    /// Returns the secret itself, to send it.
    pub fn value(&self) -> &str {
        &self.value
    }
}

/// Returns how the bytes are written within the base64 of something longer, which has `shift` bytes before them.
fn base64(bytes: &[u8], alphabet: &str, shift: usize) -> Form {
    let alphabet: Vec<char> = alphabet.chars().collect();
    let bits: Vec<bool> =
        bytes.iter().flat_map(|byte| (0..8).rev().map(move |bit| byte >> bit & 1 == 1)).collect();
    // The first and the last character may be shared with what stands around.
    let skipped = (6 - shift * 8 % 6) % 6;
    let whole = bits.get(skipped..).unwrap_or_default();
    let chunks = whole.chunks_exact(6);
    let after = !chunks.remainder().is_empty();
    let letters = chunks.filter_map(|six| {
        let index = six.iter().fold(0, |index, bit| index * 2 + usize::from(*bit));
        alphabet.get(index).copied()
    });
    Form { text: letters.collect(), before: skipped > 0, after }
}

/// Blanks secrets: as they are, percent-encoded, in base64 and in hexadecimal, and as JSON and HTML escape them.
pub fn blank(text: &str, secrets: &[Secret]) -> String {
    let forms: Vec<&Form> = secrets.iter().flat_map(|secret| &secret.forms).collect();
    let (mut shown, mut rest) = (String::new(), text);
    while let Some(first) = rest.chars().next() {
        let found = forms.iter().filter_map(|form| {
            let length = written(rest, &form.text)?;
            Some((length, *form))
        });
        let Some((length, form)) = found.max_by_key(|(length, _)| *length) else {
            shown.push(first);
            rest = rest.get(first.len_utf8()..).unwrap_or_default();
            continue;
        };
        if form.before && shown.ends_with(is_base64) {
            shown.pop();
        }
        shown += BLANK;
        rest = rest.get(length..).unwrap_or_default();
        if form.after {
            rest = rest.strip_prefix(is_base64).unwrap_or(rest);
        }
    }
    shown
}

fn is_base64(c: char) -> bool {
    c.is_ascii_alphanumeric() || "+/-_".contains(c)
}

/// Returns how long a text is at the start of another one, in which each character may be escaped.
fn written(text: &str, secret: &[char]) -> Option<usize> {
    let mut rest = text;
    for (at, wanted) in secret.iter().enumerate() {
        rest = match (rest.strip_prefix(*wanted), escaped(rest, *wanted)) {
            // An escape can begin with the very character that it stands for.
            (Some(plain), Some(escaped)) => {
                if let Some(length) = written(escaped, secret.get(at + 1..).unwrap_or_default()) {
                    return Some(text.len() - escaped.len() + length);
                }
                plain
            }
            (plain, escaped) => plain.or(escaped)?,
        };
    }
    Some(text.len() - rest.len())
}

/// Takes one character off that is escaped.
fn escaped(text: &str, wanted: char) -> Option<&str> {
    match text.chars().next()? {
        '+' if wanted == ' ' => text.strip_prefix('+'),
        '%' => percent(text, wanted),
        '&' => html(text, wanted),
        '\\' => json(text, wanted),
        _ => None,
    }
}

fn percent(text: &str, wanted: char) -> Option<&str> {
    let mut bytes = [0; 4];
    let mut rest = text;
    for byte in wanted.encode_utf8(&mut bytes).bytes() {
        let digits = rest.strip_prefix('%')?.get(..2)?;
        u8::from_str_radix(digits, 16).ok().filter(|found| *found == byte)?;
        rest = rest.get(3..)?;
    }
    Some(rest)
}

fn html(text: &str, wanted: char) -> Option<&str> {
    let (name, rest) = text.strip_prefix('&')?.split_once(';').filter(|(name, _)| name.len() <= 10)?;
    let number = name.strip_prefix('#').and_then(|number| match number.strip_prefix(['x', 'X']) {
        Some(hex) => u32::from_str_radix(hex, 16).ok(),
        None => number.parse().ok(),
    });
    let found = match name {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        "nbsp" => Some('\u{a0}'),
        _ => char::from_u32(number?),
    };
    (found == Some(wanted)).then_some(rest)
}

fn json(text: &str, wanted: char) -> Option<&str> {
    let after = text.strip_prefix('\\')?;
    let short = match wanted {
        '"' | '\\' | '/' | '\'' => Some(wanted),
        '\n' => Some('n'),
        '\r' => Some('r'),
        '\t' => Some('t'),
        '\u{8}' => Some('b'),
        '\u{c}' => Some('f'),
        _ => None,
    };
    if let Some(rest) = short.and_then(|short| after.strip_prefix(short)) {
        return Some(rest);
    }
    let mut units = [0; 2];
    let mut rest = text;
    for unit in wanted.encode_utf16(&mut units) {
        let digits = rest.strip_prefix("\\u")?.get(..4)?;
        u16::from_str_radix(digits, 16).ok().filter(|found| found == unit)?;
        rest = rest.get(6..)?;
    }
    Some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn blanked(secret: &str, text: &str) -> String {
        blank(text, &[Secret::new(secret).unwrap()])
    }

    fn encoded(text: &str, alphabet: &str, padded: bool) -> String {
        let alphabet: Vec<char> = alphabet.chars().collect();
        let mut out = String::new();
        for three in text.as_bytes().chunks(3) {
            let bits =
                three.iter().fold(0u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - three.len()));
            out.extend((0..=three.len()).map(|n| alphabet[(bits >> (18 - 6 * n) & 63) as usize]));
            out.extend(padded.then_some("=".repeat(3 - three.len())));
        }
        out
    }

    const SECRET: &str = "s3/cr+t ü\"<&'>";

    #[test]
    fn a_secret_is_found_in_each_way_to_write_it() {
        for (way, text) in [
            ("plain", SECRET),
            ("percent", "s3%2Fcr%2Bt%20%C3%BC%22%3C%26%27%3E"),
            ("percent, lower case", "s3%2fcr%2bt%20%c3%bc%22%3c%26%27%3e"),
            ("percent, every byte", "%73%33%2F%63%72%2B%74%20%C3%BC%22%3C%26%27%3E"),
            ("form", "s3%2Fcr%2Bt+%C3%BC%22%3C%26%27%3E"),
            ("JSON", "s3/cr+t ü\\\"<&'>"),
            ("JSON in ASCII", "s3\\/cr+t \\u00fc\\\"\\u003C\\u0026\\u0027\\u003e"),
            ("HTML", "s3/cr+t ü&quot;&lt;&amp;&#39;&gt;"),
            ("HTML in numbers", "s3&#47;cr&#x2b;t&#32;&#252;&#34;&#x3C;&#038;&apos;&#X3e;"),
            ("hexadecimal", "73332f63722b7420c3bc223c26273e"),
            ("hexadecimal, upper case", "73332F63722B7420C3BC223C26273E"),
        ] {
            assert_eq!(blanked(SECRET, &format!("[{text}]")), "[***]", "{way}");
            assert_eq!(blanked(SECRET, text), "***", "{way}, alone");
        }
    }

    #[test]
    fn a_secret_is_found_in_base64_wherever_it_begins() {
        for (before, after) in
            ["", "u", "u:", "us:", "user:"].into_iter().flat_map(|b| ["", ";", ";x", ";xy"].map(|a| (b, a)))
        {
            for (alphabet, padded) in
                [(STANDARD, true), (STANDARD, false), (URL_SAFE, true), (URL_SAFE, false)]
            {
                let text = encoded(&format!("{before}{SECRET}{after}"), alphabet, padded);
                let shown = blanked(SECRET, &format!("Basic {text}"));
                assert!(shown.contains("***"), "{before} {after}: {text} became {shown}");
                // Nothing of it is left but what stood around, and the padding.
                let left = shown.len() - "Basic ".len() - "***".len();
                let around = (before.len().div_ceil(3) + after.len().div_ceil(3)) * 4;
                assert!(left <= around, "{before} {after}: {text} became {shown}");
            }
        }
        let in_a_url = encoded("a>?\u{bf}secret", STANDARD, true).replace('+', "%2B").replace('=', "%3D");
        assert_eq!(blanked("a>?\u{bf}secret", &in_a_url).trim_end_matches("%3D"), "***");
    }

    #[test]
    fn what_is_no_secret_stays() {
        for text in ["", "nothing", "s3/cr", "100% &amp; \\n", "%", "%7", "&", "&#;", "\\u00", "ü%C3"] {
            assert_eq!(blanked(SECRET, text), text);
        }
        assert!(Secret::new("abc").is_none() && Secret::new("abcd").is_some());
        assert_eq!(blanked("%26&\\", "%26&\\ %2526%26%5C"), "*** ***");
    }

    #[test]
    fn several_secrets_are_found_and_the_longer_one_first() {
        let secrets = ["token", "token-of-users"].map(|one| Secret::new(one).unwrap());
        assert_eq!(blank("token token-of-users tokentoken", &secrets), "*** *** ******");
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn no_secret_is_left_however_it_is_mixed_with_others(
            secret in "[ -~äß€😀\n\t]{4,12}", before in "[a-z:]{0,5}", after in "[a-z;]{0,5}",
            ways in prop::collection::vec(0..6u8, 12),
        ) {
            let mixed: String = secret.chars().zip(ways).map(|(c, way)| match way {
                0 => c.to_string(),
                1 => c.to_string().bytes().map(|byte| format!("%{byte:02X}")).collect(),
                2 => c.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}")).collect(),
                3 => format!("&#{};", c as u32),
                4 => format!("&#x{:x};", c as u32),
                _ => serde_json::to_string(&c.to_string()).unwrap().trim_matches('"').to_owned(),
            }).collect();
            // A quote alone, or after a backslash, is trimmed above.
            prop_assume!(!secret.contains(['"', '\\']));
            let told = blanked(&secret, &format!("{before}{mixed}{after}"));
            prop_assert!(told.contains("***"), "{}", told);
            let long = encoded(&format!("{before}{secret}{after}"), STANDARD, true);
            prop_assert!(blanked(&secret, &long).contains("***"), "{}", long);
        }
    }
}
