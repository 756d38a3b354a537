//! What sweeps have found, and the list of runs.

use std::collections::BTreeMap;

use pipeline::Fault;
use pipeline::clock::Timestamp;
use pipeline::ids::{EnvironmentName, ReleaseId, ServiceName};
use pipeline::rows::{FoundRow, LeaseRow, ListedRun, PushRow, SweepRow};
use release::intake::push::Push;
use release::plan::sweep::told::Change;
use release::ports::{PushKey, Runs, Sweeps};

use super::Notebook;

impl Sweeps for Notebook {
    async fn progress(&self, of: &EnvironmentName) -> Result<Option<SweepRow>, Fault> {
        Ok(self.progress.borrow().get(of.as_str()).cloned())
    }
    async fn note_progress(&self, of: &EnvironmentName, row: &SweepRow) -> Result<(), Fault> {
        self.progress.borrow_mut().insert(of.to_string(), row.clone());
        self.write(format!("progress, {} left", row.left))
    }
    async fn found(&self, _: &EnvironmentName) -> Result<Vec<(String, FoundRow)>, Fault> {
        let found = self.found.borrow();
        Ok(found
            .iter()
            .map(|(what, row)| (format!("found#{}#{what}", row.kind.word()), row.clone()))
            .collect())
    }
    async fn note_found(&self, _: &EnvironmentName, changes: &[Change]) -> Result<(), Fault> {
        for change in changes {
            match change {
                Change::Write { what, row } => {
                    self.found.borrow_mut().insert(what.clone(), row.clone());
                    Notebook::write(self, format!("found {} {what}", row.kind.word()))?;
                }
                Change::Delete { what, .. } => {
                    self.found.borrow_mut().remove(what);
                    Notebook::write(self, format!("settled {what}"))?;
                }
            }
        }
        Ok(())
    }
    async fn seen(&self, _: &EnvironmentName, _: &[Push]) -> Result<BTreeMap<PushKey, PushRow>, Fault> {
        Ok(BTreeMap::new())
    }
    async fn is_end_told(&self, _: &ReleaseId) -> Result<bool, Fault> {
        Ok(false)
    }
    async fn held(&self, _: &EnvironmentName) -> Result<BTreeMap<ServiceName, LeaseRow>, Fault> {
        let leases = self.leases.borrow();
        let held = leases.iter().filter(|(_, lease)| lease.release.is_some());
        Ok(held.map(|(name, lease)| (name.clone(), lease.clone())).collect())
    }
}

impl Runs for Notebook {
    async fn list_run(
        &self,
        _: &EnvironmentName,
        _: Timestamp,
        _: &ReleaseId,
        row: &ListedRun,
    ) -> Result<(), Fault> {
        self.listed.borrow_mut().push(row.clone());
        Notebook::write(self, format!("list {}", row.outcome.as_deref().unwrap_or("open")))
    }
    async fn listed_runs(&self, _: &EnvironmentName, _: Timestamp) -> Result<Vec<ListedRun>, Fault> {
        Ok(self.listed.borrow().clone())
    }
}
