//! What it means that a release was rolled back.

use super::Oracle;
use crate::fake::State;

impl Oracle {
    /// Hears that a release was rolled back: no service runs what it brought, but for those that were to stay.
    pub(super) fn hears_of_a_rollback(&mut self, account: &mut State, release: &str) {
        let (now, pk) = (account.now, format!("release#{release}"));
        let head = account.table.row(&pk, "head").unwrap_or_default();
        for (_, row) in account.table.list(&pk, "move#") {
            let text = |key: &str| row[key].as_str().unwrap_or_default();
            let stays = head["undo"] == "failed" || row["forwardOnly"] == true;
            let name = format!("{}/{}", text("cluster"), text("service"));
            let Some(service) = account.ecs.at(&name, now) else { continue };
            let runs = service.primary().0 == text("deployment") && service.runs_only(text("digest"));
            self.holds(stays || !runs, || {
                format!("{release} is told as rolled back, and {name} runs what it brought")
            });
        }
    }
}
