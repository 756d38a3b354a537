//! Measures releases of 1 to 1,000 services on the account in memory, and checks what they may cost.
//!
//! Arguments are other numbers of services: then nothing else is measured.  With `CHECKS` every service has so many live
//! tests.

mod cost;
mod memory;
mod sweep;
mod table;

use std::collections::BTreeMap;
use std::env;
use std::process::ExitCode;

use fleet::cluster::{self, NAME, Placed};
use fleet::fake::Fake;
use fleet::machine::meter::Meter;
use fleet::machine::{Machine, Run};
use fleet::web;
use pipeline::Fault;
use serde_json::json;

use table::Row;

/// The most services that move in one wave.
const WAVE: usize = 200;

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
    let asked: Vec<usize> = env::args().skip(1).filter_map(|text| text.parse().ok()).collect();
    // First of all: what a large release has used and freed would hide what is kept.
    let mut broken = if asked.is_empty() { memory::check().await? } else { Vec::new() };
    println!(
        "services waves ledger    rates    bound  seconds  ratio  calls each refused  payload item-ev parent-ev longest \
         cents each"
    );
    let (mut calls, mut sweeps) = (Vec::new(), Vec::new());
    let checks = env::var("CHECKS").ok().and_then(|text| text.parse().ok()).unwrap_or_default();
    let sizes = if asked.is_empty() { &[1, 40, WAVE, 5 * WAVE] } else { asked.as_slice() };
    for services in sizes.iter().copied() {
        let mut machine = machine(services)?;
        test_each(&machine.fake, checks);
        for (release, cold) in [("first", true), ("second", false)] {
            let (began, run) = release_of(&mut machine, release).await;
            let row = Row::of(&machine, (began, &run), services, cold);
            row.print();
            print_rows(&machine.fake, checks);
            broken.extend(row.broken(&run, &machine.meter));
            broken.extend(machine.fake.open().strange.iter().take(3).cloned());
            calls.push((format!("{services} {}", row.ledger()), services, row.calls));
        }
        sweeps.push(sweep::of(&mut machine, services).await);
    }
    table::print_calls(&calls);
    println!("\nservices  calls   ECR   ECS ledger opens refused longest  of a sweep without news");
    for swept in &sweeps {
        swept.print();
        broken.extend(swept.broken());
    }
    Ok(broken)
}

/// Gives every service so many live tests.
fn test_each(fake: &Fake, checks: usize) {
    let account = &mut *fake.open();
    let names = account.ecs.services.keys().filter(|_| checks > 0);
    let tests = names.filter_map(|name| name.split_once('/')).map(|(cluster, service)| {
        let parameter = format!("/tidegate/environments/{NAME}/services/{service}/tests");
        (parameter, web::pack_of(cluster, service, checks))
    });
    account.parameters.extend(tests);
}

/// Prints how large the rows of live tests are.
fn print_rows(fake: &Fake, checks: usize) {
    let account = fake.open();
    let sizes = account.table.rows().filter(|(_, sk, _)| sk.starts_with("tests#"));
    let largest = sizes.map(|(_, _, row)| row.to_string().len()).max();
    if let Some(largest) = largest.filter(|_| checks > 0) {
        println!("{:>8} live tests each: the largest row of their results has {largest} bytes", checks);
    }
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
    Machine::new(fake)
}

/// Every service has an image of its own.
fn repository_of(service: &str) -> String {
    format!("shop/{}", service.rsplit('/').next().unwrap_or_default())
}

/// Pushes an image for each service and releases them, from then on; the account has rested before.
async fn release_of(machine: &mut Machine, release: &str) -> (i64, Run) {
    machine.meter = Meter::default();
    let mut images = BTreeMap::new();
    let began = {
        let mut account = machine.fake.open();
        let account = &mut *account;
        account.now += 600_000;
        (account.calls, account.throttled, account.table.units) = Default::default();
        for (name, service) in &mut account.ecs.services {
            service.pointed.clear();
            account.ecr.push(&repository_of(name), release, Some(release));
            images.insert(repository_of(name), release.to_owned());
        }
        account.now
    };
    (began, machine.run(release, &json!({"environment": NAME, "images": images})).await)
}
