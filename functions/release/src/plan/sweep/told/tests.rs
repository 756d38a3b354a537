//! Sweeps one after the other, and what each of them tells.

use super::*;
use crate::plan::sweep::SERVICES;
use crate::plan::tests::release;

/// The rows of an environment, as sweeps write them one after the other.
#[derive(Default)]
struct Rows(BTreeMap<String, FoundRow>);

impl Rows {
    /// Sweeps, `s2` a quarter of an hour after `s1`, and returns what is told.
    fn sweep(&mut self, run: &str, found: &[Found]) -> Vec<String> {
        let known = self.known();
        self.change(changes(&known, found, |_| true, &release(run), at(run)));
        self.told(run)
    }

    fn known(&self) -> Vec<(String, FoundRow)> {
        self.0.iter().map(|(sk, row)| (sk.clone(), row.clone())).collect()
    }

    /// Writes as the ledger does: what somebody else has changed meanwhile stays.
    fn change(&mut self, changes: Vec<Change>) {
        for change in changes {
            let (Change::Write { what, row } | Change::Delete { what, row }) = &change;
            let sk = format!("found#{}#{what}", row.kind.word());
            let version = self.0.get(&sk).map(|row| row.version);
            match change {
                Change::Write { row, .. } if version.is_none_or(|seen| seen + 1 == row.version) => {
                    self.0.insert(sk, row);
                }
                Change::Delete { row, .. } if version == Some(row.version) => drop(self.0.remove(&sk)),
                _ => {}
            }
        }
    }

    fn told(&self, run: &str) -> Vec<String> {
        let mut news = News::default();
        news.add(&EnvironmentName::parse("dev").unwrap(), &self.known(), &release(run));
        let sentence = news.sentence();
        let told = sentence.as_deref().and_then(|told| told.strip_prefix(SWEEP_FOUND));
        told.map(|told| told.split(BETWEEN_FINDINGS).map(str::to_owned).collect()).unwrap_or_default()
    }
}

fn at(run: &str) -> Timestamp {
    let quarters: i64 = run.trim_start_matches('s').parse().unwrap();
    Timestamp::from_millis(quarters * 900_000)
}

fn found(kind: FoundKind, value: &str) -> Found {
    Found::of(kind, SERVICES, "users", value, value)
}

#[test]
fn a_finding_is_told_once_and_again_when_it_changes_and_when_it_is_no_more() {
    let mut rows = Rows::default();
    let died = |value| [found(FoundKind::Died, value)];
    assert_eq!(rows.sweep("s1", &died("r1")), ["dev: r1"]);
    assert_eq!(rows.sweep("s1", &died("r1")), ["dev: r1"], "the same call again says the same");
    assert_eq!(rows.sweep("s2", &died("r1")), [""; 0]);
    assert_eq!(rows.sweep("s3", &died("r2")), ["dev: r2"]);
    assert_eq!(rows.sweep("s4", &[]), ["settled: dev: r2"]);
    assert_eq!(rows.sweep("s4", &[]), ["settled: dev: r2"], "the same call again says the same");
    assert_eq!(rows.sweep("s5", &[]), [""; 0]);
    assert!(rows.0.is_empty());
    assert_eq!(rows.sweep("s6", &died("r2")), ["dev: r2"], "it is there again");
}

#[test]
fn what_may_pass_is_told_by_the_second_sweep_that_sees_it() {
    let mut rows = Rows::default();
    let drift = |value| [found(FoundKind::Drift, value)];
    assert_eq!(rows.sweep("s1", &drift("users:2")), [""; 0]);
    assert_eq!(rows.sweep("s1", &drift("users:2")), [""; 0], "the same sweep looks again");
    assert_eq!(rows.sweep("s2", &drift("users:3")), [""; 0], "it has changed meanwhile");
    assert_eq!(rows.sweep("s3", &drift("users:3")), ["dev: users:3"]);
    assert_eq!(rows.sweep("s4", &drift("users:3")), [""; 0]);
    // Somebody repairs it: what was told is told as settled, and what was not is nothing.
    assert_eq!(rows.sweep("s5", &[]), ["settled: dev: users:3"]);
    assert_eq!(rows.sweep("s6", &drift("users:4")), [""; 0]);
    assert_eq!(rows.sweep("s7", &[]), [""; 0]);
    assert!(rows.0.is_empty());
}

#[test]
fn a_lost_push_is_told_when_it_is_started_and_not_when_it_is_no_more() {
    let mut rows = Rows::default();
    let lost = |value| [found(FoundKind::Lost, value)];
    assert_eq!(rows.sweep("s1", &lost("lost-1 frozen")), ["dev: lost-1 frozen"]);
    assert_eq!(rows.sweep("s2", &lost("lost-1 frozen")), [""; 0]);
    assert_eq!(rows.sweep("s3", &lost("lost-1")), ["dev: lost-1"]);
    assert_eq!(rows.sweep("s4", &[]), [""; 0]);
    assert!(rows.0.is_empty());
}

#[test]
fn of_two_sweeps_at_once_one_tells() {
    let mut rows = Rows::default();
    let died = [found(FoundKind::Died, "r1")];
    let now = Timestamp::from_millis(0);
    let [first, second] = ["s1", "s2"].map(|run| changes(&rows.known(), &died, |_| true, &release(run), now));
    rows.change(first);
    rows.change(second);
    assert_eq!((rows.told("s1").len(), rows.told("s2").len()), (1, 0));
}

#[test]
fn what_another_sweep_has_not_told_yet_stays_there() {
    let mut rows = Rows::default();
    assert_eq!(rows.sweep("s1", &[found(FoundKind::Lost, "lost-1")]).len(), 1);
    let beside = changes(&rows.known(), &[], |_| true, &release("other"), at("s1").plus_seconds(599));
    assert_eq!(beside, []);
    let later = changes(&rows.known(), &[], |_| true, &release("other"), at("s1").plus_seconds(600));
    assert_eq!(later.len(), 1);
}

#[test]
fn what_was_not_looked_at_stays_as_it_is() {
    let mut rows = Rows::default();
    rows.sweep("s1", &[found(FoundKind::Died, "r1")]);
    assert_eq!(changes(&rows.known(), &[], |_| false, &release("s2"), Timestamp::from_millis(0)), []);
    let other = FoundRow { kind: FoundKind::Other, ..rows.known()[0].1.clone() };
    let later = [("found#newer#x".to_owned(), other)];
    assert_eq!(changes(&later, &[], |_| true, &release("s2"), Timestamp::from_millis(0)), []);
}

#[test]
fn much_news_is_counted_and_the_gravest_comes_first() {
    let mut rows = Rows::default();
    let many = (0..30).map(|n| {
        let kind = if n == 29 { FoundKind::Image } else { FoundKind::WayBack };
        Found::of(kind, "shop/a", &format!("shop/a#{n:02}"), "gone", &format!("image {n}"))
    });
    let told = rows.sweep("s1", &many.collect::<Vec<_>>());
    assert_eq!((told.len(), told[0].as_str()), (21, "dev: image 29"));
    assert_eq!(told[20], "and 10 more, which `make where` prints");
    let long = Found::of(FoundKind::Image, "shop/b", "shop/b", "x", &"ü".repeat(9_000));
    let mut news = News::default();
    let mut rows = Rows::default();
    rows.sweep("s1", &[long]);
    news.add(&EnvironmentName::parse("dev").unwrap(), &rows.known(), &release("s1"));
    assert!(news.is_critical() && news.sentence().unwrap().chars().count() < 1_100);
}
