//! The plans that a person is asked to agree to, and the answers.

use pipeline::Fault;
use pipeline::ids::{EnvironmentName, ReleaseId, ServiceName};
use pipeline::ledger::{Key, Ledger};
use pipeline::rows::{Answer, PlanRow, WaitingRow};
use serde_json::json;

use super::{Rows, last_part};
use crate::ports::Approvals;

impl Approvals for Ledger {
    async fn propose(&self, release: &ReleaseId, row: &PlanRow) -> Result<(), Fault> {
        self.put(&Key::plan(release, &row.service), row).await
    }

    async fn proposed(&self, release: &ReleaseId) -> Result<Vec<PlanRow>, Fault> {
        self.plan(release).await
    }

    async fn replan(&self, release: &ReleaseId, plan: &str, services: &[ServiceName]) -> Result<(), Fault> {
        // What it waited for before says nothing of how long it will wait for its leases then.
        self.set_head(release, json!({"plan": plan, "services": services, "waits": null})).await
    }

    async fn wait(
        &self,
        environment: &EnvironmentName,
        release: &ReleaseId,
        row: &WaitingRow,
        plan: &str,
    ) -> Result<(), Fault> {
        self.set_head(release, json!({"asked": plan})).await?;
        self.put(&Key::waiting(environment, release), row).await
    }

    async fn waiting(&self, environment: &EnvironmentName) -> Result<Vec<(ReleaseId, WaitingRow)>, Fault> {
        let rows = self.list(&format!("env#{environment}"), "waiting#").await?;
        let named = rows.into_iter().map(|(sk, row)| Ok((ReleaseId::parse(last_part(&sk))?, row)));
        named.collect()
    }

    async fn answer(
        &self,
        environment: &EnvironmentName,
        release: &ReleaseId,
        row: &WaitingRow,
        by: &ReleaseId,
    ) -> Result<bool, Fault> {
        let same = ("#token = :token", json!({"token": row.token}));
        let key = Key::waiting(environment, release);
        self.set(&key, json!({"answeredBy": by, "token": row.token}), Some(same)).await
    }

    async fn record_answer(&self, release: &ReleaseId, answer: &Answer) -> Result<(), Fault> {
        self.set_head(release, json!({"answer": answer})).await
    }

    async fn answered(
        &self,
        environment: &EnvironmentName,
        release: &ReleaseId,
        row: Option<&WaitingRow>,
    ) -> Result<(), Fault> {
        let same = row.map(|row| ("#token = :token", json!({"token": row.token})));
        self.delete(&Key::waiting(environment, release), same).await
    }
}
