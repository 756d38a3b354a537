//! Which new tasks got production traffic.

use super::{Executions, Oracle};
use crate::fake::State;

impl Oracle {
    /// No release lets production traffic to tasks that it has not proven in the dark, or whose wave has to wait.
    pub(super) fn no_traffic_comes_too_early(&mut self, account: &State, executions: &Executions) {
        for release in executions.keys() {
            let partition = format!("release#{release}");
            let Some(head) = account.table.row(&partition, "head") else { continue };
            let together = head["policy"]["shift"] == "together";
            for (key, row) in account.table.list(&partition, "move#") {
                if row["shifted"].is_null() || !row["shiftedBy"].is_null() {
                    continue;
                }
                let service = &row["service"];
                self.holds(row["gate"]["verdict"].is_string(), || {
                    format!("{release} let traffic to {service}, and no gate of it was judged")
                });
                let wave = key.split('#').nth(1).and_then(|wave| wave.parse().ok());
                let may = head["shiftThrough"].as_i64() >= wave;
                self.holds(!together || may, || {
                    format!("{release} let traffic to {service} before its wave may have any")
                });
            }
        }
    }
}
