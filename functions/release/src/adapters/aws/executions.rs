//! The executions of the state machine.

use aws_sdk_sfn::error::ProvideErrorMetadata;
use pipeline::Fault;
use pipeline::aws::fault_of;
use pipeline::clock::Timestamp;
use serde_json::Value;

use super::Aws;
use crate::ports::{Execution, Executions};

impl Executions for Aws {
    async fn execution(&self, execution: &str) -> Result<Execution, Fault> {
        let answer = match self.sfn.describe_execution().execution_arn(execution).send().await {
            Ok(answer) => answer,
            Err(error) if error.as_service_error().is_some_and(|e| e.is_execution_does_not_exist()) => {
                return Ok(Execution::Unknown);
            }
            Err(error) => return Err(fault_of(&format!("describe {execution}"), &error)),
        };
        if matches!(answer.status().as_str(), "RUNNING" | "PENDING_REDRIVE") {
            return Ok(Execution::Running);
        }
        let stopped = answer.stop_date().and_then(|stopped| stopped.to_millis().ok());
        Ok(stopped.map_or(Execution::Running, |stopped| Execution::Ended(Timestamp::from_millis(stopped))))
    }

    async fn answer(&self, token: &str, answer: &Value) -> Result<bool, Fault> {
        let send = self.sfn.send_task_success().task_token(token).output(answer.to_string());
        match send.send().await {
            Ok(_) => Ok(true),
            // It was answered by somebody else, ran out of time, or its execution has ended.
            Err(error)
                if error.as_service_error().is_some_and(|known| {
                    matches!(known.code(), Some("TaskTimedOut" | "TaskDoesNotExist" | "InvalidToken"))
                }) =>
            {
                Ok(false)
            }
            Err(error) => Err(fault_of("answer the waiting release", &error)),
        }
    }

    async fn start(&self, machine: &str, name: &str, input: &Value) -> Result<(), Fault> {
        let start = self.sfn.start_execution().state_machine_arn(machine).name(name).input(input.to_string());
        match start.send().await {
            Ok(_) => Ok(()),
            Err(error) if error.as_service_error().is_some_and(|e| e.is_execution_already_exists()) => Ok(()),
            Err(error) => Err(fault_of(&format!("start {name}"), &error)),
        }
    }
}
