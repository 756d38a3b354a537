//! What was delivered already, and what is still to be.

use alert::delivery::Delivery;
use testbed::recorded;

use crate::fixture::Fixture;
use crate::requests::{request, tell};

#[tokio::test]
async fn a_failing_channel_stops_no_other_and_a_retry_sends_only_what_is_missing() {
    let mut fixture = Fixture { sns_down: true, ..Fixture::with_webhook() };
    let first = request(&mut fixture, "RolledBack");
    let fault = tell(&fixture, &first).await.unwrap_err();
    assert_eq!(fault.name(), "Unavailable");
    assert_eq!(fault.to_string(), "the alert was not delivered by sns (could not publish to the topic)");
    assert_eq!(fixture.sent(), (0, 1));
    fixture.sns_down = false;
    assert_eq!(tell(&fixture, &first).await.unwrap().delivered, ["sns", "webhook"]);
    assert_eq!(fixture.sent(), (1, 1));
    assert_eq!(tell(&fixture, first).await.unwrap().delivered, ["sns", "webhook"]);
    assert_eq!(fixture.sent(), (1, 1));
}

#[tokio::test]
async fn each_end_is_told_although_an_earlier_message_was_delivered() {
    let mut fixture = Fixture::default();
    let asked = request(&mut fixture, "WaitingForApproval");
    fixture.report.as_mut().unwrap().head.as_mut().unwrap().outcome = None;
    tell(&fixture, &asked).await.unwrap();
    tell(&fixture, &asked).await.unwrap();
    assert_eq!(fixture.sent().0, 1);
    // The plan became smaller, and is asked about again.
    fixture.report.as_mut().unwrap().head.as_mut().unwrap().plan = "another".to_owned();
    tell(&fixture, asked).await.unwrap();
    assert_eq!(fixture.sent().0, 2);
    let ended = request(&mut fixture, "Deployed");
    tell(&fixture, ended).await.unwrap();
    assert_eq!(fixture.sent().0, 3);
}

#[tokio::test]
async fn nobody_is_asked_about_a_release_that_has_ended() {
    let mut fixture = Fixture::default();
    let asked = request(&mut fixture, "WaitingForApproval");
    assert!(tell(&fixture, &asked).await.unwrap().delivered.is_empty());
    assert_eq!(fixture.sent(), (0, 0));
}

#[test]
fn what_an_earlier_version_has_delivered_is_still_known() {
    for rows in recorded::recordings("release#", "alert#") {
        assert!(!rows.is_empty(), "no delivery is recorded");
        let deliveries: Vec<Delivery> = rows.iter().map(recorded::Row::read).collect();
        assert!(deliveries.iter().any(|delivery| delivery.plan.is_some()));
    }
}
