//! What widgets there are, as the console shows it to who adds one: Markdown.

/// Describes them.
pub(crate) fn widgets() -> String {
    include_str!("describe.md").to_owned()
}

/// Describes what buttons start.
pub(crate) fn acts() -> String {
    include_str!("acts.md").to_owned()
}
