//! What became of a move, read from its row once its items have ended.

use serde::{Deserialize, Serialize};

use crate::rows::{MoveRow, Undo, Verdict};

/// The six fates; every move of a closed release has exactly one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fate {
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

impl Fate {
    /// Returns its word, as it is written everywhere.
    pub fn name(self) -> &'static str {
        match self {
            Fate::Untouched => "untouched",
            Fate::Failed => "failed",
            Fate::Deployed => "deployed",
            Fate::Undone => "undone",
            Fate::Superseded => "superseded",
            Fate::NeedsHuman => "needs-human",
        }
    }

    /// Reads the fate of a move, given what of its release is undone.
    pub fn of(row: &MoveRow, undo: Option<Undo>) -> Fate {
        if row.verdict == Some(Verdict::Superseded) {
            return Fate::Superseded;
        }
        // That the way back failed says nothing by itself: a move that needs none has none to fail.
        if row.undo_started.is_some() || row.undo.is_some() {
            return if row.undo_verdict == Some(Verdict::Healthy) { Fate::Undone } else { Fate::NeedsHuman };
        }
        match (row.touched, row.verdict) {
            // The others are back, and its own way back never began.
            (Some(_), Some(Verdict::Healthy)) if undo == Some(Undo::All) && !row.forward_only => {
                Fate::NeedsHuman
            }
            (Some(_), Some(Verdict::Healthy)) => Fate::Deployed,
            (Some(_), _) => Fate::NeedsHuman,
            (None, None) if row.started.is_none() && row.failure.is_none() => Fate::Untouched,
            (None, _) => Fate::Failed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn check(fields: Value, expected: Fate) {
        check_undone(fields, None, expected);
    }

    fn check_undone(fields: Value, undo: Option<Undo>, expected: Fate) {
        let mut row = json!({
            "environment": "dev", "tag": "dev", "cluster": "dev", "service": "users", "registry": "123456789012",
            "repository": "shop/users", "digest": format!("sha256:{}", "a".repeat(64)), "containers": ["app"],
            "running": "arn:aws:ecs:eu-west-1:123456789012:task-definition/users:1", "replaces": "ecs-svc/1",
            "restore": null, "healthTimeoutSeconds": 900
        });
        row.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        let row: MoveRow = serde_json::from_value(row).unwrap();
        assert_eq!(Fate::of(&row, undo), expected, "{fields}");
    }

    #[test]
    fn every_end_of_a_move_has_one_fate() {
        let t = "2026-11-23T10:00:00Z";
        let failure = json!({"error": "Denied", "cause": "no"});
        check(json!({}), Fate::Untouched);
        check(json!({"started": t}), Fate::Failed);
        check(json!({"started": t, "failure": failure}), Fate::Failed);
        check(json!({"started": t, "verdict": "Unhealthy"}), Fate::Failed);
        check(json!({"started": t, "touched": t}), Fate::NeedsHuman);
        check(json!({"touched": t, "failure": failure}), Fate::NeedsHuman);
        check(json!({"touched": t, "verdict": "Inconclusive"}), Fate::NeedsHuman);
        check(json!({"touched": t, "verdict": "Unhealthy"}), Fate::NeedsHuman);
        check(json!({"touched": t, "verdict": "Healthy"}), Fate::Deployed);
        check(json!({"touched": t, "verdict": "Superseded"}), Fate::Superseded);
        check(json!({"started": t, "verdict": "Superseded"}), Fate::Superseded);
        check(json!({"touched": t, "verdict": "Unhealthy", "undo": "ecs-svc/3"}), Fate::NeedsHuman);
        check(json!({"touched": t, "verdict": "Unhealthy", "undoStarted": t}), Fate::NeedsHuman);
        check(json!({"touched": t, "verdict": "Unhealthy", "undoFailure": failure}), Fate::NeedsHuman);
        check(
            json!({"touched": t, "verdict": "Healthy", "undo": "ecs-svc/3", "undoVerdict": "Healthy"}),
            Fate::Undone,
        );
    }

    #[test]
    fn a_move_that_needs_no_way_back_does_not_suffer_from_one_that_failed() {
        let t = "2026-11-23T10:00:00Z";
        let failed = json!({"error": "Denied", "cause": "no"});
        let healthy = json!({"touched": t, "verdict": "Healthy", "undoFailure": failed});
        let forward_only =
            json!({"touched": t, "verdict": "Healthy", "undoFailure": failed, "forwardOnly": true});
        check_undone(json!({"undoFailure": failed}), Some(Undo::All), Fate::Untouched);
        check_undone(json!({"started": t, "undoFailure": failed}), Some(Undo::All), Fate::Failed);
        check_undone(healthy.clone(), Some(Undo::Failed), Fate::Deployed);
        check_undone(forward_only, Some(Undo::All), Fate::Deployed);
        check_undone(healthy, Some(Undo::All), Fate::NeedsHuman);
    }

    #[test]
    fn a_name_is_what_is_written() {
        use Fate::*;
        for fate in [Untouched, Failed, Deployed, Undone, Superseded, NeedsHuman] {
            assert_eq!(json!(fate), fate.name());
        }
    }

    #[test]
    fn a_move_that_an_undo_of_all_has_missed_needs_a_human() {
        let t = "2026-11-23T10:00:00Z";
        let healthy = json!({"touched": t, "verdict": "Healthy"});
        let forward_only = json!({"touched": t, "verdict": "Healthy", "forwardOnly": true});
        check_undone(healthy.clone(), Some(Undo::All), Fate::NeedsHuman);
        check_undone(healthy, Some(Undo::Failed), Fate::Deployed);
        check_undone(forward_only, Some(Undo::All), Fate::Deployed);
        check_undone(json!({}), Some(Undo::All), Fate::Untouched);
    }
}
