//! Measures releases of 1 to 1,000 services on the account in memory, and checks what they may cost.
//!
//! Arguments are other numbers of services: then nothing else is measured.

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::process::ExitCode;

use fleet::cluster::{self, NAME, Placed};
use fleet::crew::Crew;
use fleet::fake::Fake;
use fleet::floor;
use fleet::machine::meter::Meter;
use fleet::machine::{Machine, Run};
use pipeline::Fault;
use serde_json::json;

/// The most services that move in one wave.
const WAVE: usize = 200;

/// What a release may take of the floor.
const MOST_OF_FLOOR: f64 = 1.1;

/// What a payload, and a history, may have.
const MOST_BYTES: usize = 256 * 1024;
const MOST_EVENTS: u64 = 25_000;

/// How long functions may take, by the template.
const RELEASE_MS: i64 = 60_000;
const OTHERS_MS: i64 = 30_000;

/// The moment at which everything begins.
const START_MS: i64 = 1_795_000_000_000;

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() -> ExitCode {
    match bench().await {
        Ok(broken) if broken.is_empty() => ExitCode::SUCCESS,
        Ok(broken) => {
            broken.iter().for_each(|what| eprintln!("BROKEN  {what}"));
            ExitCode::FAILURE
        }
        Err(fault) => {
            eprintln!("bench-scale: {fault}");
            ExitCode::FAILURE
        }
    }
}

async fn bench() -> Result<Vec<String>, Fault> {
    println!(
        "services waves ledger    rates    floor  seconds  ratio  calls each refused  payload item-ev parent-ev longest"
    );
    let mut broken = Vec::new();
    let mut calls = Vec::new();
    let asked: Vec<usize> = env::args().skip(1).filter_map(|text| text.parse().ok()).collect();
    let sizes = if asked.is_empty() { &[1, 40, WAVE, 5 * WAVE] } else { asked.as_slice() };
    for services in sizes.iter().copied() {
        let mut machine = machine(services)?;
        for (release, cold) in [("first", true), ("second", false)] {
            let run = release_of(&mut machine, release).await;
            let row = Row::of(&machine, &run, services, cold);
            row.print();
            broken.extend(row.broken(&run, &machine.meter));
            broken.extend(machine.fake.open().strange.iter().take(3).cloned());
            calls.push((format!("{services} {}", row.ledger()), services, row.calls));
        }
    }
    print_calls(&calls);
    if asked.is_empty() {
        broken.extend(memory().await?);
    }
    Ok(broken)
}

/// Makes a cluster of so many services, and a machine for it.
fn machine(services: usize) -> Result<Machine, Fault> {
    let fake = Fake::default();
    fake.open().now = START_MS;
    let placed: Vec<Placed> = (0..services)
        .map(|n| {
            let service = format!("w{}-{:03}", n / WAVE, n % WAVE);
            Placed { repository: repository_of(&service), service }
        })
        .collect();
    let waves: Vec<Vec<String>> =
        (0..services.div_ceil(WAVE)).map(|wave| vec![format!("w{wave}-*")]).collect();
    cluster::build(&fake, &placed, &cluster::policy(&waves, WAVE));
    let crew = Crew::new(&fake.config())?;
    Ok(Machine::new(fake, crew))
}

/// Every service has an image of its own.
fn repository_of(service: &str) -> String {
    format!("shop/{service}")
}

/// Pushes an image for each service and releases them; the account has rested before.
async fn release_of(machine: &mut Machine, release: &str) -> Run {
    let mut images = BTreeMap::new();
    {
        let mut account = machine.fake.open();
        let account = &mut *account;
        account.now += 600_000;
        (account.calls, account.throttled) = Default::default();
        for (name, service) in &mut account.ecs.services {
            service.pointed.clear();
            account.ecr.push(&repository_of(name), release, Some(release));
            images.insert(repository_of(name), release.to_owned());
        }
    }
    machine.run(release, &json!({"environment": NAME, "images": images})).await
}

/// One line of the table.
struct Row {
    services: usize,
    cold: bool,
    waves: usize,
    rates: f64,
    floor: f64,
    seconds: f64,
    refused: BTreeMap<String, u64>,
    calls: BTreeMap<String, u64>,
    meter: (usize, u64, u64),
    longest: (i64, i64),
}

impl Row {
    fn of(machine: &Machine, run: &Run, services: usize, cold: bool) -> Self {
        let account = machine.fake.open();
        let mut waves: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
        for (name, service) in &account.ecs.services {
            let takes = service.pointed.last().map_or(0, |pointed| pointed.takes);
            let wave = name.split('-').next().unwrap_or_default();
            waves.entry(wave).or_default().push(takes as f64 / 1000.0);
        }
        let waves: Vec<Vec<f64>> = waves.into_values().collect();
        let Meter { largest, item_events, parent_events, longest, .. } = machine.meter;
        Row {
            services,
            cold,
            waves: run.waves.len(),
            rates: floor::of_rates(&waves.iter().map(Vec::len).collect::<Vec<_>>(), cold),
            floor: floor::of(&waves, cold),
            seconds: run.took as f64 / 1000.0,
            refused: account.throttled.clone(),
            calls: account.calls.clone(),
            meter: (largest, item_events, parent_events),
            longest,
        }
    }

    fn ledger(&self) -> &'static str {
        if self.cold { "cold" } else { "warm" }
    }

    fn print(&self) {
        let total: u64 = self.calls.values().sum();
        let (largest, item, parent) = self.meter;
        println!(
            "{:>8} {:>5} {:>6} {:>8.1} {:>8.1} {:>8.1} {:>6.3} {:>6} {:>4.1} {:>7} {:>8} {:>7} {:>9} {:>7.1}",
            self.services,
            self.waves,
            self.ledger(),
            self.rates,
            self.floor,
            self.seconds,
            self.seconds / self.floor,
            total,
            total as f64 / self.services as f64,
            self.refused.values().sum::<u64>(),
            largest,
            item,
            parent,
            self.longest.0 as f64 / 1000.0
        );
    }

    /// Says which bounds are broken.
    fn broken(&self, run: &Run, meter: &Meter) -> Vec<String> {
        let (largest, item, parent) = self.meter;
        let bounds = [
            (run.end == "Deployed", format!("it ended {}: {}", run.end, run.because)),
            (self.refused.is_empty(), format!("AWS refused calls: {:?}", self.refused)),
            (meter.faults.is_empty(), format!("steps failed: {:?}", meter.faults)),
            (self.seconds <= MOST_OF_FLOOR * self.floor, format!("it is slower than {MOST_OF_FLOOR} floors")),
            (largest < MOST_BYTES, format!("a payload of {largest} bytes")),
            (self.longest.0 < RELEASE_MS, format!("a call of release took {} ms", self.longest.0)),
            (self.longest.1 < OTHERS_MS, format!("a call of another function took {} ms", self.longest.1)),
            (item.max(parent) < MOST_EVENTS, format!("a history of {} events", item.max(parent))),
        ];
        let broken = bounds.into_iter().filter(|(holds, _)| !holds);
        broken.map(|(_, what)| format!("{} services, {}: {what}", self.services, self.ledger())).collect()
    }
}

/// Prints what each operation was called, in all and for each service.
fn print_calls(columns: &[(String, usize, BTreeMap<String, u64>)]) {
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

/// How many releases the same processes serve, how many are not measured, and what they may keep of the others.
const RELEASES: usize = 8;
const FIRST_RELEASES: usize = 3;
const MOST_KEPT_KB: i64 = 4 * 1024;

/// Releases again and again with the same processes, in an account that forgets, and checks what they keep.
async fn memory() -> Result<Vec<String>, Fault> {
    let mut machine = machine(WAVE)?;
    let mut resident = Vec::new();
    for n in 0..RELEASES {
        let release = format!("release-{n}");
        release_of(&mut machine, &release).await;
        let mut account = machine.fake.open();
        account.table.forget(|pk, sk| !pk.starts_with("env#") || sk.starts_with("write#"));
        account.ecs.forget_revisions();
        account.ecr.forget(&release);
        account.executions.clear();
        resident.push(resident_kb());
    }
    let kept = resident.last().copied().unwrap_or_default()
        - resident.get(FIRST_RELEASES - 1).copied().unwrap_or_default();
    println!(
        "\nresident kB after each of {RELEASES} releases of {WAVE} services by the same processes: {resident:?}"
    );
    println!("kept of the last {}: {kept} kB", RELEASES - FIRST_RELEASES);
    let broken = kept > MOST_KEPT_KB;
    Ok(broken
        .then(|| format!("the functions keep {kept} kB of {} releases", RELEASES - FIRST_RELEASES))
        .into_iter()
        .collect())
}

/// Reads how much memory the process has.
fn resident_kb() -> i64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or_default()
}
