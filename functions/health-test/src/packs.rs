//! Which live tests a move has to pass: the ones that its release kept, else the ones that are configured now.

use std::slice;

use pack::{Pack, supported};
use pipeline::Fault;
use pipeline::environment::tests_path;
use pipeline::ids::PackHash;
use pipeline::rows::MoveRow;

use crate::Phase;
use crate::probe::Web;
use crate::rollout::Port;

/// The live tests of a move.
#[derive(Debug)]
pub enum Chosen {
    /// These.
    Pack(Pack),
    /// None are configured.
    Nothing,
    /// Those of a rollback cannot be used, and why: no mistake in them may stop it.
    LeftOut(String),
    /// They could not be read now, and why.
    Unmeasured(String),
}

/// Reads the live tests of one attempt; a mistake in those of the way forward is a fault.
pub async fn of(port: &impl Port, web: &impl Web, phase: Phase, row: &MoveRow) -> Result<Chosen, Fault> {
    let pinned = match phase {
        Phase::After => row.pack.as_ref(),
        Phase::Rollback => row.restore.as_ref().and_then(|restore| restore.pack.as_ref()),
    };
    let read = match (text(port, row, pinned).await, phase) {
        (Ok(None), _) => return Ok(Chosen::Nothing),
        (Ok(Some((what, text))), _) => usable(web, &what, &text),
        (Err(fault @ Fault::NotFound(_)), Phase::Rollback) => Err(fault),
        (Err(fault), _) => return Ok(Chosen::Unmeasured(fault.to_string())),
    };
    match (read, phase) {
        (Ok(pack), _) => Ok(Chosen::Pack(pack)),
        (Err(fault), Phase::Rollback) => Ok(Chosen::LeftOut(fault.to_string())),
        (Err(fault), Phase::After) => Err(fault),
    }
}

/// Reads them while nothing is touched yet, so that a mistake is found in time.
pub async fn check(port: &impl Port, web: &impl Web, row: &MoveRow) -> Result<(), Fault> {
    let found = text(port, row, row.pack.as_ref()).await?;
    found.map_or(Ok(()), |(what, text)| usable(web, &what, &text).map(drop))
}

/// Returns the text, and what to call it.
async fn text(
    port: &impl Port,
    row: &MoveRow,
    pinned: Option<&PackHash>,
) -> Result<Option<(String, String)>, Fault> {
    let Some(hash) = pinned else {
        let what = format!("the parameter {}", tests_path(&row.environment, &row.service));
        return Ok(port.pack(row).await?.map(|text| (what, text)));
    };
    let what = format!("the row pack#{hash} with the live tests of {}", row.service);
    match port.pinned(slice::from_ref(hash)).await?.remove(hash) {
        Some(text) => Ok(Some((what, text))),
        None => Err(Fault::NotFound(what)),
    }
}

fn usable(web: &impl Web, what: &str, text: &str) -> Result<Pack, Fault> {
    let pack = supported::read(what, text)?;
    match pack.nowhere(web.policy()).first() {
        Some(mistake) => Err(Fault::InvalidInput(mistake.clone())),
        None => Ok(pack),
    }
}
