//! A text that must not get out by accident.

use serde::Deserialize;

/// A secret: it has no `Debug`, no `Display` and no `Serialize`, and neither has what contains it.
#[derive(Clone, Deserialize)]
pub struct Secret(String);

impl Secret {
    /// Keeps a text.
    pub fn new(text: impl Into<String>) -> Self {
        Secret(text.into())
    }

    /// Returns the text, for the one place that needs it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}
