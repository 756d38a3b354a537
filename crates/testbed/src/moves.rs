//! A ledger in memory for the steps of one move.

use std::cell::RefCell;

use pipeline::Fault;
use pipeline::ids::ServiceName;
use pipeline::ledger::{Loaded, MoveLedger, Write};
use pipeline::payload::{MoveKey, MoveRef};
use pipeline::rows::{MoveEvent, MoveRow};
use serde_json::Value;

/// The move that a key means, and what was noted of it.
#[derive(Debug, Default)]
pub struct Moves {
    /// What is found by an ordinal; a move given whole is its own.
    pub found: Option<Loaded>,
    /// Whether somebody else holds the service now.
    pub lost: bool,
    /// What was noted, as it is written.
    pub noted: RefCell<Vec<Value>>,
}

impl MoveLedger for Moves {
    async fn load(&self, key: &MoveKey) -> Result<Loaded, Fault> {
        match (&key.which, &self.found) {
            (MoveRef::Inline(row), _) => Ok(Loaded::given(row)),
            (MoveRef::Ordinal(_), Some(found)) => Ok(found.clone()),
            (MoveRef::Ordinal(n), None) => Err(Fault::NotFound(format!("move {n}"))),
        }
    }

    async fn check_lease(&self, _: &MoveKey, _: &MoveRow) -> Result<(), Fault> {
        match self.lost {
            true => Err(Fault::LeaseLost("somebody else holds the service".to_owned())),
            false => Ok(()),
        }
    }

    async fn note(&self, _: &MoveKey, _: &MoveRow, event: MoveEvent) -> Result<(), Fault> {
        let fields = serde_json::to_value(event).map_err(|error| Fault::Defect(error.to_string()))?;
        self.noted.borrow_mut().push(fields);
        Ok(())
    }

    async fn note_with(
        &self,
        key: &MoveKey,
        row: &MoveRow,
        event: MoveEvent,
        _: Vec<Write>,
    ) -> Result<bool, Fault> {
        self.note(key, row, event).await.map(|()| true)
    }

    async fn fail(&self, _: &MoveKey, service: &ServiceName) -> Result<(), Fault> {
        self.noted.borrow_mut().push(serde_json::json!({"failed": service}));
        Ok(())
    }
}
