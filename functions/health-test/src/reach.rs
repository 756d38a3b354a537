//! Connects once, before a release touches anything, to all that its live tests will ask.
//!
//! A rule that is missing in a security group looks like a broken service later; now the present version answers, so
//! that what cannot be reached is the way to it.

mod decide;
mod doors;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use futures_util::{StreamExt, stream};
use pipeline::Fault;
use pipeline::ids::{PackHash, ReleaseId};
use pipeline::rows::MoveRow;
use serde::{Deserialize, Serialize};

use crate::probe::{CONNECT, Web};
use crate::rollout::Port;
use decide::Found;
use doors::Door;

/// How many moves one call looks at: reading about them has to fit into the function's time-out.
const MOVES_PER_CALL: usize = 25;

/// How many connections are made at once.
const AT_ONCE: usize = 64;

/// How long the connections of one call may take together; well below the function's own time-out.
const BUDGET: Duration = Duration::from_secs(9);

/// What the state machine asks for.
#[derive(Debug, Deserialize)]
pub struct Request {
    /// The release.
    pub release: ReleaseId,
    /// What the call before handed back.
    #[serde(default, rename = "looks")]
    pub state: Option<ReachState>,
    /// Its moves, where they are given whole, as sample events do; the ledger has them.
    #[serde(default)]
    pub moves: Option<Vec<MoveRow>>,
    /// Their live tests, where the moves are given whole.
    #[serde(default)]
    pub packs: BTreeMap<PackHash, String>,
}

/// What one call hands to the next.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ReachState {
    /// How many moves are done.
    pub done: usize,
    /// How often something of the next ones was not reached.
    pub tries: usize,
    /// How many services had nothing healthy to try.
    pub untried: usize,
}

/// Where the release goes from here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Next {
    /// Everything can be reached.
    Reached,
    /// Not all of it is known yet.
    Pending,
    /// Something cannot be reached.
    Unreachable,
}

/// What is known by now.
#[derive(Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Response {
    /// Where to go; `Pending` asks for another call.
    pub next: Next,
    /// Why, as a sentence for the alert.
    pub because: String,
    /// How long to wait before another call.
    pub pause_seconds: u32,
    /// What that call is to be given.
    #[serde(rename = "looks")]
    pub state: ReachState,
}

/// Answers one request.
pub async fn answer(port: &impl Port, web: &impl Web, request: Request) -> Result<Response, Fault> {
    let Request { release, state, moves, packs } = request;
    let mut state = state.unwrap_or_default();
    let moves = match moves {
        Some(moves) => moves,
        None => port.moves(&release).await?,
    };
    let tested =
        moves.iter().filter_map(|row| Some((row, row.pack.as_ref().filter(|name| name.is_something())?)));
    let tested: Vec<(&MoveRow, &PackHash)> = tested.collect();
    let some = tested.get(state.done.min(tested.len())..).unwrap_or_default();
    let some = some.get(..MOVES_PER_CALL.min(some.len())).unwrap_or_default();
    let doors = doors::of(port, some, packs).await?;
    // A second try must not count them again.
    let untried = if state.tries == 0 { doors.untried } else { 0 };
    state.untried = state.untried.saturating_add(untried);
    let shut = shut(web, &doors.all).await;
    let found = Found { total: tested.len(), looked_at: some.len(), shut };
    Ok(decide::next(state, found, port.own_groups()))
}

/// Returns the doors that are shut, each with the reason.
async fn shut<'a>(web: &impl Web, doors: &'a [Door]) -> Vec<(&'a Door, String)> {
    let end = Instant::now() + BUDGET;
    let knocked = stream::iter(doors).map(async |door| Some((door, knock(web, door, end).await?)));
    let shut: Vec<Option<(&Door, String)>> = knocked.buffered(AT_ONCE).collect().await;
    shut.into_iter().flatten().collect()
}

/// Tells why none of the addresses behind a door can be connected to; none if one can.
async fn knock(web: &impl Web, door: &Door, end: Instant) -> Option<String> {
    let mut why = String::new();
    let sockets = match &door.sockets {
        Ok(sockets) => sockets,
        Err(why) => return Some(why.clone()),
    };
    for (host, port) in sockets {
        let left = end.saturating_duration_since(Instant::now()).min(CONNECT);
        if left.is_zero() {
            return Some("no time was left to try it".to_owned());
        }
        match web.connect(host, *port, left).await {
            Ok(()) => return None,
            Err(error) => why = error,
        }
    }
    Some(why)
}
