//! Where buttons and links lead.

use pipeline::ids::ReleaseId;
use pipeline::{Fault, console, settings};

/// The two functions of the dashboard, and the machine of releases, by their ARNs.
#[derive(Clone, Debug, Default)]
pub struct Places {
    /// The function that draws.
    pub draws: String,
    /// The function that starts executions.
    pub acts: String,
    /// The state machine.
    pub machine: String,
}

impl Places {
    /// Reads what the template says; a function knows its own name alone.
    pub fn read() -> Result<Self, Fault> {
        let own = format!(
            "{}{}",
            settings::required("FUNCTIONS")?,
            settings::required("AWS_LAMBDA_FUNCTION_NAME")?
        );
        Ok(Places {
            acts: settings::optional("DASHBOARD_ACTS").unwrap_or_else(|| own.clone()),
            draws: own,
            machine: settings::required("RELEASE_MACHINE")?,
        })
    }

    /// Returns the page of a run in the console, if the machine has one.
    pub(crate) fn run(&self, run: &ReleaseId) -> Option<String> {
        console::execution(&console::execution_arn(&self.machine, run.as_str())?)
    }
}
