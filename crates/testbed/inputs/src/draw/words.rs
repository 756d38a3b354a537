//! Texts that somebody may write by mistake or on purpose.

use arbitrary::{Result, Unstructured};

const HOSTILE: [&str; 60] = [
    "",
    " ",
    "\u{0}",
    "\n",
    "\r\nBcc: x",
    "\t",
    "\u{1b}[2J",
    "\u{7f}",
    "\u{85}",
    "\u{2028}",
    "\u{202e}gpj.exe",
    "\u{feff}",
    "e\u{301}\u{301}",
    "👩\u{200d}👩\u{200d}👧",
    "Größe",
    "①⑥⑨",
    "`",
    "\"",
    "\\",
    "'",
    "#",
    "/",
    "..",
    "../../etc/passwd",
    ":",
    "@",
    "*",
    "?",
    "*?*?*?*",
    "${",
    "${target.address}",
    "${target.address",
    "$[?((((@.a))))]",
    "$..*..*",
    "tidegate.dev.users.live",
    "unknown field `a`, expected `b`",
    "null",
    "-1",
    "4294967296",
    "9223372036854775807",
    "1e999",
    "99999999999m",
    "4294967295m",
    "0ms",
    "0001-01-01T00:00:00Z",
    "1969-12-31T23:59:59.999Z",
    "9999-12-31T23:59:59.999Z",
    "9999-12-31T23:59:59-23:59",
    "0000-01-01T00:00:00+23:59",
    "-0001-01-01T00:00:00Z",
    "+12345-01-01T00:00:00Z",
    "2026-02-30T24:60:61Z",
    "2026-11-23T10:00:00.123456789123456789Z",
    "http://169.254.169.254/",
    "http://[::ffff:127.0.0.1]/",
    "https://user:secret@example.org/?token=a#b",
    "sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb",
    "arn:aws:ecs:r:1:task-definition/a\n:1",
    "arn:aws:states:evil.example/:1:execution:m:n",
    "123456789012.dkr.ecr.eu-west-1.amazonaws.com/shop/users:a@b",
];

/// Chooses a text.
pub fn hostile(choices: &mut Unstructured<'_>) -> Result<String> {
    let one = *choices.choose(&HOSTILE)?;
    Ok(match choices.int_in_range(0..=15_u8)? {
        0 => one.repeat(choices.int_in_range(2..=600)?),
        1 => format!("{one}{}", choices.choose(&HOSTILE)?),
        _ => one.to_owned(),
    })
}

/// Changes a text in one place.
pub fn changed(text: &str, choices: &mut Unstructured<'_>) -> Result<String> {
    let mut characters: Vec<char> = text.chars().collect();
    let from = choices.int_in_range(0..=characters.len())?;
    let to = (from + choices.int_in_range(0..=8)?).min(characters.len());
    match choices.int_in_range(0..=5_u8)? {
        0 => return hostile(choices),
        1 => drop(characters.drain(from..to)),
        2 => {
            let twice: Vec<char> = characters[from..to].to_vec();
            characters.splice(from..from, twice);
        }
        3 => {
            let upper = |c: &mut char| *c = if c.is_lowercase() { c.to_ascii_uppercase() } else { 'x' };
            characters[from..to].iter_mut().for_each(upper);
        }
        _ => {
            let inserted: Vec<char> = hostile(choices)?.chars().collect();
            characters.splice(from..to, inserted);
        }
    }
    Ok(characters.into_iter().collect())
}
