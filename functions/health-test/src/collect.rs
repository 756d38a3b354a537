//! Collects what failed tasks left behind.
//!
//! It never fails, and never takes long: the verdict stands already.  What could not be read is said in its place.

use std::time::Duration;

use pipeline::Fault;
use pipeline::ids::{DeploymentId, TaskDefinitionArn};
use pipeline::rows::{Bundle, MoveRow};
use tokio::time::timeout;

use crate::rollout::{Ended, Port};
use crate::{Phase, bundle};

/// How long each of the two parts may take; well below the function's own time-out.
const PATIENCE: Duration = Duration::from_secs(4);

/// Collects the bundle of a deployment that failed.
pub async fn bundle(port: &impl Port, phase: Phase, row: &MoveRow, deployment: &DeploymentId) -> Bundle {
    let ours = async {
        let mut ended = port.ended(row).await.map_err(sentence)?;
        ended.retain(|task| task.started_by == deployment.as_str());
        Ok(ended)
    };
    let (stopped, ended) = match in_time(ours).await {
        Ok(ended) => (bundle::stopped(&ended), ended),
        Err(why) => (bundle::unread("stopped", &why), Vec::new()),
    };
    let logs = in_time(logs(port, phase, row, deployment, &ended)).await;
    let logs = logs.unwrap_or_else(|why| bundle::unread("logs", &why));
    Bundle { stopped, logs, tests: Vec::new() }
}

async fn logs(
    port: &impl Port,
    phase: Phase,
    row: &MoveRow,
    deployment: &DeploymentId,
    ended: &[Ended],
) -> Result<Vec<String>, String> {
    let revision = revision(phase, row).ok_or("the revision that ran is not noted")?;
    let mut tasks = bundle::telling(ended);
    if tasks.is_empty() {
        let running = port.tasks(row).await.map_err(sentence)?;
        let running = running.iter().filter(|task| task.started_by == deployment.as_str() && task.running);
        tasks = bundle::few(running.map(|task| task.id.as_str()));
    }
    if tasks.is_empty() {
        return Err(format!("ECS knows no task of {deployment} that ran"));
    }
    let lines = i32::try_from(bundle::LINES).unwrap_or(i32::MAX);
    let streams = port.logged(row, revision, &tasks, lines).await.map_err(sentence)?;
    if streams.is_empty() {
        return Err(format!("{revision} names no stream of CloudWatch Logs"));
    }
    let lines = bundle::logs(&streams);
    if lines.is_empty() { Err("CloudWatch Logs has no line of its tasks".to_owned()) } else { Ok(lines) }
}

/// Returns the revision that the failed tasks ran.
pub fn revision(phase: Phase, row: &MoveRow) -> Option<&TaskDefinitionArn> {
    match phase {
        Phase::Rollback => {
            row.rollback_revision.as_ref().or(row.restore.as_ref().map(|restore| &restore.task_definition))
        }
        _ => row.registered.as_ref(),
    }
}

async fn in_time<T>(reading: impl Future<Output = Result<T, String>>) -> Result<T, String> {
    let seconds = PATIENCE.as_secs();
    timeout(PATIENCE, reading).await.unwrap_or_else(|_| Err(format!("could not be read within {seconds} s")))
}

#[expect(clippy::needless_pass_by_value, reason = "it is given to `map_err`")]
fn sentence(fault: Fault) -> String {
    fault.to_string()
}
