//! Where a run may end otherwise than the undisturbed one, and why that is right.

use crate::runs::Run;

/// Returns how a release ends in which a call of a function, or a call of that to AWS, failed so, if not as usual.
pub fn end(_run: Run, state: &str, how: &str) -> Option<&'static str> {
    match (state, how) {
        // Each attempt would have a token of its own, and one that was given up could write its own over the last one.
        // Nothing is touched yet.
        ("Approve", how) if !matches!(how, "AskedAgain") => Some("NeedsHuman"),
        _ => None,
    }
}

/// Tells whether what a run left behind may lack a line after that.
pub fn may_lack(state: &str, line: &str) -> bool {
    // An alert that is delivered and cannot be recorded stays unrecorded: nobody is to be told twice.
    state == "Alert" && line.contains(" alert#")
}
