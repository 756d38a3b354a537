//! Where the pipeline itself is.

use pipeline::Fault;
use pipeline::ids::Registry;
use pipeline::text::shown;

use crate::payload::Run;

/// Where a run is.
pub struct Home {
    /// The account.
    pub account: Registry,
    /// The region.
    pub region: String,
}

impl Home {
    /// Reads it from the execution's ARN.
    pub fn of(run: &Run) -> Result<Self, Fault> {
        let mut parts = run.execution.split(':').skip(3);
        match (parts.next(), parts.next()) {
            (Some(region), Some(account)) => {
                Ok(Home { account: Registry::parse(account)?, region: region.to_owned() })
            }
            _ => {
                Err(Fault::InvalidInput(format!("{} is not the ARN of an execution", shown(&run.execution))))
            }
        }
    }
}
