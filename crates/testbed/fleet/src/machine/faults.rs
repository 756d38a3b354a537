//! Faults that come by chance, at calls to AWS and at calls of functions, until everything calms down.

use pipeline::Fault;
use states::Random;
use states::rules::Problem;

use super::mishap::{Mishap, problem};
use crate::fake::Refusal;

/// How often something goes wrong, of a thousand calls each.
#[derive(Clone, Copy, Debug, Default)]
pub struct Rates {
    /// Calls to AWS.
    pub requests: u64,
    /// Calls of functions.
    pub invocations: u64,
}

/// How long a call may lie there that was given up, in milliseconds.
const LONGEST_DELAY_MS: u64 = 10_000;

/// What goes wrong by chance.
#[derive(Debug)]
pub struct Faults {
    random: Random,
    rates: Rates,
    /// From when on nothing does any more.
    calm: i64,
    /// How much has gone wrong.
    pub happened: u64,
}

/// What happens to a call to AWS.
#[derive(Clone, Debug)]
pub enum Trouble {
    /// It is refused, and has no effect.
    Before(Refusal),
    /// It has its effect, and the answer is lost.
    After(Refusal),
    /// It takes so many milliseconds more.
    Slow(i64),
    /// It is answered by a part of AWS that knows only what was so many milliseconds ago, where there is such a part.
    Stale(i64),
    /// Of a batch the last one is left out, to be asked for again.
    Partial,
    /// Its caller gives up, and it has its effect so many milliseconds after it was sent.
    Late(i64),
    /// It has its effect, and is sent once more: the answer to that is the one that counts.
    Again,
}

impl Faults {
    /// Draws faults from a seed until a moment.
    pub fn new(seed: u64, rates: Rates, calm: i64) -> Self {
        Faults { random: Random::new(seed), rates, calm, happened: 0 }
    }

    pub(super) fn of_request(&mut self, now: i64) -> Option<Trouble> {
        if now >= self.calm || self.random.below(1000) >= self.rates.requests {
            return None;
        }
        self.happened += 1;
        let broken = || Refusal::new("InternalServerError", "an internal error");
        Some(match self.random.below(16) {
            0..4 => Trouble::Before(Refusal::new("ThrottlingException", "Rate exceeded")),
            4..6 => Trouble::Before(broken()),
            6..9 => Trouble::After(broken()),
            9 => Trouble::Before(Refusal::new("AccessDeniedException", "not authorized to perform it")),
            10..12 => Trouble::Stale(3_000),
            12 => Trouble::Partial,
            _ => Trouble::Slow(100 << self.random.below(8)),
        })
    }

    pub(super) fn of_invocation(&mut self, now: i64) -> Option<Mishap> {
        if now >= self.calm || self.random.below(1000) >= self.rates.invocations {
            return None;
        }
        self.happened += 1;
        Some(match self.random.below(4) {
            0 => Mishap::Fails(lost()),
            1 => Mishap::FailsAfter(lost()),
            2 if self.random.below(2) == 0 => Mishap::Delayed(
                lost(),
                i64::try_from(self.random.below(LONGEST_DELAY_MS)).unwrap_or_default(),
            ),
            2 => Mishap::Unheard(lost()),
            _ => Mishap::DiesAfter,
        })
    }
}

/// Says that whoever called does not hear of the end.
pub fn lost() -> Problem {
    problem(&Fault::Unavailable("the connection was lost".to_owned()))
}
