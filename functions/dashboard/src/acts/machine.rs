//! The release machine: starts executions of it, and looks how they ended.

use aws_config::SdkConfig;
use aws_sdk_sfn::Client;
use aws_sdk_sfn::error::ProvideErrorMetadata;
use aws_sdk_sfn::types::ExecutionStatus;
use pipeline::aws::fault_of;
use pipeline::ids::ReleaseId;
use pipeline::{Fault, console, settings};
use serde_json::Value;

/// Whether an execution was started by this call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Started {
    /// It was, or runs with the same input.
    Now,
    /// An execution of that name has been there before.
    Before,
}

/// The release machine.
pub trait Starts {
    /// Starts an execution under a name.
    async fn start(&self, run: &ReleaseId, request: &Value) -> Result<Started, Fault>;

    /// Returns the output of an execution, or why it has none; nothing while it runs.
    async fn ended(&self, run: &ReleaseId) -> Result<Option<Result<Value, String>>, Fault>;
}

/// Step Functions.
#[derive(Debug)]
pub struct Machine {
    client: Client,
    arn: String,
}

impl Machine {
    /// Makes it from the configuration that all clients share.
    pub fn new(config: &SdkConfig) -> Self {
        Machine {
            client: Client::new(config),
            arn: settings::optional("RELEASE_MACHINE").unwrap_or_default(),
        }
    }
}

impl Starts for Machine {
    async fn start(&self, run: &ReleaseId, request: &Value) -> Result<Started, Fault> {
        let start = self.client.start_execution().state_machine_arn(&self.arn).name(run.as_str());
        match start.input(request.to_string()).send().await {
            Ok(_) => Ok(Started::Now),
            Err(error) if error.code() == Some("ExecutionAlreadyExists") => Ok(Started::Before),
            Err(error) => Err(fault_of(&format!("start {run}"), &error)),
        }
    }

    async fn ended(&self, run: &ReleaseId) -> Result<Option<Result<Value, String>>, Fault> {
        let arn = console::execution_arn(&self.arn, run.as_str()).ok_or_else(|| {
            Fault::Defect(format!("RELEASE_MACHINE is {}: expected the ARN of a machine", self.arn))
        })?;
        let seen = self.client.describe_execution().execution_arn(arn).send().await;
        let seen = seen.map_err(|error| fault_of(&format!("look at {run}"), &error))?;
        Ok(match seen.status() {
            ExecutionStatus::Running | ExecutionStatus::PendingRedrive => None,
            ExecutionStatus::Succeeded => {
                let output = serde_json::from_str(seen.output().unwrap_or_default());
                Some(output.map_err(|_| "its output is no JSON".to_owned()))
            }
            other => {
                let said = [seen.error(), seen.cause()].into_iter().flatten().collect::<Vec<_>>().join(": ");
                Some(Err(if said.is_empty() { other.to_string() } else { said }))
            }
        })
    }
}
