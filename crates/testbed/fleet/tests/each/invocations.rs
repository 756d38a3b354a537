//! Each call of a function fails, once, in every way, and comes again at every moment.

use fleet::machine::mishap::Mishap;
use fleet::machine::planned::{Moment, Plan};
use states::rules::Problem;

use crate::play::Played;
use crate::runs::Case;

/// The ways in which Lambda fails, without the function having a say.
fn mishaps() -> [(&'static str, Mishap); 4] {
    let problem = |error: &str| Problem::new(error, "it is planned so");
    [
        ("refused", Mishap::Fails(problem("Lambda.TooManyRequestsException"))),
        ("given up", Mishap::Unheard(problem("Sandbox.Timedout"))),
        ("late", Mishap::Late(problem("Sandbox.Timedout"), 2)),
        ("lost", Mishap::FailsAfter(problem("Lambda.Unknown"))),
    ]
}

/// Returns what is played with each call of a function.
pub fn plans(undisturbed: &Played) -> Vec<Case> {
    let count = undisturbed.invocations.len();
    let mut cases = Vec::new();
    for (n, state) in undisturbed.invocations.iter().enumerate() {
        let mut add = |how: String, plan: Plan| {
            let (state, place) = (state.to_string(), format!("call {n}"));
            cases.push(Case { state, place, how, passes: true, plan });
        };
        for (how, mishap) in mishaps() {
            add(how.to_owned(), Plan::Invocation(n, mishap));
        }
        add("beside itself".to_owned(), Plan::Again(n, Moment::Beside));
        add("at rest".to_owned(), Plan::Again(n, Moment::AtRest));
        for with in n + 1..count {
            add(
                format!("with {with}, {}", undisturbed.invocations[with]),
                Plan::Again(n, Moment::With(with)),
            );
        }
    }
    cases
}
