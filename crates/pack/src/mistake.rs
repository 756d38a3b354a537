//! What is wrong with a pack, in the words of who wrote it.

use pipeline::{Fault, document, text};

/// A mistake at a key of a check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// The key, with the keys above it.
    pub key: String,
    /// What is wrong, and what was expected.
    pub why: String,
}

impl Mistake {
    /// Says what is wrong at a key.
    pub(crate) fn at(key: impl Into<String>, why: impl Into<String>) -> Self {
        Mistake { key: key.into(), why: why.into() }
    }

    /// Puts the key below another one.
    pub(crate) fn under(mut self, key: &str) -> Self {
        self.key = format!("{key}.{}", self.key);
        self
    }

    /// Names the pack and the check that it is in.
    pub(crate) fn fault(&self, what: &str, check: &str) -> Fault {
        let Mistake { key, why } = self;
        Fault::InvalidInput(format!("{what}: check {}, key {key:?}: {why}", text::shown(check)))
    }
}

/// Refuses what does not hold.
pub(crate) fn ensure(holds: bool, key: &str, why: impl FnOnce() -> String) -> Result<(), Mistake> {
    if holds { Ok(()) } else { Err(Mistake::at(key, why())) }
}

/// Ends a refusal of a word with the nearest of the known ones, and with all of them.
pub(crate) fn expected<'a>(word: &str, known: impl IntoIterator<Item = &'a str> + Clone) -> String {
    let all: Vec<String> = known.clone().into_iter().map(|one| format!("`{one}`")).collect();
    let all = match &*all {
        [] => "expected none, since there is none".to_owned(),
        [one] => format!("expected {one}"),
        all => format!("expected one of {}", all.join(", ")),
    };
    match document::nearest(word, known) {
        Some(meant) => format!("{all}; did you mean `{meant}`?"),
        None => all,
    }
}
