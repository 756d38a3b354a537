//! What happened in an execution, as AWS writes it into a history.

use std::fmt;
use std::sync::Arc;

/// One event of one execution.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// When, in milliseconds since 1970.
    pub at: i64,
    /// The ARN of the execution: that of an item of a distributed Map is its own.
    pub execution: Arc<str>,
    /// The state; none for the execution itself.
    pub state: Option<Arc<str>>,
    /// What happened.
    pub what: Happening,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Happening {
    /// The execution started.
    ExecutionStarted,
    /// It succeeded.
    ExecutionSucceeded,
    /// It failed by this error.
    ExecutionFailed(String),
    /// Somebody stopped it.
    ExecutionAborted,
    /// Somebody had it go on after its end.
    ExecutionRedriven,
    /// A state was entered.
    StateEntered,
    /// It was left.
    StateExited,
    /// A task was handed to the service.
    TaskScheduled,
    /// The service began it.
    TaskStarted,
    /// It was handed over; now its token is waited for.
    TaskSubmitted,
    /// It succeeded.
    TaskSucceeded,
    /// It failed by this error.
    TaskFailed(String),
    /// It took too long.
    TaskTimedOut,
    /// A Map began.
    MapStateStarted,
    /// Its items run as executions of their own.
    MapRunStarted,
    /// As many of them succeeded as had to.
    MapRunSucceeded,
    /// More failed than may.
    MapRunFailed,
    /// A Map succeeded.
    MapStateSucceeded,
    /// It failed.
    MapStateFailed,
    /// An item of an inline Map began.
    MapIterationStarted,
    /// It succeeded.
    MapIterationSucceeded,
    /// It failed.
    MapIterationFailed,
}

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.state.as_deref().unwrap_or("-");
        write!(f, "{} {} {state} {:?}", crate::moment::text(self.at), self.execution, self.what)
    }
}
