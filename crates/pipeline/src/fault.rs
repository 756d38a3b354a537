//! The closed list of ways in which a step can fail, as Step Functions sees them.

use lambda_runtime::Diagnostic;

/// Why a step failed.
///
/// The names are a contract with `statemachine/release.asl.json`: the names it retries are exactly those of
/// [`Fault::RETRIED`].  None starts with `States.` or `Lambda.`: AWS owns those.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The payload, the request or a document is not what the contract says.
    #[error("{0}")]
    InvalidInput(String),
    /// Something that must exist does not.
    #[error("{0} does not exist")]
    NotFound(String),
    /// IAM, or the service itself, refused the call for good.
    #[error("{0}")]
    Denied(String),
    /// A case that this version of Tidegate does not handle.
    #[error("not supported: {0}")]
    NotSupported(String),
    /// The lease of the service belongs to somebody else now: nothing may be written.
    #[error("{0}")]
    LeaseLost(String),
    /// Somebody ended the release: nothing of it goes forward any more.
    #[error("{0}")]
    Stopped(String),
    /// AWS asked for fewer calls.
    #[error("AWS asked to slow down: {0}")]
    Throttled(String),
    /// AWS did not answer, or answered with a fault of its own.
    #[error("{0}")]
    Unavailable(String),
    /// A contradiction that only a defect of Tidegate explains; panics end here.
    #[error("defect in Tidegate: {0}")]
    Defect(String),
}

impl Fault {
    /// The names that the state machine may try again; all others are final.
    pub const RETRIED: [&'static str; 2] = ["Throttled", "Unavailable"];

    /// Returns the name that Step Functions matches on.
    pub fn name(&self) -> &'static str {
        match self {
            Fault::InvalidInput(_) => "InvalidInput",
            Fault::NotFound(_) => "NotFound",
            Fault::Denied(_) => "Denied",
            Fault::NotSupported(_) => "NotSupported",
            Fault::LeaseLost(_) => "LeaseLost",
            Fault::Stopped(_) => "Stopped",
            Fault::Throttled(_) => "Throttled",
            Fault::Unavailable(_) => "Unavailable",
            Fault::Defect(_) => "Defect",
        }
    }
}

impl From<Fault> for Diagnostic {
    fn from(fault: Fault) -> Self {
        Diagnostic { error_type: fault.name().to_owned(), error_message: fault.to_string() }
    }
}
