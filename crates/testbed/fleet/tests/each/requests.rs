//! Each call to AWS fails, once, in every way.

use fleet::fake::Refusal;
use fleet::machine::faults::Trouble;
use fleet::machine::planned::Plan;

use crate::play::Played;
use crate::runs::Case;

/// In which way a call fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// AWS asks to slow down.
    Throttled,
    /// AWS has a fault of its own, and nothing happened.
    Broken,
    /// It has one, and everything happened.
    BrokenAfter,
    /// No answer comes, and nothing happened.
    Unanswered,
    /// No answer comes, and everything happened.
    UnansweredAfter,
    /// No answer comes, and it happens when the function has been called again already.
    HappensLate,
    /// The answer is lost, and the SDK asks once more.
    AskedAgain,
    /// The answer comes when Lambda has ended the function.
    Slow,
    /// It is not allowed.
    Denied,
    /// What is asked for is not there.
    NotFound,
}

use Kind::*;

/// All of them.
const KINDS: [Kind; 10] = [
    Throttled,
    Broken,
    BrokenAfter,
    Unanswered,
    UnansweredAfter,
    HappensLate,
    AskedAgain,
    Slow,
    Denied,
    NotFound,
];

impl Kind {
    /// Tells whether a run survives it as if nothing had been.
    fn passes(self) -> bool {
        !matches!(self, Denied | NotFound)
    }

    /// Returns what happens to a call; nothing if the operation cannot fail so.
    fn trouble(self, operation: &str) -> Option<Trouble> {
        let broken = || Refusal::new("InternalServerError", "an internal error");
        let refused = |code| Some(Trouble::Before(Refusal::new(code, "it is planned so")));
        match self {
            // Whatever only reads has nothing that could happen after all.
            BrokenAfter | UnansweredAfter | HappensLate | AskedAgain if !writes(operation) => None,
            Throttled => refused("ThrottlingException"),
            Broken => Some(Trouble::Before(broken())),
            BrokenAfter => Some(Trouble::After(broken())),
            Unanswered => Some(Trouble::Before(Refusal::no_answer())),
            UnansweredAfter => Some(Trouble::After(Refusal::no_answer())),
            HappensLate => Some(Trouble::Late(LATE_MS)),
            AskedAgain => Some(Trouble::Again),
            Slow => Some(Trouble::Slow(SLOW_MS)),
            Denied => refused("AccessDeniedException"),
            NotFound => not_found(operation).and_then(refused),
        }
    }
}

/// After how many milliseconds a call has its effect of which the answer was given up: a little after its function was
/// called again, as a rule.
const LATE_MS: i64 = 7_500;

/// Longer than any function may take.
const SLOW_MS: i64 = 61_000;

/// Returns how AWS says that what a call reads is not there.
fn not_found(operation: &str) -> Option<&'static str> {
    match operation {
        "ecs.DescribeTaskDefinition" => Some("ClientException"),
        "states.DescribeExecution" => Some("ExecutionDoesNotExist"),
        "dynamodb.BatchGetItem" | "dynamodb.Query" => Some("ResourceNotFoundException"),
        _ if writes(operation) => None,
        _ if operation.starts_with("ecs.") => Some("ClusterNotFoundException"),
        _ if operation.starts_with("ecr.") => Some("RepositoryNotFoundException"),
        // A path without parameters is an empty answer.
        _ => None,
    }
}

/// Tells whether a call changes something.
fn writes(operation: &str) -> bool {
    let (_, name) = operation.split_once('.').unwrap();
    ["Put", "Update", "Delete", "Transact", "Register", "Start", "Send", "Publish"]
        .iter()
        .any(|verb| name.starts_with(verb))
}

/// Returns what is played with each call of a run.
pub fn plans(undisturbed: &Played) -> Vec<Case> {
    let mut cases = Vec::new();
    for (n, (state, operation)) in undisturbed.requests.iter().enumerate() {
        for kind in KINDS {
            let Some(trouble) = kind.trouble(operation) else { continue };
            let (place, how) = (format!("call {n}, {operation}"), format!("{kind:?}"));
            let (state, passes) = (state.to_string(), kind.passes());
            cases.push(Case { state, place, how, passes, plan: Plan::Request(n, trouble) });
        }
    }
    cases
}
