//! What a release costs on AWS, by the list prices of `bench/prices.json`.

use fleet::machine::Machine;
use serde::Deserialize;

const PRICES: &str = include_str!("../../../../../../bench/prices.json");

/// How much memory the functions have, as in `template.yaml`.
const RELEASE_MB: f64 = 512.0;
const OTHERS_MB: f64 = 256.0;

/// Returns the price of a release, in dollars: all that was counted since the machine's meter was made.
pub fn of(machine: &Machine) -> f64 {
    let units = machine.fake.open().table.units;
    let called: u64 = machine.meter.worked.values().map(|(calls, _)| calls).sum();
    let worked = machine.meter.worked.iter().map(|(function, (_, milliseconds))| {
        let memory = if *function == "release" { RELEASE_MB } else { OTHERS_MB };
        *milliseconds as f64 / 1000.0 * memory / 1024.0
    });
    [
        ("transition", machine.meter.transitions as f64),
        ("request", called as f64),
        ("gbSecond", worked.sum()),
        ("write", units.writes as f64),
        ("read", units.reads as f64),
    ]
    .iter()
    .map(|(item, count)| count * price(item))
    .sum()
}

/// Returns how many states are entered for each call of a function, as the dashboard estimates it.
pub fn transitions_each(machine: &Machine) -> f64 {
    let called: u64 = machine.meter.worked.values().map(|(calls, _)| calls).sum();
    machine.meter.transitions as f64 / called as f64
}

/// Returns what one costs; of what the table does not have, no price that could pass for one.
fn price(item: &str) -> f64 {
    let table: Option<Table> = serde_json::from_str(PRICES).ok();
    let row = table.and_then(|table| table.prices.into_iter().find(|row| row.item == item));
    row.map_or(f64::NAN, |row| row.usd / row.per)
}

#[derive(Deserialize)]
struct Table {
    prices: Vec<Price>,
}

#[derive(Deserialize)]
struct Price {
    item: String,
    usd: f64,
    per: f64,
}
