use serde_json::json;

use super::*;
use crate::secret::Secret;

fn document(routes: Value) -> Document {
    let mut document = json!({"channels": {
        "chat": {"type": "slack", "token": "/tidegate/secrets/slack", "channel": "C1"},
        "pager": {"type": "pagerduty", "key": "/tidegate/secrets/pd"},
        "mail": {"type": "sns"},
        "broken": {"type": "slack"},
    }});
    if !routes.is_null() {
        document["routes"] = routes;
    }
    Document::read("/tidegate/alerts", &Secret::new(document.to_string()))
}

/// Returns the channels of a release of `users` and `orders` in `staging`, and how many notes go with it.
fn chosen(document: &Document, outcome: &str) -> (Vec<String>, usize) {
    let Chosen { channels, notes } = choose(document, &crate::message::tests::of_outcome(outcome));
    (channels.into_iter().map(|channel| channel.name).collect(), notes.len())
}

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[test]
fn without_a_document_all_goes_to_the_topic_and_without_routes_everywhere() {
    assert_eq!(chosen(&Document::default(), "Deployed"), (names(&["sns"]), 0));
    let (everywhere, notes) = chosen(&document(Value::Null), "Deployed");
    // The broken channel is told of, and the topic is one, by whatever name.
    assert_eq!((everywhere, notes), (names(&["sns", "chat", "pager"]), 1));
}

#[test]
fn every_matching_route_counts_and_each_channel_once() {
    let matching = |route: Value, outcome| {
        let catches = json!({"severity": "info", "kind": "nothing", "to": ["mail"]});
        chosen(&document(json!([route, catches])), outcome).0 == names(&["chat"])
    };
    for (route, outcome, matches) in [
        (json!({"to": ["chat"]}), "RolledBack", true),
        (json!({"to": ["chat"]}), "Refused", true),
        (json!({"to": ["chat"]}), "Deployed", false),
        (json!({"severity": "info", "to": ["chat"]}), "Deployed", true),
        (json!({"severity": "critical", "to": ["chat"]}), "Refused", false),
        (json!({"environment": "stag*", "to": ["chat"]}), "RolledBack", true),
        (json!({"environment": ["prod", "dev-*"], "to": ["chat"]}), "RolledBack", false),
        (json!({"service": "ord*", "to": ["chat"]}), "RolledBack", true),
        (json!({"service": "nobody", "to": ["chat"]}), "RolledBack", false),
        (json!({"kind": "release.rolled_back", "to": ["chat"]}), "RolledBack", true),
        (json!({"kind": ["release.n*", "alarm.*"], "to": ["chat"]}), "RolledBack", false),
    ] {
        assert_eq!(matching(route.clone(), outcome), matches, "{route} {outcome}");
    }
    let twice = json!([{"to": ["chat", "pager"]}, {"to": ["pager", "mail"]}]);
    assert_eq!(chosen(&document(twice), "NeedsHuman"), (names(&["chat", "pager", "sns"]), 0));
    let stops = json!([{"to": ["chat"], "stop": true}, {"to": ["pager"]}]);
    assert_eq!(chosen(&document(stops), "NeedsHuman"), (names(&["chat"]), 0));
}

#[test]
fn nothing_that_somebody_should_know_is_lost() {
    let elsewhere = json!([{"severity": "info", "environment": "prod", "to": ["chat"]}]);
    assert_eq!(chosen(&document(elsewhere.clone()), "Refused"), (names(&["sns"]), 1));
    assert_eq!(chosen(&document(elsewhere), "Deployed"), (Vec::new(), 0));
    let wrong = json!([{"severity": "info", "to": ["chta"]}, {"severity": "info", "to": ["chat"]}]);
    assert_eq!(chosen(&document(wrong), "Deployed"), (names(&["sns"]), 1));
    let off = json!([{"to": ["broken", "pager"]}]);
    assert_eq!(chosen(&document(off), "NeedsHuman"), (names(&["sns", "pager"]), 1));
}

#[test]
fn how_far_a_release_is_goes_to_whom_a_route_names_and_to_nobody_else() {
    for outcome in ["Started", "RollingBack"] {
        let nobody = (Vec::new(), 0);
        assert_eq!(chosen(&Document::default(), outcome), nobody);
        assert_eq!(chosen(&document(Value::Null), outcome), nobody);
        assert_eq!(chosen(&document(json!([{"to": ["chat"]}])), outcome), nobody);
        let wrong = json!([{"severity": "info", "to": ["chta"]}, {"severity": "info", "to": ["chat"]}]);
        assert_eq!(chosen(&document(wrong), outcome), nobody);
        let named = json!([{"severity": "info", "to": ["broken", "pager"]}]);
        assert_eq!(chosen(&document(named), outcome), (names(&["pager"]), 0));
    }
}
