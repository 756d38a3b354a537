//! What the template hands to every function, in its environment variables.

use crate::Fault;

/// Reads a variable that the function cannot work without.
pub fn required(name: &str) -> Result<String, Fault> {
    optional(name).ok_or_else(|| Fault::InvalidInput(format!("the environment variable {name} is not set")))
}

/// Reads a list; none if the variable is not set, and nothing in it if it is empty.
pub fn list(name: &str) -> Option<Vec<String>> {
    let text = std::env::var(name).ok()?;
    Some(text.split(',').filter(|item| !item.is_empty()).map(str::to_owned).collect())
}

/// Reads a variable that may be absent or empty.
pub fn optional(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}
