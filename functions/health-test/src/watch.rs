//! What is asked of CloudWatch while a release bakes: which lines the new tasks log, and numbers.
//!
//! Everything is read anew from the moment on at which the service was touched, so that nothing is counted twice.

mod lines;
mod number;

use std::time::{Duration, Instant};

use pack::standing::Outcome;
use pack::{Check, Kind, Pack, Values, variable};
use pipeline::Fault;
use pipeline::clock::Timestamp;
use tokio::time::timeout;

use crate::look::{Look, Ours};
use crate::rollout::Port;
use crate::round::Rounds;

/// How long all of it may take in one poll; as long as the requests, which are under way meanwhile.
const BUDGET: Duration = Duration::from_secs(10);

/// What is asked of CloudWatch in one poll, and with what.
pub struct Watch<'a, P> {
    /// AWS.
    pub port: &'a P,
    /// Which part of which move is looked at.
    pub look: &'a Look<'a>,
    /// All live tests.
    pub pack: &'a Pack,
    /// What is proven of our rollout.
    pub ours: Ours<'a>,
    /// What the variables stand for.
    pub values: Values,
}

impl<P: Port> Watch<'_, P> {
    /// Asks the checks that are due, and returns what came of each.
    pub async fn ask(&self, due: &[&Check]) -> Rounds {
        let end = Instant::now() + BUDGET;
        let mut rounds = Rounds::new();
        for check in due {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                // Their turn comes first in the next poll.
                break;
            }
            let asking = async {
                match &check.kind {
                    Kind::Logs(logs) => self.lines(logs).await,
                    Kind::Metric(metric) => self.number(metric).await,
                    other => Err(format!("CloudWatch is not asked for {}", other.as_str())),
                }
            };
            let late = |_| Err("CloudWatch did not answer in time in this poll".to_owned());
            let round = timeout(left, asking).await.unwrap_or_else(late);
            let round = round.unwrap_or_else(|why| (Outcome::Unmeasured, why));
            rounds.insert(check.name.clone(), round);
        }
        rounds
    }

    /// Returns when its service was touched.
    fn touched(&self) -> Result<Timestamp, String> {
        self.look.row.touched.ok_or_else(|| "it is not noted when its service was touched".to_owned())
    }
}

/// Adds the dimension that stands for the target group of a service, if it has one and no other.
pub fn with_group(values: Values, groups: &[String]) -> Values {
    let [arn] = groups else { return values };
    values.with(variable::GROUP, arn.rsplit(':').next().unwrap_or_default())
}

#[expect(clippy::needless_pass_by_value, reason = "it is given to `map_err`")]
fn sentence(fault: Fault) -> String {
    fault.to_string()
}
