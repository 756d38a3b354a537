//! What is measured of a release, what it may be, and how it is shown.

use std::collections::{BTreeMap, BTreeSet};

use fleet::lower_bound;
use fleet::machine::meter::Meter;
use fleet::machine::{Machine, Run};

use crate::cost;

/// What a release may take of the lower bound.
const MOST_OF_LOWER_BOUND: f64 = 1.1;

/// What a payload, and the histories of an item and of the release, may have: far less than the 256 KiB and the 25,000
/// events that AWS allows, since docs/OPERATIONS.md says so.
const MOST_BYTES: usize = 60 * 1024;
const MOST_ITEM_EVENTS: u64 = 100;
const MOST_PARENT_EVENTS: u64 = 400;

/// How long functions may take: half of the time-outs of the template, since AWS has slow days.
const RELEASE_MS: i64 = 60_000 / 2;
const OTHERS_MS: i64 = 30_000 / 2;

/// How many calls of AWS a later release may make for one service alone, and for each of many.
const MOST_CALLS_ALONE: u64 = 55;
const MOST_CALLS_EACH: u64 = 34;

/// How long it may take until ECS is asked to update the service of a later release of one.
const UPDATED_MS: i64 = 2_500;

/// What a release may cost for each service, in cents.
const MOST_CENTS_EACH: f64 = 1.0;

/// How many states are entered for each call of a function: the dashboard of `template.yaml` counts 2.7.
const TRANSITIONS_EACH: std::ops::RangeInclusive<f64> = 2.5..=2.9;

/// One line of the table.
pub struct Row {
    services: usize,
    cold: bool,
    waves: usize,
    rates: f64,
    lower_bound: f64,
    seconds: f64,
    refused: BTreeMap<String, u64>,
    pub calls: BTreeMap<String, u64>,
    meter: (usize, u64, u64),
    longest: (i64, i64),
    updated: i64,
    cents: f64,
    transitions_each: f64,
}

impl Row {
    pub fn of(machine: &Machine, (began, run): (i64, &Run), services: usize, cold: bool) -> Self {
        let cents = 100.0 * cost::of(machine) / services as f64;
        let account = machine.fake.open();
        let mut waves: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
        for (name, service) in &account.ecs.services {
            let takes = service.pointed.last().map_or(0, |pointed| pointed.takes);
            let wave = name.rsplit('/').next().and_then(|name| name.split('-').next()).unwrap_or_default();
            waves.entry(wave).or_default().push(takes as f64 / 1000.0);
        }
        let waves: Vec<Vec<f64>> = waves.into_values().collect();
        let meter = &machine.meter;
        Row {
            services,
            cold,
            waves: run.waves.len(),
            rates: lower_bound::of_rates(&waves.iter().map(Vec::len).collect::<Vec<_>>(), cold),
            lower_bound: lower_bound::of(&waves, cold),
            seconds: run.took as f64 / 1000.0,
            refused: account.throttled.clone(),
            calls: account.calls.clone(),
            meter: (meter.largest, meter.item_events(), meter.parent_events()),
            longest: meter.longest,
            cents,
            transitions_each: cost::transitions_each(machine),
            updated: account
                .ecs
                .services
                .values()
                .filter_map(|service| Some(service.pointed.last()?.at - began))
                .min()
                .unwrap_or_default(),
        }
    }

    pub fn ledger(&self) -> &'static str {
        if self.cold { "cold" } else { "warm" }
    }

    pub fn print(&self) {
        let total: u64 = self.calls.values().sum();
        let (largest, item, parent) = self.meter;
        println!(
            "{:>8} {:>5} {:>6} {:>8.1} {:>8.1} {:>8.1} {:>6.3} {:>6} {:>4.1} {:>7} {:>8} {:>7} {:>9} {:>7.1} {:>10.3}",
            self.services,
            self.waves,
            self.ledger(),
            self.rates,
            self.lower_bound,
            self.seconds,
            self.seconds / self.lower_bound,
            total,
            total as f64 / self.services as f64,
            self.refused.values().sum::<u64>(),
            largest,
            item,
            parent,
            self.longest.0 as f64 / 1000.0,
            self.cents
        );
    }

    /// Says which bounds are broken.
    pub fn broken(&self, run: &Run, meter: &Meter) -> Vec<String> {
        let (largest, item, parent) = self.meter;
        let calls: u64 = self.calls.values().sum();
        let most = if self.services == 1 { MOST_CALLS_ALONE } else { MOST_CALLS_EACH * self.services as u64 };
        let bounds = [
            (self.cold || calls <= most, format!("{calls} calls of AWS, of {most}")),
            (
                self.cold || self.services > 1 || self.updated <= UPDATED_MS,
                format!("its service is updated after {} ms", self.updated),
            ),
            (
                TRANSITIONS_EACH.contains(&self.transitions_each),
                format!("{:.2} states for each call", self.transitions_each),
            ),
            (self.cents < MOST_CENTS_EACH, format!("{:.3} cents a service", self.cents)),
            (run.end == "Deployed", format!("it ended {}: {}", run.end, run.because)),
            (self.refused.is_empty(), format!("AWS refused calls: {:?}", self.refused)),
            (meter.faults.is_empty(), format!("steps failed: {:?}", meter.faults)),
            (
                self.seconds <= MOST_OF_LOWER_BOUND * self.lower_bound,
                format!("it is slower than {MOST_OF_LOWER_BOUND} lower bounds"),
            ),
            (largest < MOST_BYTES, format!("a payload of {largest} bytes")),
            (self.longest.0 < RELEASE_MS, format!("a call of release took {} ms", self.longest.0)),
            (self.longest.1 < OTHERS_MS, format!("a call of another function took {} ms", self.longest.1)),
            (item < MOST_ITEM_EVENTS, format!("an item with a history of {item} events")),
            (parent < MOST_PARENT_EVENTS, format!("a history of {parent} events")),
        ];
        let broken = bounds.into_iter().filter(|(holds, _)| !holds);
        broken.map(|(_, what)| format!("{} services, {}: {what}", self.services, self.ledger())).collect()
    }
}

/// Prints what each operation was called, in all and for each service.
pub fn print_calls(columns: &[(String, usize, BTreeMap<String, u64>)]) {
    let operations: BTreeSet<&String> = columns.iter().flat_map(|(.., calls)| calls.keys()).collect();
    print!("\n{:<30}", "calls, and for each service");
    columns.iter().for_each(|(name, ..)| print!(" {name:>14}"));
    println!();
    for operation in operations {
        print!("{operation:<30}");
        for (_, services, calls) in columns {
            let count = calls.get(operation).copied().unwrap_or_default();
            print!(" {count:>7} {:>6.2}", count as f64 / *services as f64);
        }
        println!();
    }
}
