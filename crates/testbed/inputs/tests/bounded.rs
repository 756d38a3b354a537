//! Every body on texts of one seed: as many as take a few seconds.

use inputs::{BODIES, Outcome, World, draw};
use states::Random;

/// How many texts the quickest bodies are given.
const MOST: u64 = 600;

#[test]
fn what_is_promised_holds_of_whatever_is_read() {
    let world = World::new().unwrap();
    for (seed, body) in (1..).zip(BODIES) {
        let (samples, mut random) = ((body.samples)(), Random::new(seed));
        assert!(!samples.is_empty(), "{} has no samples", body.name);
        let mut accepted = 0;
        for sample in &samples {
            accepted += u64::from((body.play)(&world, sample) == Outcome::Accepted);
        }
        assert!(accepted > 0, "{} takes none of its samples", body.name);
        let texts = (MOST * body.share).div_ceil(2000);
        let mut refused = 0;
        for _ in 0..texts {
            let text = draw::text(&samples, &draw::bytes(&mut random));
            let played =
                std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| (body.play)(&world, &text)));
            let outcome = played.unwrap_or_else(|_| panic!("{} breaks a promise on:\n{text}", body.name));
            refused += u64::from(outcome == Outcome::Refused);
        }
        assert!(refused > 0 || body.name == "left-behind", "{} refuses nothing", body.name);
    }
}
