//! Tables for who has signed an image.

use super::*;
use crate::ports::Signed;

const SHOP: &str = "arn:aws:signer:eu-west-1:123456789012:/signing-profiles/shop";
const MALL: &str = "arn:aws:signer:eu-west-1:123456789012:/signing-profiles/mall";

fn asks_for(profiles: &[&str]) -> String {
    serde_json::json!({"platform": false, "signature": {"ecr": {"profiles": profiles}}}).to_string()
}

fn signed(signings: &[(&str, Signed)]) -> Inspected {
    let signings = signings.iter().cloned();
    let signings = signings.map(|(profile, signed)| Signing { profile: profile.to_owned(), signed });
    Inspected { signings: Some(Ok(signings.collect())), ..inspected(None) }
}

#[test]
fn one_of_the_profiles_has_signed_an_image_or_it_is_refused_in_words_that_say_what_to_do() {
    let failed = || Signed::No("AccessDenied: may not sign".to_owned());
    let odd = || Signed::Unknown("REVOKED".to_owned());
    let (shop, both) = (asks_for(&[SHOP]), asks_for(&[SHOP, MALL]));
    let denied =
        format!("ECR could not sign it with {SHOP} (AccessDenied: may not sign): expected that who pushes");
    let other =
        format!("ECR signs it with {MALL}: expected a signature of {SHOP}; add the profile to the rule");
    let unsigned =
        format!("it is not signed: expected a signature of {SHOP}, {MALL}; add a rule for its repository");
    let late = How { waited: SIGNING_BEGINS_WITHIN, ..How::default() };
    for (check, signings, becoming, said) in [
        (&shop, vec![(SHOP, Signed::Yes)], Becomes::Goes, ""),
        (&both, vec![(MALL, Signed::Yes), (SHOP, failed())], Becomes::Goes, ""),
        (&both, vec![(SHOP, Signed::Yes), (MALL, Signed::NotYet)], Becomes::Goes, ""),
        (&shop, vec![(MALL, Signed::Yes), (SHOP, failed())], Becomes::Refused, &*denied),
        (
            &both,
            vec![(MALL, Signed::NotYet), (SHOP, failed())],
            Becomes::Waits(10),
            "ECR is still signing it",
        ),
        (
            &both,
            vec![(SHOP, failed()), (MALL, odd())],
            Becomes::Refused,
            "measured: ECR says REVOKED of its signature",
        ),
        (&shop, vec![(MALL, Signed::Yes)], Becomes::Refused, &*other),
        (&both, vec![], Becomes::Refused, &*unsigned),
    ] {
        let (found, why) = becomes(check, signed(&signings), late);
        assert!(found == becoming && why.contains(said), "{signings:?}: {found:?} {why}");
    }
}

#[test]
fn a_signature_is_waited_for_and_what_could_not_be_signed_is_never_overridden() {
    let shop = asks_for(&[SHOP]);
    let how = |waited| How { waited, ..How::default() };
    let forces = How { force: true, ..How::default() };
    let advises = How { more: r#","advisory":true"#, waited: 3_600, ..How::default() };
    let none = || signed(&[]);
    let begun = || signed(&[(SHOP, Signed::NotYet)]);
    let failed = || signed(&[(SHOP, Signed::No("why".to_owned()))]);
    let throttled =
        || Inspected { signings: Some(Err(Fault::Throttled("slow".to_owned()))), ..inspected(None) };
    let denied = || Inspected { signings: Some(Err(Fault::Denied("no".to_owned()))), ..inspected(None) };
    let unread = || Inspected { built: Err(Fault::NotFound("the image x".to_owned())), ..none() };
    for (seen, how, becoming) in [
        // The release of a push may open before ECR has begun.
        (&none as &dyn Fn() -> Inspected, how(0), Becomes::Waits(10)),
        (&none, how(SIGNING_BEGINS_WITHIN - 1), Becomes::Waits(10)),
        (&none, how(SIGNING_BEGINS_WITHIN), Becomes::Refused),
        (&none, forces, Becomes::Refused),
        (&none, advises, Becomes::Warned),
        (&begun, how(3_599), Becomes::Waits(60)),
        (&begun, how(3_600), Becomes::Refused),
        (&begun, forces, Becomes::Warned),
        (&failed, how(0), Becomes::Refused),
        (&failed, forces, Becomes::Refused),
        (&throttled, how(0), Becomes::Waits(10)),
        (&throttled, forces, Becomes::Warned),
        (&denied, how(0), Becomes::Refused),
        (&denied, forces, Becomes::Warned),
    ] {
        let (found, why) = becomes(&shop, seen(), how);
        assert_eq!(found, becoming, "{why}");
        let measured = !why.contains("it could not be measured: ");
        assert_eq!(why.contains(TO_OVERRIDE), found == Becomes::Refused && !measured, "{why}");
    }
    let Verdict { refused, warned, .. } = judged_how(&shop, unread(), forces);
    assert!(refused[0].contains("it is not signed") && warned[0].contains("the image x does not exist"));
    assert!(
        becomes(&shop, denied(), forces).1.contains("expected that it may ecr:DescribeImageSigningStatus")
    );
}

#[test]
fn whatever_ecr_says_of_a_signature_a_sentence_is_one_line_and_bounded() {
    let long = "x\n".repeat(5_000);
    for signings in
        [(&*long, Signed::Yes), (SHOP, Signed::No(long.clone())), (SHOP, Signed::Unknown(long.clone()))]
    {
        let (_, why) = becomes(&asks_for(&[SHOP]), signed(&[signings]), How::default());
        assert!(!why.is_empty() && why.chars().count() < 700 && !why.contains('\n'), "{why}");
    }
}
