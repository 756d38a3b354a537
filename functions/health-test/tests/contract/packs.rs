//! Which live tests judge a move, and what becomes of those that cannot be used.

use health_test::Phase;
use pipeline::payload::MoveRef;
use pipeline::rows::{MoveRow, RestorePoint, Verdict};

use crate::fixture::{Fixture, PACK, STRICT};
use crate::requests::{before, changed, of, poll, request, sample};

/// A check that nobody can carry out yet.
const NOT_YET: &str = r#"{"checks":[{"name":"a","http":{"url":"${base.url}/"}}]}"#;

#[tokio::test]
async fn a_pack_with_a_mistake_is_refused_before_the_service_is_touched() {
    let late = r#"{"checks":[{"name":"a","http":{"url":"http://10.0.0.1/","within":"6s"}}]}"#;
    for (pack, name) in
        [(r#"{"cheks":[]}"#, "InvalidInput"), (NOT_YET, "NotSupported"), (late, "InvalidInput")]
    {
        let fixture = Fixture { pack: Some(pack), ..Fixture::good() }.untouched();
        assert_eq!(poll(&fixture, before(MoveRef::Ordinal(3))).await.unwrap_err().name(), name);
    }
}

#[tokio::test]
async fn a_service_without_live_tests_is_healthy_and_the_reason_says_so() {
    let fixture = Fixture { pack: None, ..Fixture::good() };
    let answer = poll(&fixture, request(Phase::After)).await.unwrap();
    assert_eq!(
        (answer.verdict, answer.reason.as_str()),
        (Verdict::Healthy, "it is stable; no live tests are configured")
    );
}

#[tokio::test]
async fn each_way_is_judged_by_the_live_tests_that_were_kept_for_it() {
    let (good, strict) = (Some(pack::hash(PACK)), Some(pack::hash(STRICT)));
    let restore = |row: &mut MoveRow, pack| {
        row.restore = row.restore.take().map(|restore| RestorePoint { pack, ..restore });
    };
    for (case, phase, kept, verdict, read) in [
        ("good", Phase::After, None, Verdict::Healthy, "pack"),
        ("good", Phase::After, strict.clone(), Verdict::Unhealthy, "pinned"),
        ("rollback", Phase::Rollback, strict.clone(), Verdict::Unhealthy, "pinned"),
    ] {
        let which = changed(case, |row| match phase {
            Phase::Before | Phase::After => {
                row.pack = kept.clone();
                restore(row, good.clone());
            }
            Phase::Rollback => {
                row.pack = good.clone();
                restore(row, kept.clone());
            }
        });
        let fixture = Fixture::of(case);
        let answer = poll(&fixture, of(phase, which, None)).await.unwrap();
        assert_eq!(answer.verdict, verdict, "{case} {kept:?}: {}", answer.reason);
        assert!(fixture.calls.borrow().contains(&read), "{case} {kept:?}");
    }
    let which = changed("good", |row| row.pack = strict);
    let fixture = Fixture { pack: Some("{"), ..Fixture::good() };
    assert!(
        poll(&fixture, before(which)).await.is_ok(),
        "the present live tests are not those of the release"
    );
}

#[tokio::test]
async fn live_tests_that_cannot_be_used_never_stop_a_rollback() {
    let late = r#"{"checks":[{"name":"a","http":{"url":"http://10.0.0.1/","within":"6s"}}]}"#;
    let with = |text: &str| {
        let pack = Some(pack::hash(text));
        changed("rollback", |row| {
            row.restore = row.restore.take().map(|restore| RestorePoint { pack, ..restore });
        })
    };
    for pack in [r#"{"cheks":[]}"#, NOT_YET, "{", late] {
        let kept: &'static [&'static str] = Box::leak(Box::new([pack]));
        let fixture = Fixture { kept, ..Fixture::of("rollback") };
        let answer = poll(&fixture, of(Phase::Rollback, with(pack), None)).await.unwrap();
        assert_eq!(answer.verdict, Verdict::Healthy);
        assert!(
            answer.reason.starts_with("it is stable; its live tests were left out: "),
            "{}",
            answer.reason
        );
    }
    // Those that are configured now are written for another version.
    let fixture = Fixture { pack: Some(STRICT), ..Fixture::of("rollback") };
    let answer = poll(&fixture, sample("rollback")).await.unwrap();
    assert_eq!(
        (answer.verdict, answer.reason.as_str()),
        (Verdict::Healthy, "it is stable; no live tests are configured")
    );
    let lost = with("lost");
    let answer = poll(&Fixture::of("rollback"), of(Phase::Rollback, lost, None)).await.unwrap();
    assert_eq!(answer.verdict, Verdict::Healthy);
    assert!(answer.reason.ends_with("with the live tests of users does not exist"), "{}", answer.reason);
    // What cannot be read now may be readable soon, and forward a mistake is a fault.
    let fixture = Fixture { pack: Some("{"), ..Fixture::good() };
    assert_eq!(poll(&fixture, sample("good")).await.unwrap_err().name(), "InvalidInput");
}
