//! What CloudWatch says of alarms.

use std::collections::BTreeSet;

use pipeline::Fault;
use pipeline::alarm::describe;

use super::Aws;
use crate::ports::{AlarmStates, Alarms};

impl Alarms for Aws {
    async fn alarms(&self, names: &BTreeSet<String>) -> Result<AlarmStates, Fault> {
        describe(&self.cloudwatch, names).await
    }
}
