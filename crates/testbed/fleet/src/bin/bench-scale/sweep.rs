//! What a sweep calls that finds nothing, and what it may.

use std::collections::BTreeMap;

use fleet::machine::{Machine, Run};
use serde_json::json;

/// How many repositories one sweep looks at.
const REPOSITORIES: usize = 200;

/// How long a call of the function may take.
const LONGEST_MS: i64 = 60_000 / 2;

/// A sweep.
pub struct Swept {
    services: usize,
    end: String,
    calls: BTreeMap<String, u64>,
    refused: u64,
    longest: i64,
}

/// Sweeps for the first time, and then once more, which is measured.
pub async fn of(machine: &mut Machine, services: usize) -> Swept {
    let mut last = Run::default();
    for name in ["first-sweep", "second-sweep"] {
        {
            let mut account = machine.fake.open();
            account.now += 900_000;
            (account.calls, account.throttled) = Default::default();
        }
        last = machine.run(name, &json!({"mode": "reconcile"})).await;
    }
    let account = machine.fake.open();
    Swept {
        services,
        end: format!("{}: {}", last.end, last.because),
        calls: account.calls.clone(),
        refused: account.throttled.values().sum(),
        longest: machine.meter.longest.0,
    }
}

impl Swept {
    fn of(&self, service: &str) -> u64 {
        self.calls.iter().filter(|(name, _)| name.starts_with(service)).map(|(_, count)| count).sum()
    }

    /// Returns how often the function was called: each call reads the environments once, in one page.
    fn opens(&self) -> u64 {
        self.calls.get("ssm.GetParametersByPath").copied().unwrap_or_default()
    }

    pub fn print(&self) {
        println!(
            "{:>8} {:>6} {:>5} {:>5} {:>6} {:>5} {:>7} {:>7.1}",
            self.services,
            self.of(""),
            self.of("ecr."),
            self.of("ecs."),
            self.of("dynamodb."),
            self.opens(),
            self.refused,
            self.longest as f64 / 1000.0
        );
    }

    /// Says which bounds are broken.
    pub fn broken(&self) -> Vec<String> {
        let repositories = self.services.min(REPOSITORIES) as u64;
        // A page of 100 and ten descriptions for each hundred services, and a few rows for each call.
        let most = repositories + 12 * (self.services as u64).div_ceil(100) + 15 * self.opens() + 15;
        let bounds = [
            (self.end.starts_with("Answered"), format!("it ended {}", self.end)),
            (self.refused == 0, format!("AWS refused {} calls", self.refused)),
            (self.of("") <= most, format!("{} calls, of at most {most}", self.of(""))),
            (self.longest < LONGEST_MS, format!("a call took {} ms", self.longest)),
        ];
        let broken = bounds.into_iter().filter(|(holds, _)| !holds);
        broken.map(|(_, what)| format!("a sweep of {} services: {what}", self.services)).collect()
    }
}
