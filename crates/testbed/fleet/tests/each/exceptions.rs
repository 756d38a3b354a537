//! Where a run may end otherwise than the undisturbed one, and why that is right.

/// Returns the states in which a release may end, if something went wrong so in a call of this state; none if as usual.
pub fn ends(state: &str, how: &str) -> Option<&'static [&'static str]> {
    match (state, how) {
        // Each attempt would have a token of its own, and one that was given up could write its own over the last one.
        // Nothing is touched yet.
        ("Approve", how) if !is_repeated(how) && how != "AskedAgain" => Some(&["NeedsHuman"]),
        // A call that comes again takes the leases anew, so that one that was given up can write nothing any more.  If it
        // was a mere copy, the steps after the first find that they have lost them; nothing is touched.
        ("TakeLeases", how) if is_repeated(how) => Some(&["Deployed", "RolledBack", "Superseded"]),
        _ => None,
    }
}

/// Tells whether a line is as good with and without it: whether a message went out is no part of what it tells.
pub fn is_beside_the_point(state: &str, how: &str, line: &str) -> bool {
    match state {
        // An alert that is delivered and cannot be recorded stays unrecorded: nobody is to be told twice.  One that could
        // not read the ledger says little, and records so.
        "Alert" | "AskApproval" => line.contains(" alert#"),
        // The SDK asks once more, and the token is used up: it cannot know by whom.
        "OpenRelease" => how == "AskedAgain" && line.contains("r3"),
        _ => false,
    }
}

fn is_repeated(how: &str) -> bool {
    how == "beside itself" || how == "at rest" || how.starts_with("with ")
}
