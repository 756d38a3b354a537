//! What the functions keep of the releases that they have served.

use pipeline::Fault;

/// How many releases the same processes serve, how many are not measured, and what they may keep of the others.
const RELEASES: usize = 10;
const FIRST_RELEASES: usize = 4;
const MOST_KEPT_KB: i64 = 512;
const SERVICES: usize = 100;

/// Releases again and again with the same processes, in an account that forgets, and checks what they keep.
pub async fn check() -> Result<Vec<String>, Fault> {
    let mut machine = super::machine(SERVICES)?;
    let (mut resident, mut broken) = (Vec::new(), Vec::new());
    for n in 0..RELEASES {
        let release = format!("release-{n}");
        let (_, run) = super::release_of(&mut machine, &release).await;
        if run.end != "Deployed" {
            broken.push(format!("{release} ended {}: {}", run.end, run.because));
        }
        let mut account = machine.fake.open();
        account.table.forget(|pk, sk| !pk.starts_with("env#") || sk.starts_with("write#"));
        account.ecs.forget_revisions();
        account.ecr.forget(&release);
        account.executions.clear();
        resident.push(resident_kb());
    }
    let kept = resident.last().copied().unwrap_or_default()
        - resident.get(FIRST_RELEASES - 1).copied().unwrap_or_default();
    println!("resident kB after releases of {SERVICES} services by the same processes: {resident:?}");
    println!("kept of the last {}: {kept} kB\n", RELEASES - FIRST_RELEASES);
    if resident.contains(&0) {
        broken.push("how much memory it has cannot be read".to_owned());
    }
    if kept > MOST_KEPT_KB {
        broken.push(format!("the functions keep {kept} kB of {} releases", RELEASES - FIRST_RELEASES));
    }
    Ok(broken)
}

/// Reads how much memory the process has.
fn resident_kb() -> i64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or_default()
}
