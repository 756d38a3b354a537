//! One thing that goes wrong, or comes again, at one place of a run: at the call to AWS, or of a function, of a number.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::call::Begun;
use super::faults::Trouble;
use super::mishap::Mishap;

/// What is planned.  Calls are counted from 0.
#[derive(Clone, Debug)]
pub enum Plan {
    /// A call to AWS goes wrong.
    Request(usize, Trouble),
    /// A call of a function goes wrong.
    Invocation(usize, Mishap),
    /// A call of a function is delivered once more.
    Again(usize, Moment),
}

/// When a call is delivered once more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// At once, beside itself.
    Beside,
    /// When the call of this number begins.
    With(usize),
    /// When everything has come to rest.
    AtRest,
}

/// The plan, and the calls so far.
#[derive(Debug, Default)]
pub struct Planned {
    /// The plan, if there is one.
    pub plan: Option<Plan>,
    /// The calls to AWS: the state that a function worked for, and the operation.
    pub requests: Vec<(Arc<str>, String)>,
    /// The calls of functions, by their states.
    pub invocations: Vec<Arc<str>>,
    /// The state that each call of a function works for.
    working: BTreeMap<u64, Arc<str>>,
    /// The call that is to be delivered once more.
    kept: Option<Begun>,
}

impl Planned {
    /// Learns for which state a call of a function works.
    pub(super) fn works(&mut self, call: u64, state: &Arc<str>) {
        self.working.insert(call, Arc::clone(state));
    }

    /// Counts a call to AWS; returns what goes wrong with it.
    pub(super) fn of_request(&mut self, call: u64, operation: &str) -> Option<Trouble> {
        let n = self.requests.len();
        let state = self.working.get(&call).cloned().unwrap_or_else(|| Arc::from(""));
        self.requests.push((state, operation.to_owned()));
        match &self.plan {
            Some(Plan::Request(planned, trouble)) if *planned == n => Some(trouble.clone()),
            _ => None,
        }
    }

    /// Counts a call of a function; returns what goes wrong with it.
    pub(super) fn of_invocation(&mut self, begun: &Begun) -> Option<Mishap> {
        let n = self.invocations.len();
        self.invocations.push(Arc::clone(&begun.state));
        match &self.plan {
            Some(Plan::Invocation(planned, mishap)) if *planned == n => Some(mishap.clone()),
            Some(Plan::Again(planned, _)) if *planned == n => {
                self.kept = Some(begun.unheard());
                None
            }
            _ => None,
        }
    }

    /// Takes the call that is to be delivered once more, if the last one that began is the one to do so with.
    pub(super) fn take_again(&mut self) -> Option<Begun> {
        let last = self.invocations.len().checked_sub(1);
        match self.plan {
            Some(Plan::Again(n, Moment::Beside)) if Some(n) == last => self.kept.take(),
            Some(Plan::Again(_, Moment::With(n))) if Some(n) == last => self.kept.take(),
            _ => None,
        }
    }

    /// Takes it if it is to come when everything has come to rest.
    pub(super) fn take_at_rest(&mut self) -> Option<Begun> {
        match self.plan {
            Some(Plan::Again(_, Moment::AtRest)) => self.kept.take(),
            _ => None,
        }
    }
}
