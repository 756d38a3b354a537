//! What became of a move, read from its row once its items have ended.

use serde::{Deserialize, Serialize};

use super::moves::{MoveRow, Verdict};

/// What is rolled back of a release.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RollbackScope {
    /// Every touched move.
    All,
    /// The moves that are unhealthy.
    Failed,
}

/// The six fates; every move of a closed release has exactly one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MoveOutcome {
    /// Its turn never came: nothing changed.
    Untouched,
    /// It ended before its service was changed.
    Failed,
    /// Its service runs the digest, verified.
    Deployed,
    /// Its service is back where it was, and proven to be.
    Undone,
    /// Somebody else owns its service now.
    Superseded,
    /// Its service is in a state that nobody has proven.
    NeedsHuman,
}

impl MoveOutcome {
    /// Returns its word, as it is written everywhere.
    pub fn name(self) -> &'static str {
        match self {
            MoveOutcome::Untouched => "untouched",
            MoveOutcome::Failed => "failed",
            MoveOutcome::Deployed => "deployed",
            MoveOutcome::Undone => "undone",
            MoveOutcome::Superseded => "superseded",
            MoveOutcome::NeedsHuman => "needs-human",
        }
    }

    /// Reads the fate of a move, given what of its release is rolled back.
    pub fn of(row: &MoveRow, rollback: Option<RollbackScope>) -> MoveOutcome {
        if row.verdict == Some(Verdict::Superseded) {
            return MoveOutcome::Superseded;
        }
        // That the rollback failed says nothing by itself: a move that needs none has none to fail.
        if row.rollback_started.is_some() || row.rollback_deployment.is_some() {
            return if row.rollback_verdict == Some(Verdict::Healthy) {
                MoveOutcome::Undone
            } else {
                MoveOutcome::NeedsHuman
            };
        }
        match (row.touched, row.verdict) {
            // The others are back, and its own rollback never began.
            (Some(_), Some(Verdict::Healthy))
                if rollback == Some(RollbackScope::All) && !row.forward_only =>
            {
                MoveOutcome::NeedsHuman
            }
            (Some(_), Some(Verdict::Healthy)) => MoveOutcome::Deployed,
            (Some(_), _) => MoveOutcome::NeedsHuman,
            (None, None) if row.started.is_none() && row.failure.is_none() => MoveOutcome::Untouched,
            (None, _) => MoveOutcome::Failed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn check(fields: Value, expected: MoveOutcome) {
        check_in(fields, None, expected);
    }

    fn check_in(fields: Value, rollback: Option<RollbackScope>, expected: MoveOutcome) {
        let mut row = json!({
            "environment": "dev", "tag": "dev", "cluster": "dev", "service": "users", "registry": "123456789012",
            "repository": "shop/users", "digest": format!("sha256:{}", "a".repeat(64)), "containers": ["app"],
            "running": "arn:aws:ecs:eu-west-1:123456789012:task-definition/users:1", "replaces": "ecs-svc/1",
            "restore": null, "healthTimeoutSeconds": 900
        });
        row.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        let row: MoveRow = serde_json::from_value(row).unwrap();
        assert_eq!(MoveOutcome::of(&row, rollback), expected, "{fields}");
    }

    #[test]
    fn every_end_of_a_move_has_one_fate() {
        let t = "2026-11-23T10:00:00Z";
        let failure = json!({"error": "Denied", "cause": "no"});
        check(json!({}), MoveOutcome::Untouched);
        check(json!({"started": t}), MoveOutcome::Failed);
        check(json!({"started": t, "failure": failure}), MoveOutcome::Failed);
        check(json!({"started": t, "verdict": "Unhealthy"}), MoveOutcome::Failed);
        check(json!({"started": t, "touched": t}), MoveOutcome::NeedsHuman);
        check(json!({"touched": t, "failure": failure}), MoveOutcome::NeedsHuman);
        check(json!({"touched": t, "verdict": "Inconclusive"}), MoveOutcome::NeedsHuman);
        check(json!({"touched": t, "verdict": "Unhealthy"}), MoveOutcome::NeedsHuman);
        check(json!({"touched": t, "verdict": "Healthy"}), MoveOutcome::Deployed);
        check(json!({"touched": t, "verdict": "Superseded"}), MoveOutcome::Superseded);
        check(json!({"started": t, "verdict": "Superseded"}), MoveOutcome::Superseded);
        check(json!({"touched": t, "verdict": "Unhealthy", "undo": "ecs-svc/3"}), MoveOutcome::NeedsHuman);
        check(json!({"touched": t, "verdict": "Unhealthy", "undoStarted": t}), MoveOutcome::NeedsHuman);
        check(json!({"touched": t, "verdict": "Unhealthy", "undoFailure": failure}), MoveOutcome::NeedsHuman);
        check(
            json!({"touched": t, "verdict": "Healthy", "undo": "ecs-svc/3", "undoVerdict": "Healthy"}),
            MoveOutcome::Undone,
        );
    }

    #[test]
    fn a_move_that_needs_no_rollback_does_not_suffer_from_one_that_failed() {
        let t = "2026-11-23T10:00:00Z";
        let failed = json!({"error": "Denied", "cause": "no"});
        let healthy = json!({"touched": t, "verdict": "Healthy", "undoFailure": failed});
        let forward_only =
            json!({"touched": t, "verdict": "Healthy", "undoFailure": failed, "forwardOnly": true});
        check_in(json!({"undoFailure": failed}), Some(RollbackScope::All), MoveOutcome::Untouched);
        check_in(json!({"started": t, "undoFailure": failed}), Some(RollbackScope::All), MoveOutcome::Failed);
        check_in(healthy.clone(), Some(RollbackScope::Failed), MoveOutcome::Deployed);
        check_in(forward_only, Some(RollbackScope::All), MoveOutcome::Deployed);
        check_in(healthy, Some(RollbackScope::All), MoveOutcome::NeedsHuman);
    }

    #[test]
    fn a_name_is_what_is_written() {
        use MoveOutcome::*;
        for fate in [Untouched, Failed, Deployed, Undone, Superseded, NeedsHuman] {
            assert_eq!(json!(fate), fate.name());
        }
    }

    #[test]
    fn a_move_that_a_rollback_of_all_has_missed_needs_a_human() {
        let t = "2026-11-23T10:00:00Z";
        let healthy = json!({"touched": t, "verdict": "Healthy"});
        let forward_only = json!({"touched": t, "verdict": "Healthy", "forwardOnly": true});
        check_in(healthy.clone(), Some(RollbackScope::All), MoveOutcome::NeedsHuman);
        check_in(healthy, Some(RollbackScope::Failed), MoveOutcome::Deployed);
        check_in(forward_only, Some(RollbackScope::All), MoveOutcome::Deployed);
        check_in(json!({}), Some(RollbackScope::All), MoveOutcome::Untouched);
    }
}
