//! Which live tests a move has to pass: the ones that its release kept, else the ones that are configured now.

use std::collections::BTreeSet;
use std::slice;

use pack::Pack;
use pipeline::Fault;
use pipeline::environment::tests_path;
use pipeline::ids::PackHash;
use pipeline::rows::MoveRow;

use crate::Phase;
use crate::probe::Web;
use crate::rollout::Port;
use crate::values;

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
        Phase::Before | Phase::After => row.pack.as_ref(),
        Phase::Rollback => row.restore.as_ref().and_then(|restore| restore.pack.as_ref()),
    };
    // Without any a rollback asks none: those that are configured now are written for another version.
    if pinned.map_or(phase == Phase::Rollback, |name| !name.is_something()) {
        return Ok(Chosen::Nothing);
    }
    let read = match (text(port, row, pinned).await, phase) {
        (Ok(None), _) => return Ok(Chosen::Nothing),
        (Ok(Some((what, text))), _) => usable(web, &what, &text).and_then(|pack| match pinned {
            Some(_) => Ok(pack),
            None => to_nobody_else(pack, row),
        }),
        (Err(fault @ Fault::NotFound(_)), Phase::Rollback) => Err(fault),
        (Err(fault), _) => return Ok(Chosen::Unmeasured(fault.to_string())),
    };
    match (read, phase) {
        (Ok(pack), Phase::Rollback) => Ok(Chosen::Pack(pack.requests_in(pack::Phase::Live))),
        (Ok(pack), _) => Ok(Chosen::Pack(pack)),
        (Err(fault), Phase::Rollback) => Ok(Chosen::LeftOut(fault.to_string())),
        (Err(fault), Phase::Before | Phase::After) => Err(fault),
    }
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
    let pack = Pack::read(what, text)?;
    match pack.nowhere(web.policy()).first() {
        Some(mistake) => Err(Fault::InvalidInput(mistake.clone())),
        None => Ok(pack),
    }
}

/// Refuses live tests that would send a secret to others than the service: only an opening knows whom they may ask.
fn to_nobody_else(pack: Pack, row: &MoveRow) -> Result<Pack, Fault> {
    match pack.strangers(&BTreeSet::new(), &values::of_place(row)).into_iter().next() {
        Some(mistake) => Err(Fault::InvalidInput(mistake)),
        None => Ok(pack),
    }
}
