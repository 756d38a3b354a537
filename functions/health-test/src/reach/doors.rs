//! Finds the hosts and ports behind the live tests of some moves.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::{StreamExt, TryStreamExt, stream};
use pack::asked::{Host, TaskPort};
use pack::{Pack, ports};
use pipeline::Fault;
use pipeline::ids::{PackHash, ServiceName};
use pipeline::rows::MoveRow;
use tokio::time::timeout;

use crate::instances::{Instances, Shared, SharedTask, bound};
use crate::rollout::{InstancePort, Port, Service, Target, Task};
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
    /// Where to connect to, one after the other; or why that is not known.
    pub sockets: Result<Vec<(String, u16)>, String>,
    /// What is behind it.
    pub behind: Behind,
}

/// What is behind a door: whose security group has to let health-test in.
#[derive(Clone, Debug, PartialEq)]
pub enum Behind {
    /// A name or an address that somebody wrote down.
    Name,
    /// Tasks, with these security groups.
    Tasks(Vec<String>),
    /// The instances that tasks are on.
    Instances,
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
        for (host, check) in Pack::read(&what, text)?.hosts(&values::of_place(row)) {
            let (service, check) = (row.service.clone(), check.to_owned());
            match host {
                Host::Named { name, port } => {
                    let sockets = Ok(vec![(name, port)]);
                    all.push(Door { service, check, sockets, behind: Behind::Name });
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
    let found = match host {
        Host::Task(which) => tasks(port, row, &service, &which, &check).await?,
        Host::Balancer(number) => {
            vec![(Ok(vec![(port.balancer(&service.target_groups).await?, number)]), Behind::Name)]
        }
        _ => targets(port, row, &service).await?,
    };
    let door = |(sockets, behind)| {
        let (service, check) = (row.service.clone(), check.clone());
        Door { service, check, sockets, behind }
    };
    Ok(found.into_iter().map(door).collect())
}

/// Where to connect to, and what is behind it.
type Found = (Result<Vec<(String, u16)>, String>, Behind);

/// Returns some of the running tasks, at the port that is asked; and each of those whose instance is not known.
async fn tasks(
    port: &impl Port,
    row: &MoveRow,
    service: &Service,
    which: &TaskPort,
    check: &str,
) -> Result<Vec<Found>, Fault> {
    let ports = port.ports(&row.running).await?;
    let number = ports::number(&ports.open, &row.containers, which);
    let number = number.map_err(|why| Fault::InvalidInput(format!("check {check:?}: {why}")))?;
    let tasks: Vec<Task> = port.tasks(row).await?.into_iter().filter(|task| task.running).collect();
    let own = tasks.iter().filter_map(|task| task.addresses.first());
    let own = own.map(|address| Ok((address.to_string(), number)));
    let mut found = some(own, Behind::Tasks(service.security_groups.clone()));
    let shared = Shared::of(&tasks, []);
    let instances = Instances::of(port, row, &shared).await?;
    let at = |task: &SharedTask| {
        let address = instances.of_task(task)?;
        let number = ports::number(&bound(&ports, &task.on), &row.containers, which);
        Ok((address.to_string(), number.map_err(|why| format!("of the task {}: {why}", task.id))?))
    };
    found.extend(some(shared.tasks.iter().map(at), Behind::Instances));
    Ok(found)
}

/// Returns some of the healthy targets of each target group and port; and each of those whose instance is not known.
async fn targets(port: &impl Port, row: &MoveRow, service: &Service) -> Result<Vec<Found>, Fault> {
    let mut targets = port.targets(&service.target_groups).await?;
    targets.retain(|target| target.state == "healthy");
    let mut own: BTreeMap<(&str, i32), Vec<(String, u16)>> = BTreeMap::new();
    for target in &targets {
        let Target { group, port, .. } = target;
        let socket = target.address().zip(u16::try_from(*port).ok());
        let of_group = own.entry((group, *port)).or_default();
        of_group.extend(socket.map(|(address, at)| (address.to_string(), at)));
    }
    let groups = || Behind::Tasks(service.security_groups.clone());
    let own = own.into_values().flat_map(|sockets| some(sockets.into_iter().map(Ok), groups()));
    let mut found: Vec<Found> = own.collect();
    // The ports of an instance are as good as any: ECS has taken the next one that was free.
    let shared = Shared::of([], &targets);
    let instances = Instances::of(port, row, &shared).await?;
    let at = |target: &InstancePort| Ok((instances.of_id(&target.instance)?.to_string(), target.port));
    found.extend(some(shared.targets.iter().map(at), Behind::Instances));
    Ok(found)
}

/// Returns a door to a few of several places, of which one has to answer; and one to each that is not known.
fn some(places: impl Iterator<Item = Result<(String, u16), String>>, behind: Behind) -> Vec<Found> {
    let (mut sockets, mut doors) = (Vec::new(), Vec::new());
    for place in places {
        match place {
            Ok(socket) => sockets.push(socket),
            Err(why) => doors.push((Err(why), behind.clone())),
        }
    }
    sockets.truncate(TRIED);
    if !sockets.is_empty() {
        doors.push((Ok(sockets), behind));
    }
    doors
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
