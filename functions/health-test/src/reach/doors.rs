//! Finds the hosts and ports behind the live tests of some moves.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::{StreamExt, TryStreamExt, stream};
use pack::asked::Host;
use pack::{ports, supported};
use pipeline::Fault;
use pipeline::ids::{PackHash, ServiceName};
use pipeline::rows::MoveRow;
use tokio::time::timeout;

use crate::rollout::{Port, Service, Target};
use crate::values;

/// How many services are read at once.
const AT_ONCE: usize = 8;

/// How long that may take; well below the function's own time-out.
const PATIENCE: Duration = Duration::from_secs(15);

/// How many targets of a group, and tasks of a service, are tried: one may be about to stop.
const TRIED: usize = 3;

/// Something to connect to: it is open if one of its addresses answers.
#[derive(Clone, Debug, PartialEq)]
pub struct Door {
    /// The first service whose live tests ask it.
    pub service: ServiceName,
    /// The first of those live tests.
    pub check: String,
    /// Where to connect to, one after the other.
    pub sockets: Vec<(String, u16)>,
    /// The security groups of the tasks behind it; none if it is a name.
    pub groups: Option<Vec<String>>,
}

/// What is found behind the live tests of some moves.
#[derive(Debug, Default)]
pub struct Doors {
    /// What to connect to, each once.
    pub all: Vec<Door>,
    /// How many services have nothing that is fit to be tried: whether theirs can be reached is not known.
    pub untried: usize,
}

/// Reads the live tests, and the present targets of the services whose tasks are asked.
pub async fn of(
    port: &impl Port,
    moves: &[(&MoveRow, &PackHash)],
    given: BTreeMap<PackHash, String>,
) -> Result<Doors, Fault> {
    let missing = moves.iter().map(|(_, hash)| *hash).filter(|hash| !given.contains_key(*hash));
    let missing: Vec<PackHash> = missing.cloned().collect();
    let mut texts = given;
    if !missing.is_empty() {
        texts.extend(port.pinned(&missing).await?);
    }
    let (mut all, mut asked) = (Vec::new(), Vec::new());
    for (row, hash) in moves {
        let what = format!("the row pack#{hash} with the live tests of {}", row.service);
        let text = texts.get(*hash).ok_or_else(|| Fault::NotFound(what.clone()))?;
        for (host, check) in supported::read(&what, text)?.hosts(&values::of_place(row)) {
            let (service, check) = (row.service.clone(), check.to_owned());
            match host {
                Host::Named { name, port } => {
                    all.push(Door { service, check, sockets: vec![(name, port)], groups: None });
                }
                Host::Base => {
                    return Err(Fault::NotSupported(format!("{what}: check {check:?} asks ${{base.url}}")));
                }
                Host::Target | Host::Task(_) | Host::Balancer(_) => asked.push((*row, host, check)),
            }
        }
    }
    let reading = stream::iter(asked).map(|(row, host, check)| behind(port, row, host, check));
    let reading = reading.buffered(AT_ONCE).try_collect::<Vec<_>>();
    let seconds = PATIENCE.as_secs();
    let slow = |_| Fault::Unavailable(format!("AWS did not tell where the services are within {seconds} s"));
    let found = timeout(PATIENCE, reading).await.map_err(slow)??;
    let untried = found.iter().filter(|doors| doors.is_empty()).count();
    all.extend(found.into_iter().flatten());
    Ok(Doors { all: once(all), untried })
}

/// Returns what is to be connected to of a service that is there; none if nothing of it is fit to be tried.
async fn behind(port: &impl Port, row: &MoveRow, host: Host, check: String) -> Result<Vec<Door>, Fault> {
    let Some(service) = port.service(row).await? else { return Ok(Vec::new()) };
    let (groups, name) = (Some(service.security_groups.clone()), row.service.clone());
    let door = |sockets, groups| Door { service: name.clone(), check: check.clone(), sockets, groups };
    Ok(match host {
        Host::Task(which) => {
            let number = ports::number(&port.ports(&row.running).await?, &row.containers, &which);
            let number = number.map_err(|why| Fault::InvalidInput(format!("check {check:?}: {why}")))?;
            let tasks = port.tasks(row).await?.into_iter().filter(|task| task.running);
            let addresses = tasks.filter_map(|task| task.addresses.first().copied()).take(TRIED);
            let sockets: Vec<_> = addresses.map(|address| (address.to_string(), number)).collect();
            if sockets.is_empty() { Vec::new() } else { vec![door(sockets, groups)] }
        }
        Host::Balancer(number) => {
            vec![door(vec![(port.balancer(&service.target_groups).await?, number)], None)]
        }
        _ => {
            let targets = targets(port, &service).await?;
            targets.into_iter().map(|sockets| door(sockets, groups.clone())).collect()
        }
    })
}

/// Returns the healthy targets of each target group and port.
async fn targets(port: &impl Port, service: &Service) -> Result<Vec<Vec<(String, u16)>>, Fault> {
    let mut behind: BTreeMap<(String, i32), Vec<(String, u16)>> = BTreeMap::new();
    for target in port.targets(&service.target_groups).await? {
        let Target { group, port, state, .. } = &target;
        let socket = target.address().zip(u16::try_from(*port).ok()).filter(|_| state == "healthy");
        if let Some((address, at)) = socket {
            behind.entry((group.clone(), *port)).or_default().push((address.to_string(), at));
        }
    }
    behind.values_mut().for_each(|sockets| sockets.truncate(TRIED));
    Ok(behind.into_values().collect())
}

/// Keeps the first of several doors to the same addresses.
fn once(doors: Vec<Door>) -> Vec<Door> {
    let mut kept: Vec<Door> = Vec::new();
    for door in doors {
        if !kept.iter().any(|one| one.sockets == door.sockets) {
            kept.push(door);
        }
    }
    kept
}
