//! Finds the hosts and ports behind the live tests of some moves.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::{StreamExt, TryStreamExt, stream};
use pack::asked::Host;
use pack::supported;
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

/// How many targets of a group are tried: one may be about to stop.
const TARGETS: usize = 3;

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
    /// How many services have no healthy target: whether theirs can be reached is not known.
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
                Host::Target => asked.push((*row, check)),
                Host::Named { name, port } => {
                    all.push(Door { service, check, sockets: vec![(name, port)], groups: None });
                }
                Host::Task(_) | Host::Balancer(_) | Host::Base => {
                    return Err(Fault::NotSupported(format!("{what}: check {check:?} asks {host:?}")));
                }
            }
        }
    }
    let reading = stream::iter(asked).map(|(row, check)| targets(port, row, check));
    let reading = reading.buffered(AT_ONCE).try_collect::<Vec<_>>();
    let seconds = PATIENCE.as_secs();
    let slow =
        |_| Fault::Unavailable(format!("AWS did not tell the targets of the services within {seconds} s"));
    let behind = timeout(PATIENCE, reading).await.map_err(slow)??;
    let untried = behind.iter().filter(|doors| doors.is_empty()).count();
    all.extend(behind.into_iter().flatten());
    Ok(Doors { all: once(all), untried })
}

/// Returns a door for each target group and port of a service; none if no present target is healthy.
async fn targets(port: &impl Port, row: &MoveRow, check: String) -> Result<Vec<Door>, Fault> {
    let Some(Service { target_groups, security_groups, .. }) = port.service(row).await? else {
        return Ok(Vec::new());
    };
    let mut behind: BTreeMap<(String, i32), Vec<(String, u16)>> = BTreeMap::new();
    for target in port.targets(&target_groups).await? {
        let Target { group, port, state, .. } = &target;
        let socket = target.address().zip(u16::try_from(*port).ok()).filter(|_| state == "healthy");
        if let Some((address, at)) = socket {
            behind.entry((group.clone(), *port)).or_default().push((address.to_string(), at));
        }
    }
    let doors = behind.into_values().map(|mut sockets| {
        sockets.truncate(TARGETS);
        let groups = Some(security_groups.clone());
        Door { service: row.service.clone(), check: check.clone(), sockets, groups }
    });
    Ok(doors.collect())
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
