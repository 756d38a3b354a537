//! What goes wrong with a call, apart from what goes wrong in the account.

use std::collections::BTreeMap;

use pipeline::Fault;
use serde_json::json;
use states::rules::Problem;

use crate::cluster::Placed;

/// What happens to one call of a state for one service.
#[derive(Clone, Debug, PartialEq)]
pub enum Mishap {
    /// The function is not reached.
    Fails(Problem),
    /// It does its work, and its answer is lost.
    FailsAfter(Problem),
    /// It is given up at once, and goes on with its work.
    Unheard(Problem),
    /// It is given up at once, and begins its work only so many milliseconds later.
    Delayed(Problem, i64),
    /// It is given up, and does its work only after so many other calls have answered.
    Late(Problem, usize),
    /// The item ends before it, by an error that nothing catches.
    Dies,
    /// The item ends after it, by such an error.
    DiesAfter,
    /// Just before it, somebody else points the service at an image of their own.
    Overtaken(Placed),
}

/// Returns the error of a fault, as Lambda words it.
pub fn problem(fault: &Fault) -> Problem {
    let cause = json!({"errorMessage": fault.to_string(), "errorType": fault.name()}).to_string();
    Problem::new(fault.name(), cause)
}

/// All mishaps that are still to come, by service and state.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Mishaps(BTreeMap<(String, String), Mishap>);

impl Mishaps {
    /// Plans one: it comes once, at the first call of `state` for `service`, which is empty for a state outside of
    /// the maps.
    pub fn plan(&mut self, service: &str, state: &str, mishap: Mishap) {
        self.0.insert((service.to_owned(), state.to_owned()), mishap);
    }

    /// Tells whether nothing goes wrong any more.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn take(&mut self, service: &str, state: &str) -> Option<Mishap> {
        self.0.remove(&(service.to_owned(), state.to_owned()))
    }
}
