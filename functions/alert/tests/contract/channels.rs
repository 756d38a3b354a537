//! What each channel is given, and what it must not be.

use serde_json::{Value, json};

use crate::fixture::{Fixture, SECRET, URL};
use crate::requests::{request, tell};

#[tokio::test]
async fn sns_gets_one_message_by_protocol_with_what_subscriptions_filter_by() {
    let mut fixture = Fixture::default();
    let request = request(&mut fixture, "RolledBack");
    assert_eq!(tell(&fixture, request).await.unwrap().delivered, ["sns"]);
    let published = fixture.published.borrow();
    let [publication] = published.as_slice() else { panic!("{published:?}") };
    let mut attributes = publication.attributes.clone();
    attributes.sort();
    let attributes: Vec<(&str, &str)> =
        attributes.iter().map(|(name, value)| (*name, value.as_str())).collect();
    assert_eq!(
        attributes,
        [
            ("environment", "staging"),
            ("outcome", "RolledBack"),
            ("release", "sample"),
            ("severity", "critical")
        ]
    );
    let message: Value = serde_json::from_str(&publication.message).unwrap();
    let protocols: Vec<&String> = message.as_object().unwrap().keys().collect();
    assert_eq!(protocols, ["default", "email", "sms"]);
    assert!(message.as_object().unwrap().values().all(Value::is_string));
}

#[tokio::test]
async fn a_webhook_gets_json_and_a_signature_of_it() {
    let mut fixture = Fixture::with_webhook();
    let request = request(&mut fixture, "RolledBack");
    assert_eq!(tell(&fixture, request).await.unwrap().delivered, ["sns", "webhook"]);
    let posted = fixture.posted.borrow();
    let [(Some(signature), body)] = posted.as_slice() else { panic!("it was posted otherwise") };
    assert!(signature.starts_with("sha256=") && signature.len() == 7 + 64, "{signature}");
    let mut body: Value = serde_json::from_str(body).unwrap();
    let moves = body["moves"].take();
    let text = body["text"].take();
    assert!(text.as_str().unwrap().starts_with("Rolled back: "));
    let users = moves.as_array().unwrap().iter().find(|told| told["service"] == "users").unwrap();
    assert_eq!((&users["verdict"], &users["fate"]), (&json!("Unhealthy"), &json!("undone")));
    assert_eq!(users["from"], json!(format!("sha256:{}", "a".repeat(64))));
    assert_eq!(users["to"], json!(format!("sha256:{}", "b".repeat(64))));
    assert!(users["reason"].as_str().unwrap().starts_with("live test \"health\" failed"));
    assert!(body["because"].take().as_str().unwrap().starts_with("users is unhealthy"));
    assert!(body["link"].take().as_str().unwrap().starts_with("https://eu-west-1.console.aws.amazon.com/"));
    assert_eq!(
        body,
        json!({
            "release": "sample", "environment": "staging", "outcome": "RolledBack", "severity": "critical",
            "subject": "Rolled back: users and 2 more services in staging", "text": null, "because": null,
            "moves": null, "moreMoves": 0, "link": null, "dedupKey": "sample",
            "fates": {"undone": 2, "untouched": 1}, "plan": []
        })
    );
}

#[tokio::test]
async fn a_webhook_that_refuses_has_failed() {
    for status in [301, 400, 404, 500] {
        let mut fixture = Fixture { webhook_status: status, ..Fixture::with_webhook() };
        let request = request(&mut fixture, "Deployed");
        let fault = tell(&fixture, request).await.unwrap_err();
        let expected =
            format!("the alert was not delivered by webhook (the webhook answered with status {status})");
        assert_eq!(fault.to_string(), expected);
        assert_eq!(fixture.published.borrow().len(), 1);
    }
}

#[tokio::test]
async fn no_secret_gets_out_whatever_happens() {
    let broken = json!({"webhook": {"url": [URL], "secret": SECRET}}).to_string();
    let typing_error = json!({"webhook": {"url": URL, "sekret": SECRET}}).to_string();
    let not_json = format!("{URL} {SECRET}");
    let good = Fixture::with_webhook().settings.unwrap();
    for (settings, webhook_status) in
        [(good.clone(), 204), (good, 500), (broken, 0), (typing_error, 0), (not_json, 0)]
    {
        let mut fixture = Fixture { settings: Some(settings), webhook_status, ..Fixture::default() };
        let request = request(&mut fixture, "RolledBack");
        let answer = match tell(&fixture, request).await {
            Ok(answer) => format!("{answer:?} {}", serde_json::to_string(&answer).unwrap()),
            Err(fault) => format!("{fault:?} {fault}"),
        };
        let out = format!("{answer} {:?} {:?} {:?}", fixture.published, fixture.posted, fixture.deliveries);
        assert!(!out.contains("c4nary"), "{out}");
    }
}
