//! What a draft makes of many services.

use super::*;
use crate::answer::Untouched;
use crate::plan::Admission;

#[test]
fn a_service_that_no_release_can_move_holds_up_nobody_but_who_names_it() {
    let idle = |change: &dyn Fn(&mut Candidate)| {
        let mut idle = candidate(":main-1");
        idle.service.name = ServiceName::parse("idle").unwrap();
        change(&mut idle);
        idle
    };
    let named = |names: &[&str]| ReleaseSpec {
        services: Some(names.iter().map(|name| ServiceName::parse(*name).unwrap()).collect()),
        ..spec()
    };
    let unfit: [&dyn Fn(&mut Candidate); 4] = [
        &|one| one.service.desired = 0,
        &|one| one.service.controller = "EXTERNAL".to_owned(),
        &|one| one.service.strategy = "CANARY".to_owned(),
        &|one| one.loss = Some("it has x, which a copy would lose".to_owned()),
    ];
    for change in unfit {
        let both = [candidate(":main-1"), idle(change)];
        let left = drafted(&both, &spec());
        assert!(!left.is_refused() && left.moves.len() == 1);
        assert_eq!(left.untouched[0].service.as_str(), "idle");
        assert_eq!(left.findings[0].kind, FindingKind::Warns);
        assert!(left.findings[0].text.starts_with("idle is left out: "), "{:?}", left.findings);
        for (candidates, spec) in [(&both[..], named(&["users", "idle"])), (&both[1..], spec())] {
            let refused = drafted(candidates, &spec);
            assert!(refused.is_refused() && refused.untouched.is_empty());
            assert!(refused.findings[0].text.starts_with("idle: "), "{:?}", refused.findings);
        }
    }
}

#[test]
fn one_release_moves_two_thousand_services_at_most() {
    let mut many = vec![candidate(":main-1"); 2_000];
    assert!(!drafted(&many, &spec()).is_refused());
    many.push(candidate(":main-1"));
    let refused = drafted(&many, &spec());
    assert!(refused.is_refused());
    assert_eq!(refused.findings[0].text, "2001 services would move: expected 2000 at most");
}

#[test]
fn a_restore_point_that_is_not_what_a_release_verified_is_told() {
    let mut changed = candidate(&format!("@{}", digest('a')));
    changed.row.verified = Some(VerifiedImage { task_definition: arn(7), ..known('a') });
    let found = drafted(&[changed], &spec()).findings;
    assert_eq!((found.len(), found[0].kind), (1, FindingKind::Tells));
    assert!(found[0].text.starts_with("users: it runs users:1 and not users:7, which was verified"));

    let mut adopted = candidate(&format!("@{}", digest('a')));
    adopted.row.verified = Some(VerifiedImage { release: None, ..known('a') });
    assert!(drafted(&[adopted], &spec()).findings.is_empty(), "it runs as it was adopted");

    // What ECS has put back by itself.
    let mut back = candidate(&format!("@{}", digest('b')));
    back.row.verified = Some(known('b'));
    let dead = ReleaseSpec { to: ImageSelection::RestorePointsOf(release("r0")), ..spec() };
    let found = drafted(std::slice::from_ref(&back), &dead).findings;
    assert_eq!((found.len(), found[0].kind), (1, FindingKind::Tells));
    assert!(found[0].text.starts_with("users: ECS had rolled it back to bbbbbbbbbbbb already"));
    assert!(drafted(&[back], &ReleaseSpec { force: true, ..spec() }).findings.is_empty());
}

/// A service that runs the image already, and one of which a newer push wants something else.
fn staying() -> (Candidate, Candidate) {
    let (mut there, mut newer) = (candidate(":main-1"), candidate(":main-1"));
    there.row.verified = Some(known('b'));
    newer.row.order = Some(key(5001, 5001, &digest('c')));
    (there, newer)
}

#[test]
fn a_service_that_cannot_be_read_refuses_who_names_it_or_may_mean_nothing_else() {
    let (there, newer) = staying();
    for (candidates, named, refused) in [
        (&[candidate(":main-1")][..], None, false),
        (&[there], None, false),
        (&[newer], None, false),
        (&[], None, true),
        (&[candidate(":main-1")], Some("users"), false),
        (&[candidate(":main-1")], Some("lost"), true),
    ] {
        let services = named.map(|name| vec![ServiceName::parse(name).unwrap()]);
        let lost = [(ServiceName::parse("lost").unwrap(), "it is denied".to_owned())].into();
        let seen = ClusterSnapshot { unreadable: lost, ..ClusterSnapshot::default() };
        let (draft, _) = admitted(seen, candidates, Vec::new(), &ReleaseSpec { services, ..spec() });
        assert_eq!(draft.is_refused(), refused, "{:?}", draft.findings);
    }
}

#[test]
fn a_release_that_moves_nothing_says_why() {
    let (there, newer) = staying();
    let mut overruled = newer.clone();
    let later = Timestamp::from_millis(5001);
    overruled.row.order = Some(pipeline::rows::OrderKey::new(later, later, None));
    let nothing = |why: &str| Admission::Nothing(why.to_owned());
    let dead = || ReleaseSpec { to: ImageSelection::RestorePointsOf(release("r0")), ..spec() };
    let idle = ("orders", "r0 has not updated it");
    let none = ("carts", "r0 wrote no restore point for it");
    for (candidates, untouched, spec, expected) in [
        (&[][..], &[][..], spec(), nothing("no service of dev runs an image of shop/users")),
        (
            &[],
            &[],
            ReleaseSpec { only_newer: true, ..spec() },
            nothing("no service of dev has a newer verified image"),
        ),
        (&[], &[none], dead(), nothing("r0 wrote no restore point for a service of dev")),
        (&[], &[none, idle], dead(), nothing("orders: r0 has not updated it")),
        (
            std::slice::from_ref(&there),
            &[],
            spec(),
            Admission::There("every service of dev runs bbbbbbbbbbbb already".to_owned()),
        ),
        (
            &[overruled, newer.clone()],
            &[],
            spec(),
            Admission::Refused(
                "a request that came later than the push of bbbbbbbbbbbb has decided what dev runs: start a release \
                 of it, if it is meant all the same"
                    .to_owned(),
            ),
        ),
        (
            &[there.clone(), newer],
            &[],
            spec(),
            Admission::Superseded("a newer push than bbbbbbbbbbbb was accepted for dev".to_owned()),
        ),
    ] {
        let stays = |(name, why): &(&str, &str)| Untouched {
            service: ServiceName::parse(*name).unwrap(),
            why: (*why).to_owned(),
        };
        let untouched = untouched.iter().map(stays).collect();
        assert_eq!(admitted(ClusterSnapshot::default(), candidates, untouched, &spec).1, expected);
    }
}

fn drafted(candidates: &[Candidate], spec: &ReleaseSpec) -> PlanDraft {
    let services = candidates.iter().map(|one| one.service.clone()).collect();
    let seen = ClusterSnapshot { services, ..ClusterSnapshot::default() };
    admitted(seen, candidates, Vec::new(), spec).0
}

fn admitted(
    seen: ClusterSnapshot,
    candidates: &[Candidate],
    untouched: Vec<Untouched>,
    spec: &ReleaseSpec,
) -> (PlanDraft, Admission) {
    let order = key(5000, 6000, &digest('b'));
    let (name, environment, release) = (EnvironmentName::parse("dev").unwrap(), environment(), release("r9"));
    let (order, now) = (&order, Timestamp::from_millis(9000));
    let context =
        PlanContext { name: &name, environment: &environment, order, release: &release, since: now, now };
    let draft = PlanDraft::new(seen, candidates, untouched, spec, context);
    let admission = draft.admission(spec, context);
    (draft, admission)
}
