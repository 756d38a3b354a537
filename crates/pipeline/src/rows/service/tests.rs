use super::*;
use serde_json::json;

fn repository() -> Repository {
    Repository::parse("shop/users").unwrap()
}

/// A fact: the letter of its digest, and how it came; a number makes each one later than the one before.
fn fact(n: i64, letter: char, how: How) -> VerifiedImage {
    let release = matches!(how, How::Released | How::RolledBack).then(|| format!("r{n}"));
    serde_json::from_value(json!({
        "repository": "shop/users", "digest": format!("sha256:{}", letter.to_string().repeat(64)),
        "taskDefinition": format!("arn:aws:ecs:r:1:task-definition/users:{n}"),
        "since": Timestamp::from_millis(n * 1000), "release": release, "how": how
    }))
    .unwrap()
}

/// A service to which all that happened, oldest first: a digest each, `<` before it for a rollback to it.
fn service(story: &str) -> ServiceRow {
    let mut row = ServiceRow::default();
    for (n, word) in (1..).zip(story.split_whitespace()) {
        let how = match word.chars().next() {
            Some('<') => How::RolledBack,
            Some('=') => How::Found,
            Some('.') => How::Baseline,
            _ => How::Released,
        };
        row.history = row.with(&fact(n, word.chars().last().unwrap(), how));
    }
    row
}

fn letters(facts: &[&VerifiedImage]) -> String {
    facts.iter().map(|fact| fact.digest.as_str().chars().last().unwrap()).collect()
}

#[test]
fn a_rollback_goes_to_what_was_verified_before_and_past_what_was_left() {
    for (story, verified, before) in [
        ("a", "a", ""),
        (".a b", "b", "a"),
        ("a b c", "c", "b"),
        // The same image again, by whatever revision: what was before it is before it still.
        ("a b b", "b", "a"),
        ("a b =b", "b", "a"),
        // Back once, and back again.
        ("a b c <b", "b", "a"),
        ("a b c <b <a", "a", ""),
        ("a b c <b d", "d", "b"),
        // What was rolled back from, and is verified again, is a version like any other.
        ("a b <a b c", "c", "b"),
        // An older image deployed on purpose is no rollback.
        ("a b a", "a", "b"),
    ] {
        let row = service(story);
        assert_eq!(
            letters(&row.verified(&repository()).into_iter().collect::<Vec<_>>()),
            verified,
            "{story}"
        );
        assert_eq!(letters(&row.before(&repository()).into_iter().collect::<Vec<_>>()), before, "{story}");
    }
}

#[test]
fn a_repeated_fact_is_one_and_old_ones_are_forgotten() {
    let mut row = service("a b c d e f");
    assert_eq!(letters(&row.facts(&repository())), "fedcb");
    row.history = row.with(&fact(6, 'f', How::Released));
    assert_eq!(letters(&row.facts(&repository())), "fedcb");
}

#[test]
fn each_repository_has_a_history_of_its_own() {
    let mut row = service("a b");
    let proxy = Repository::parse("shop/proxy").unwrap();
    row.history = row.with(&VerifiedImage { repository: proxy.clone(), ..fact(9, 'c', How::Released) });
    assert_eq!((letters(&row.facts(&repository())), letters(&row.facts(&proxy))), ("ba".into(), "c".into()));
    assert_eq!(row.before(&repository()).unwrap().digest, fact(1, 'a', How::Released).digest);
    assert_eq!(row.repositories(), [&proxy, &repository()]);
}

#[test]
fn what_an_older_version_wrote_is_read_where_the_history_lacks_it() {
    let (a, b, c) = (fact(1, 'a', How::Released), fact(2, 'b', How::Released), fact(3, 'c', How::Released));
    let old = ServiceRow { verified: Some(b.clone()), previous: Some(a.clone()), ..ServiceRow::default() };
    assert_eq!(letters(&old.facts(&repository())), "ba");
    // An older version closed a release after this one had written a history.
    let mixed = ServiceRow {
        verified: Some(c.clone()),
        previous: Some(b.clone()),
        history: vec![b.clone(), a.clone()],
        ..ServiceRow::default()
    };
    assert_eq!(letters(&mixed.facts(&repository())), "cba");
    assert_eq!(letters(&[mixed.before(&repository()).unwrap()]), "b");
    // What is not newer than the history adds nothing to it.
    let (past, same) = (b.clone(), VerifiedImage { since: c.since, ..a.clone() });
    for verified in [past, same] {
        let history = vec![c.clone()];
        let row = ServiceRow { history, verified: Some(verified), ..ServiceRow::default() };
        assert_eq!(letters(&row.facts(&repository())), "c");
    }
    // What this version writes for older ones is no second fact.
    let written = ServiceRow { history: vec![c.clone(), b, a], verified: Some(c), ..ServiceRow::default() };
    assert_eq!(letters(&written.facts(&repository())), "cba");
}

#[test]
fn what_an_older_version_wrote_of_one_repository_is_kept_with_the_first_fact_of_another() {
    let (a, b) = (fact(1, 'a', How::Released), fact(2, 'b', How::Released));
    let old = ServiceRow { verified: Some(b), previous: Some(a), ..ServiceRow::default() };
    let proxy = Repository::parse("shop/proxy").unwrap();
    let other = VerifiedImage { repository: proxy.clone(), ..fact(9, 'c', How::Released) };
    let (history, verified) = (old.with(&other), Some(other));
    let next = ServiceRow { history, verified, ..ServiceRow::default() };
    assert_eq!(letters(&next.facts(&repository())), "ba");
    assert_eq!(letters(&next.facts(&proxy)), "c");
}

#[test]
fn a_rollback_does_not_bring_an_image_anew() {
    let row = service("a b <a");
    let digest = &fact(1, 'a', How::Released).digest;
    assert_eq!(row.released(&repository(), digest), Some(Timestamp::from_millis(1000)));
    // Nobody had verified the baseline before.
    let row = service(".a b <a c <a");
    assert_eq!(row.released(&repository(), digest), Some(Timestamp::from_millis(3000)));
    assert_eq!(service(".a").released(&repository(), digest), None);
}

#[test]
fn orders_and_holds_are_of_one_repository() {
    let (users, proxy) = (repository(), Repository::parse("shop/proxy").unwrap());
    let hold = json!({"digest": fact(1, 'b', How::Released).digest, "release": "r1", "since": "2026-11-23T10:00:00Z"});
    let row: ServiceRow = serde_json::from_value(json!({
        "verified": fact(1, 'a', How::Released), "order": "000000000000005#", "hold": hold,
        "order:shop/proxy": "000000000000007#"
    }))
    .unwrap();
    assert_eq!(row.order(&users).unwrap().as_str(), "000000000000005#");
    assert_eq!(row.order(&proxy).unwrap().as_str(), "000000000000007#");
    assert!(row.holds(&users).len() == 1 && row.holds(&proxy).is_empty());
    let released: ServiceRow =
        serde_json::from_value(json!({"hold": hold, "hold:shop/users": null})).unwrap();
    assert!(released.holds(&users).is_empty());
}

#[test]
fn what_an_older_version_wrote_keeps_its_repository_when_another_one_is_verified() {
    let proxy = Repository::parse("shop/proxy").unwrap();
    let digest = Digest::parse(format!("sha256:{}", "b".repeat(64))).unwrap();
    let order = OrderKey::new(Timestamp::from_millis(1), Timestamp::from_millis(2), Some(&digest));
    let hold = Hold { digest, release: ReleaseId::parse("r2").unwrap(), since: Timestamp::from_millis(3) };
    let verified = Some(fact(4, 'a', How::Released));
    let mut row =
        ServiceRow { order: Some(order.clone()), hold: Some(hold), verified, ..ServiceRow::default() };
    assert_eq!((row.carried(&repository()), row.carried(&proxy)), (None, Some(&repository())));
    assert_eq!((row.order(&repository()), row.holds(&repository()).len()), (Some(order), 1));
    row.verified = Some(VerifiedImage { repository: proxy.clone(), ..fact(9, 'c', How::Released) });
    assert_eq!(
        (row.order(&repository()), row.holds(&repository()).len()),
        (None, 0),
        "it has to be carried before"
    );
}

#[test]
fn every_image_that_was_rolled_back_from_is_held_until_it_is_verified_again() {
    let hold = |letter| Hold {
        digest: fact(0, letter, How::Released).digest,
        release: ReleaseId::parse(format!("back-from-{letter}")).unwrap(),
        since: Timestamp::from_millis(3),
    };
    let of = |holds: &[Hold]| {
        let (newest, before) = (json!(holds.first()), json!(holds.get(1..).unwrap_or_default()));
        let keys = [(hold_key(&repository()), newest), (holds_before_key(&repository()), before)];
        ServiceRow { by_repository: keys.into(), ..ServiceRow::default() }
    };
    let after = |row: &ServiceRow, letter, left: Option<char>| {
        let holds = row.holds_with(&fact(9, letter, How::RolledBack), left.map(hold).as_ref());
        let kept = of(&holds);
        assert_eq!(kept.holds(&repository()), holds);
        (kept, holds.iter().map(|hold| hold.release.as_str().to_owned()).collect::<Vec<_>>())
    };
    let (row, held) = after(&ServiceRow::default(), 'b', Some('c'));
    assert_eq!(held, ["back-from-c"]);
    let (row, held) = after(&row, 'a', Some('b'));
    assert_eq!(held, ["back-from-b", "back-from-c"]);
    assert!(row.hold(&repository(), &hold('c').digest).is_some());
    // Somebody insists on one of them, and goes back from it once more.
    let (row, held) = after(&row, 'c', None);
    assert_eq!(held, ["back-from-b"]);
    let (row, held) = after(&row, 'b', Some('c'));
    assert_eq!(held, ["back-from-c"]);
    let (row, held) = after(&row, 'a', Some('c'));
    assert_eq!(held, ["back-from-c"], "it is held once");
    let again = ServiceRow { history: vec![fact(9, 'c', How::Released)], ..of(&[hold('b'), hold('c')]) };
    assert_eq!(again.holds(&repository()), [hold('b')], "an older version has ended the newest one alone");
    let (_, held) = "def012".chars().fold((row, held), |(row, _), letter| after(&row, 'a', Some(letter)));
    assert_eq!(held.len(), KEPT);
}
