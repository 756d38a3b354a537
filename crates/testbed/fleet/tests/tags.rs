//! Tags as ECR keeps them, and the calls that write them.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "this is how a test fails")]

use fleet::fake::Fake;
use pipeline::clock::Timestamp;
use pipeline::ids::Digest;
use pipeline::image::RepositoryRef;
use pipeline::ledger::{Key, Ledger};
use pipeline::rate_limit::REGISTER;
use pipeline::rows::MoveRow;
use retag::Retag;
use retag::registry::{Aws, PlannedCalls, Port};
use retag::tags::Tagging;
use serde_json::{Value, json};

const USERS: &str = "shop/users";

/// Makes retag, and the request for a move of `users` to one image from another.
fn move_of(fake: &Fake, to: &str, from: &str) -> (Retag<Aws, Ledger>, Value) {
    let config = fake.config();
    let ledger = Ledger::of(&config, "ledger");
    let mut request: Value =
        serde_json::from_str(include_str!("../../../../events/retag/good.json")).unwrap();
    request["move"]["digest"] = json!(to);
    request["move"]["restore"]["digest"] = json!(from);
    (Retag { port: Aws::new(&config, ledger.clone()), moves: ledger }, request)
}

#[tokio::test(start_paused = true)]
async fn an_image_is_copied_by_its_digest_wherever_its_own_tag_has_gone() {
    let fake = Fake::default();
    let old = fake.open().ecr.push(USERS, "the old image", Some("dev"));
    let pushed = fake.open().ecr.push(USERS, "the image that was pushed", Some("main"));
    fake.open().ecr.push(USERS, "the image that was pushed next", Some("main"));
    let (retag, request) = move_of(&fake, &pushed, &old);
    for already in [false, true] {
        let request = serde_json::from_value(request.clone()).unwrap();
        let answer = retag.handle(request, Timestamp::from_millis(0)).await.unwrap();
        assert_eq!(serde_json::to_value(answer).unwrap(), json!({"digest": pushed, "already": already}));
        assert_eq!(fake.open().ecr.tagged(USERS, "dev"), Some(pushed.as_str()));
    }
    assert_eq!(fake.open().strange, Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn a_tag_that_ecr_has_already_is_no_failure() {
    let fake = Fake::default();
    let pushed = fake.open().ecr.push(USERS, "the image that was pushed", Some("dev"));
    let (Retag { port, .. }, request) = move_of(&fake, &pushed, &pushed);
    let row: MoveRow = serde_json::from_value(request["move"].clone()).unwrap();
    let (at, digest): (RepositoryRef, Digest) = (row.image_repository(), row.digest);
    let seen = port.snapshot(&at, &[Tagging::environment("dev", &digest)]).await.unwrap();
    assert_eq!(port.put(&at, "dev", seen.image(&digest).unwrap()).await, Ok(()));
    assert_eq!(fake.open().calls["ecr.PutImage"], 1);
}

#[tokio::test(start_paused = true)]
async fn a_registration_is_reserved_for_the_time_when_its_tags_are_written() {
    let fake = Fake::default();
    let ledger = Ledger::of(&fake.config(), "ledger");
    let (aws, now) = (Aws::new(&fake.config(), ledger.clone()), Timestamp::from_millis(1_000_000));
    // Other moves have reserved a minute of tags, and no registration yet.
    ledger.advance(&Key::rate_limit("put"), 60_000, now.millis(), false).await.unwrap();
    let start =
        aws.reserve(PlannedCalls { registrations: 1, tags: 3, is_crowded: false }, now).await.unwrap();
    assert!(start.seconds_since(now) > 50, "{start}");
    let reserved = ledger.advance(&Key::rate_limit("register"), 0, now.millis(), false).await.unwrap();
    assert_eq!(reserved, start.millis() + REGISTER.interval_ms, "nobody else counts on its turn before");
}

#[tokio::test(start_paused = true)]
async fn a_reservation_is_one_call_whether_others_wait_or_nobody() {
    let fake = Fake::default();
    let ledger = Ledger::of(&fake.config(), "ledger");
    let (aws, now) = (Aws::new(&fake.config(), ledger.clone()), Timestamp::from_millis(1_000_000));
    for (seconds, calls) in [(0, 2), (0, 4), (60, 6), (60, 8)] {
        aws.reserve(PlannedCalls { registrations: 1, tags: 3, is_crowded: false }, now.plus_seconds(seconds))
            .await
            .unwrap();
        assert_eq!(fake.open().calls["dynamodb.UpdateItem"], calls);
    }
    // What another process has reserved is found by a call that is refused.
    let other = Aws::new(&fake.config(), Ledger::of(&fake.config(), "ledger"));
    other.reserve(PlannedCalls { registrations: 1, tags: 3, is_crowded: false }, now).await.unwrap();
    assert_eq!(fake.open().calls["dynamodb.UpdateItem"], 12);
    // Unless one knows that others come at the same moment.
    let third = Aws::new(&fake.config(), Ledger::of(&fake.config(), "ledger"));
    third.reserve(PlannedCalls { registrations: 1, tags: 3, is_crowded: true }, now).await.unwrap();
    assert_eq!(fake.open().calls["dynamodb.UpdateItem"], 14);
}
