//! Where production traffic went, of a service whose traffic ECS shifts.

use pipeline::rows::{Gate, MoveRow, Verdict};
use pipeline::text::{LONGEST_SENTENCE, line};

/// Says which tasks had production traffic, and when; nothing of a service that rolls, or that was never updated.
pub(super) fn story(row: &MoveRow) -> Option<String> {
    row.traffic.as_ref()?;
    row.touched?;
    let mut said = vec![match (row.shifted, &row.shifted_by) {
        (None, _) => "none reached the new tasks".to_owned(),
        (Some(at), None) => format!("tested in the dark, to the new tasks from {at} on"),
        (Some(at), Some(_)) => {
            format!("to the new tasks from {at} on, without an answer of this release")
        }
    }];
    said.extend(back(row));
    Some(line(&said.join("; "), LONGEST_SENTENCE))
}

/// Says how it went back.
fn back(row: &MoveRow) -> Option<String> {
    let since = row.goes_back_since()?;
    let by_ecs = match &row.rollback_deployment {
        Some(back) => Some(back) == row.deployment.as_ref(),
        None => row.given_back.is_some(),
    };
    match (row.shifted, row.rollback_shifted) {
        (_, Some(at)) => Some(format!("to the restore point from {at} on")),
        (Some(_), None) if by_ecs => {
            Some(format!("given back to the old tasks, which still ran, at {since}"))
        }
        _ => None,
    }
}

/// Says how to answer a gate that may still wait: nobody of a release that has ended does.
pub(super) fn open_gate(row: &MoveRow) -> Option<String> {
    let Gate { hook, stage, expires, deployment, .. } = row.gate.as_ref()?;
    let answered = row.answered.as_ref().is_some_and(|answered| answered.hook == *hook);
    let decided =
        row.verdict.is_some_and(|verdict| matches!(verdict, Verdict::Healthy | Verdict::Superseded));
    if answered || decided || row.goes_back_since().is_some() {
        return None;
    }
    let until = expires.map_or_else(String::new, |at| format!(" until {at}"));
    Some(format!(
        "it may still wait at {stage}{until}, and ECS puts the service back then; to have it put back now: aws ecs \
         continue-service-deployment --service-deployment-arn {deployment} --hook-id {hook} --action ROLLBACK"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    /// Returns a move of a service that shifts, with some keys more.
    fn row(more: Value) -> MoveRow {
        let sample: Value =
            serde_json::from_str(include_str!("../../../../events/deploy/continue.json")).unwrap();
        let mut row = sample["move"].clone();
        for key in ["gate", "answered", "shifted"] {
            row.as_object_mut().unwrap().remove(key);
        }
        row.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        serde_json::from_value(row).unwrap()
    }

    #[test]
    fn it_says_where_production_traffic_went_and_when() {
        let (at, later) = ("2026-11-23T10:00:09Z", "2026-11-23T10:05:00Z");
        let ours = row(json!({})).deployment.unwrap();
        for (more, expected) in [
            (json!({}), Some("none reached the new tasks".to_owned())),
            (json!({"shifted": at}), Some(format!("tested in the dark, to the new tasks from {at} on"))),
            (
                json!({"shifted": at, "shiftedBy": "other"}),
                Some(format!("to the new tasks from {at} on, without an answer of this release")),
            ),
            (
                json!({"shifted": at, "undoStarted": later, "undo": ours}),
                Some(format!(
                    "tested in the dark, to the new tasks from {at} on; given back to the old tasks, which still \
                     ran, at {later}"
                )),
            ),
            (
                json!({"shifted": at, "undoStarted": at, "undo": "ecs-svc/77", "rollbackShifted": later}),
                Some(format!(
                    "tested in the dark, to the new tasks from {at} on; to the restore point from {later} on"
                )),
            ),
            (
                json!({"shifted": at, "givenBack": later}),
                Some(format!(
                    "tested in the dark, to the new tasks from {at} on; given back to the old tasks, which still \
                     ran, at {later}"
                )),
            ),
            (json!({"undoStarted": at, "undo": ours}), Some("none reached the new tasks".to_owned())),
            (json!({"touched": null}), None),
            (json!({"traffic": null}), None),
        ] {
            assert_eq!(story(&row(more.clone())), expected, "{more}");
        }
    }

    #[test]
    fn a_gate_that_nobody_answers_any_more_is_told_with_the_command_that_ends_it() {
        let gate = json!({
            "hook": "h1", "stage": "POST_TEST_TRAFFIC_SHIFT", "verdict": "DarkHealthy", "reason": "why",
            "expires": "2026-11-23T11:00:00Z", "at": "2026-11-23T10:00:00Z", "deployment": "arn:sd",
        });
        let told = |more: Value| {
            let mut keys = json!({ "gate": gate });
            keys.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            open_gate(&row(keys))
        };
        let command = told(json!({})).unwrap();
        assert!(
            command.starts_with("it may still wait at POST_TEST_TRAFFIC_SHIFT until 2026-11-23T11:00:00Z")
        );
        assert!(
            command.ends_with("--service-deployment-arn arn:sd --hook-id h1 --action ROLLBACK"),
            "{command}"
        );
        let answered = json!({"hook": "h1", "action": "CONTINUE", "at": "2026-11-23T10:00:01Z"});
        for more in [
            json!({ "answered": answered }),
            json!({"undoStarted": "2026-11-23T10:00:01Z"}),
            json!({"givenBack": "2026-11-23T10:00:01Z"}),
            json!({"verdict": "Healthy"}),
        ] {
            assert_eq!(told(more.clone()), None, "{more}");
        }
        assert_eq!(open_gate(&row(json!({}))), None);
    }
}
