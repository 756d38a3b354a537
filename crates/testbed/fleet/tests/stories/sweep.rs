//! Sweeps: what no event has told is found once, and of all that only a lost push is started.

mod bounds;
mod findings;

use fleet::fake::End::Completes;
use fleet::machine::Hand;
use serde_json::json;

use super::harness::{Story, ask, hand, push, push_late, sweep};

const A: [(&str, &str); 1] = [("dev/a", "shop/a")];
const TWO: [(&str, &str); 2] = [("dev/a", "shop/a"), ("staging/b", "shop/b")];

/// A build pushes an image, and nobody is told.
fn unheard(name: &str) -> fleet::machine::Action {
    hand(Hand::PushUnheard("shop/a".to_owned(), name.to_owned()))
}

/// Returns the paragraphs of what a sweep has told.
fn findings(story: &Story, run: &str) -> Vec<String> {
    let told = story.told(run).into_iter().filter(|line| {
        line.starts_with("dev: ") || line.starts_with("staging: ") || line.starts_with("settled: ")
    });
    told.collect()
}

/// Tells whether a sweep told nobody anything.
fn is_silent(story: &Story, run: &str) -> bool {
    story.end(run) == "Answered" && story.told(run).is_empty()
}

#[tokio::test(start_paused = true)]
async fn a_push_whose_event_was_lost_is_started_once_and_told_once() {
    let story = Story::of(&A, json!({}))
        .at(0, sweep("s1"))
        .at(100, unheard("lost"))
        .at(600, sweep("early"))
        .at(1_000, sweep("s2"))
        .at(2_000, sweep("s3"))
        .at(3_000, sweep("s4"));
    let story = story.play().await;
    let started = story.named("lost-dev-");
    assert_eq!((started.len(), started[0].1.as_str()), (1, "Deployed"), "{started:?}");
    assert!(story.runs("dev/a", "lost") && story.is_tagged("shop/a", "dev", "lost"));
    let said = format!(
        "dev: the push of main-lost to shop/a at 2026-11-18T11:08:20Z was lost and is started now, as {}",
        started[0].0
    );
    assert_eq!(findings(&story, "s2"), [said]);
    for silent in ["s1", "early", "s3", "s4"] {
        assert!(is_silent(&story, silent), "{silent}: {:?}", story.told(silent));
    }
    // Its place is that of the push, and not that of the sweep.
    let order = &story.row("env#dev", "service#a")["order:shop/a"];
    assert!(order.as_str().unwrap().starts_with("001795000100000#"), "{order}");
    let row = story.row("push#dev", &seen_of(&story, "lost"));
    assert_eq!(row["seenBy"], "sweep");
}

/// Returns the key of the row of a push.
fn seen_of(story: &Story, name: &str) -> String {
    let account = story.machine.fake.open();
    let digest = account.ecr.tagged("shop/a", &format!("main-{name}")).unwrap();
    format!("shop/a#main-{name}#{digest}")
}

#[tokio::test(start_paused = true)]
async fn an_event_that_comes_after_the_sweep_has_started_its_push_starts_nothing() {
    // While the release runs, and long after it.
    for late in [905, 5_000] {
        let story = Story::of(&A, json!({}))
            .at(0, sweep("s1"))
            .at(100, push_late("late", "shop/a", late))
            .at(1_000, sweep("s2"))
            .at(7_000, sweep("s3"));
        let story = story.play().await;
        assert_eq!((story.end("late").as_str(), story.pointed("dev/a").len()), ("Ignored", 1), "{late}");
        assert_eq!(story.named("lost-dev-")[0].1, "Deployed");
        assert!(story.runs("dev/a", "late") && is_silent(&story, "s3"));
    }
}

#[tokio::test(start_paused = true)]
async fn an_event_that_comes_with_the_sweep_makes_one_release() {
    // The event starts before, with and after the look of the sweep.
    for late in [898_000, 899_900, 900_000, 900_100, 900_200, 900_400, 901_000] {
        let story = Story::of(&A, json!({})).at(0, sweep("s1")).at(1_000, sweep("s2"));
        let mut event = push_late("late", "shop/a", 0);
        if let fleet::machine::Action::Push(pushed) = &mut event {
            pushed.late = late;
        }
        let story = story.at(100, event).at(5_000, sweep("s3")).play().await;
        assert_eq!(story.pointed("dev/a").len(), 1, "{late}");
        let ends: Vec<String> = [story.named("lost-dev-"), story.named("late")]
            .concat()
            .into_iter()
            .map(|(_, end)| end)
            .collect();
        let deployed = ends.iter().filter(|end| *end == "Deployed").count();
        assert!(
            deployed == 1 && ends.iter().all(|end| end == "Deployed" || end == "Ignored"),
            "{late}: {ends:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_seen_is_not_started_again() {
    let story = Story::of(&A, json!({}))
        .at(0, sweep("s1"))
        .at(100, push("seen", "shop/a", Completes))
        .at(1_000, sweep("s2"))
        // It goes back on request: what it went back from stays away.
        .at(1_500, push("bad", "shop/a", Completes))
        .at(2_000, ask("back", "dev", json!({"mode": "rollback"})))
        .at(3_000, sweep("s3"));
    let story = story.play().await;
    assert_eq!(story.named("lost-"), []);
    assert!(is_silent(&story, "s2") && is_silent(&story, "s3") && story.runs("dev/a", "seen"));
}

#[tokio::test(start_paused = true)]
async fn two_sweeps_at_once_start_one_release_and_one_of_them_tells() {
    for apart in [0, 30, 100, 250] {
        let story = Story::of(&A, json!({}))
            .at(0, sweep("s1"))
            .at(100, unheard("lost"))
            .at(1_000, sweep("one"))
            .at_ms(1_000_000 + apart, sweep("other"));
        let story = story.play().await;
        assert_eq!((story.named("lost-dev-").len(), story.pointed("dev/a").len()), (1, 1), "{apart}");
        let told = [findings(&story, "one"), findings(&story, "other")].concat();
        assert_eq!(told.len(), 1, "{apart}: {told:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn in_a_freeze_a_lost_push_is_told_and_started_after_it() {
    let story = Story::of(&A, json!({}))
        .at(0, sweep("s1"))
        .at(50, ask("freeze", "dev", json!({"mode": "freeze"})))
        .at(100, unheard("lost"))
        .at(1_000, sweep("s2"))
        .at(2_000, sweep("s3"))
        .at(2_500, ask("resume", "dev", json!({"mode": "resume"})))
        .at(3_000, sweep("s4"));
    let story = story.play().await;
    let told = findings(&story, "s2");
    assert!(
        told.len() == 1 && told[0].contains("was lost, and is not started: dev is frozen since"),
        "{told:?}"
    );
    assert!(is_silent(&story, "s3"));
    assert!(findings(&story, "s4")[0].contains("was lost and is started now"));
    assert!(story.runs("dev/a", "lost") && story.pointed("dev/a").iter().all(|at| *at >= 3_000));
}

#[tokio::test(start_paused = true)]
async fn a_push_that_a_freeze_refused_is_named_by_the_resume_and_not_started_by_a_sweep() {
    let story = Story::of(&A, json!({}))
        .at(0, sweep("s1"))
        .at(50, ask("freeze", "dev", json!({"mode": "freeze"})))
        .at(100, push("older", "shop/a", Completes))
        .at(200, push("refused", "shop/a", Completes))
        .at(300, ask("resume", "dev", json!({"mode": "resume"})))
        .at(1_500, sweep("s2"));
    let story = story.play().await;
    assert_eq!((story.end("refused").as_str(), story.named("lost-")), ("Refused", vec![]));
    let told = story.told("resume").join("\n");
    let digest = seen_of(&story, "refused");
    let request = format!(
        r#"to deploy it: {{"environment":"dev","image":"{}","repository":"shop/a"}}"#,
        digest.rsplit('#').next().unwrap()
    );
    assert!(
        told.contains("the push of main-refused of shop/a was refused, and one before it: ")
            && told.contains(&request),
        "{told}"
    );
    assert!(is_silent(&story, "s2"));
}

#[tokio::test(start_paused = true)]
async fn what_was_pushed_before_the_first_sweep_or_before_the_tag_was_taken_is_left_alone() {
    let policy =
        json!({"cluster": "dev", "tag": "dev", "bakeSeconds": 0, "deployOn": ["main-*", "hotfix-*"]});
    let store = hand(Hand::Store("/tidegate/environments/dev".to_owned(), policy.to_string()));
    let story = Story::of(&A, json!({}))
        .at(0, unheard("before"))
        .at(1_000, sweep("s1"))
        .at(2_000, sweep("s2"))
        .at(2_100, unheard("meanwhile"))
        .at(2_200, store)
        .at(3_000, sweep("s3"))
        .at(4_000, sweep("s4"));
    let story = story.play().await;
    assert_eq!(story.named("lost-"), []);
    assert!(["s1", "s2", "s3", "s4"].iter().all(|run| is_silent(&story, run)));
}

#[tokio::test(start_paused = true)]
async fn somebody_who_asks_does_not_wait_for_an_event_that_may_come() {
    let asked = |name: &str, of: &str| ask(name, of, json!({"mode": "reconcile"}));
    let story = Story::of(&A, json!({}))
        .at(0, sweep("s1"))
        .at(100, unheard("lost"))
        .at(105, asked("elsewhere", "staging"))
        .at(110, asked("now", "dev"));
    let story = story.play().await;
    assert!(is_silent(&story, "elsewhere"));
    assert_eq!(findings(&story, "now").len(), 1);
    assert!(story.runs("dev/a", "lost") && story.pointed("dev/a")[0] < 200);
}
