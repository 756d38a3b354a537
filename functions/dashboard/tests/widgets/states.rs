//! How a service is said to be, and which buttons are offered for it and for a release.

use serde_json::{Value, json};

use super::rows::Rows;
use super::shop::{BEGAN, digest, name, release, service, shop};
use super::{drawn, drawn_at};

/// The cells of a service, one for each environment in the order of promotion.
async fn cells(rows: &Rows, n: usize) -> Vec<String> {
    let html = drawn(rows, json!({"view": "environments"})).await.unwrap();
    let row = html.split("<tr>").find(|row| row.contains(&format!("row\">{}<", name(n)))).unwrap();
    row.split("<td>").skip(1).map(str::to_owned).collect()
}

fn row_of<'a>(rows: &'a mut Rows, environment: &str, n: usize) -> &'a mut Value {
    let (pk, sk) = (format!("env#{environment}"), format!("service#{}", name(n)));
    rows.rows.iter_mut().find(|row| row["pk"] == pk && row["sk"] == sk).unwrap()
}

#[tokio::test]
async fn what_a_release_left_to_a_person_is_not_verified() {
    let mut rows = shop(3);
    rows.add("open#dev", "release#r-7", json!({"version": 1, "services": [name(0), name(1)]}));
    // The release has deployed this one all the same.
    row_of(&mut rows, "dev", 1)["history"][0]["release"] = "r-7".into();
    assert!(cells(&rows, 0).await[0].contains("needs a human"));
    assert!(cells(&rows, 1).await[0].contains("verified") && cells(&rows, 2).await[0].contains("verified"));
}

#[tokio::test]
async fn what_ecs_does_not_have_any_more_is_gone_and_the_age_of_the_comparison_is_told() {
    let mut rows = shop(2);
    let html = drawn(&rows, json!({"view": "environments"})).await.unwrap();
    assert_eq!(html.matches("never compared with ECS").count(), 3);
    rows.add("env#dev", "sweep", json!({
        "first": BEGAN, "takes": "dev", "run": "s-1", "since": "2026-11-23T09:59:00Z", "left": 0, "gone": [name(1)]
    }));
    let html = drawn(&rows, json!({"view": "environments"})).await.unwrap();
    assert!(html.contains("compared with ECS <time datetime=\"2026-11-23T09:59:00Z\""));
    assert!(
        cells(&rows, 1).await[0].contains("gone from ECS") && cells(&rows, 0).await[0].contains("verified")
    );
}

#[tokio::test]
async fn what_is_not_ahead_is_not_offered() {
    let offers = |cell: &str| cell.contains("&quot;act&quot;:&quot;promote&quot;");
    // In staging the second one is behind dev, and the first one is not.
    let rows = shop(2);
    assert!(!offers(&cells(&rows, 0).await[1]) && offers(&cells(&rows, 1).await[1]));
    // Dev has gone back to the first image, which staging has passed.
    let mut back = shop(1);
    let fact = |n: usize, since: &str, how: &str| {
        json!({"repository": format!("shop/{}", name(0)), "digest": digest(n), "since": since, "release": format!("r-{n}"),
               "how": how, "taskDefinition": format!("arn:aws:ecs:eu-west-1:123456789012:task-definition/x:{n}")})
    };
    let old = fact(1, "2026-11-20T09:00:00Z", "released");
    let new = fact(2, BEGAN, "released");
    *row_of(&mut back, "dev", 0) = json!({"pk": "env#dev", "sk": format!("service#{}", name(0)),
        "verified": fact(1, "2026-11-23T09:50:00Z", "rolledBack"), "previous": null,
        "history": [fact(1, "2026-11-23T09:50:00Z", "rolledBack"), new, old]});
    assert!(!offers(&cells(&back, 0).await[1]), "an older image is no promotion");
    // Somebody has rolled staging back from what dev has.
    let mut held = shop(1);
    let row = row_of(&mut held, "staging", 0);
    let keys = (row["pk"].clone(), row["sk"].clone());
    *row = service(fact(1, "2026-11-23T09:50:00Z", "rolledBack"), None);
    (row["pk"], row["sk"]) = keys;
    row[format!("hold:shop/{}", name(0))] = json!({"digest": digest(2), "release": "r-3", "since": BEGAN});
    row_of(&mut held, "dev", 0)["history"][0]["since"] = "2026-11-23T09:55:00Z".into();
    let cell = cells(&held, 0).await[1].clone();
    assert!(cell.contains("on hold") && cell.contains("by force alone") && !offers(&cell), "{cell}");
    // Nothing goes forward in a freeze.
    let mut frozen = shop(2);
    frozen.add("env#staging", "frozen", json!({"frozen": true, "by": "f", "because": "x", "since": BEGAN}));
    assert!(!offers(&cells(&frozen, 1).await[1]));
}

/// The labels of the buttons that act.
async fn buttons(rows: &Rows, id: &str) -> Vec<String> {
    let html = drawn(rows, json!({"view": "release", "release": id})).await.unwrap();
    let before = html.split("DashboardActsFunction").count() - 1;
    let labels: Vec<String> = html
        .split("aria-label=\"")
        .skip(1)
        .filter(|rest| {
            rest.split("<cwdb-action").nth(1).is_some_and(|action| action.contains("DashboardActsFunction"))
        })
        .map(|rest| rest.split(&format!(" {id}\"")).next().unwrap().to_owned())
        .filter(|label| ["Approve", "Reject", "Abort", "Roll back"].contains(&label.as_str()))
        .collect();
    assert_eq!(labels.len(), before);
    labels
}

#[tokio::test]
async fn a_release_offers_what_the_machine_would_do() {
    let with = |outcome: Value, more: Value| {
        let mut rows = shop(2);
        release(&mut rows, "r-2", 2, None);
        let head = rows.rows.iter_mut().find(|row| row["sk"] == "head").unwrap();
        head["outcome"] = outcome;
        head.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        rows
    };
    let stop = json!({"stop": {"by": "a-1", "because": "x", "since": BEGAN, "rollback": true}});
    let goes_back = json!({"request": {"environment": "dev", "to": "previous"}});
    for (outcome, more, expected) in [
        (json!("Deployed"), json!({}), vec!["Roll back"]),
        (json!("NeedsHuman"), json!({}), vec!["Roll back"]),
        (json!("RolledBack"), json!({}), vec![]),
        (json!("Deployed"), goes_back, vec![]),
        (Value::Null, json!({}), vec!["Abort"]),
        (Value::Null, stop, vec![]),
        (Value::Null, json!({"undo": "all"}), vec![]),
    ] {
        assert_eq!(buttons(&with(outcome.clone(), more.clone()), "r-2").await, expected, "{outcome} {more}");
    }
    let mut died = with(Value::Null, json!({}));
    died.add("env#dev", "found#died#r-2", json!({
        "kind": "died", "place": "services", "value": "r-2", "text": "the release r-2 has died", "since": BEGAN, "run": "s-1",
        "noted": BEGAN, "told": "s-1"
    }));
    assert_eq!(buttons(&died, "r-2").await, ["Roll back"]);
    let html = drawn(&died, json!({"view": "release", "release": "r-2"})).await.unwrap();
    assert!(html.contains("died: its execution has ended"));
}

#[tokio::test]
async fn who_is_asked_sees_what_would_move() {
    let now = pipeline::clock::Timestamp::parse("2026-11-24T15:45:00Z").unwrap();
    let payload = json!({"view": "release", "release": "waits-for-approval"});
    let html = drawn_at(&super::recorded(), payload, now).await.unwrap();
    assert!(html.contains("waits for an answer") && html.contains("Approve in staging: users "), "{html}");
    assert!(html.contains("aria-label=\"What would move\""));
}
