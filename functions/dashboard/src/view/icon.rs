//! Signs of how something is: each has a shape of its own, since not everybody tells colours apart.

use maud::{Markup, html};
use pipeline::rows::MoveOutcome;

/// How something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sign {
    /// As it should be.
    Good,
    /// On its way.
    Busy,
    /// Waiting for a person.
    Waits,
    /// Kept back by a person.
    Held,
    /// To be looked at.
    Odd,
    /// Failed.
    Bad,
    /// Of no account.
    Plain,
}

impl Sign {
    /// Returns the sign of how a run ended, by its word.
    pub fn of_outcome(outcome: Option<&str>) -> Sign {
        match outcome {
            None => Sign::Busy,
            Some("Deployed") => Sign::Good,
            Some("RolledBack" | "Refused") => Sign::Bad,
            Some("NeedsHuman") => Sign::Odd,
            Some(_) => Sign::Plain,
        }
    }

    /// Returns the sign of what became of a move.
    pub fn of_fate(fate: MoveOutcome) -> Sign {
        match fate {
            MoveOutcome::Deployed => Sign::Good,
            MoveOutcome::NeedsHuman => Sign::Odd,
            MoveOutcome::Failed | MoveOutcome::Undone => Sign::Bad,
            MoveOutcome::Superseded | MoveOutcome::Untouched => Sign::Plain,
        }
    }

    fn class(self) -> &'static str {
        match self {
            Sign::Good => "good",
            Sign::Busy => "busy",
            Sign::Waits => "waits",
            Sign::Held => "held",
            Sign::Odd => "odd",
            Sign::Bad => "bad",
            Sign::Plain => "plain",
        }
    }

    /// Shows it, with the word that it stands for.
    pub fn says(self, word: &str) -> Markup {
        html! {
            span class={ "sign " (self.class()) } {
                svg width="14" height="14" viewBox="0 0 14 14" aria-hidden="true" { (self.shape()) }
                " " (word)
            }
        }
    }

    fn shape(self) -> Markup {
        html! {
            @match self {
                Sign::Good => {
                    circle class="fill" cx="7" cy="7" r="6.5" {}
                    path class="mark" d="M3.8 7.2 6.2 9.6 10.4 4.8" {}
                }
                Sign::Busy => {
                    circle class="line" cx="7" cy="7" r="5.7" {}
                    path class="fill" d="M7 1.3 A5.7 5.7 0 0 1 7 12.7 Z" {}
                }
                Sign::Waits => {
                    circle class="line" cx="7" cy="7" r="5.7" {}
                    path class="line" d="M7 3.6 V7 L9.4 8.6" {}
                }
                Sign::Held => {
                    rect class="fill" x="2" y="1.5" width="3.6" height="11" {}
                    rect class="fill" x="8.4" y="1.5" width="3.6" height="11" {}
                }
                Sign::Odd => {
                    path class="fill" d="M7 0.8 13.6 13 H0.4 Z" {}
                    path class="mark" d="M7 5 V8.6 M7 10.2 V11.6" {}
                }
                Sign::Bad => {
                    path class="fill" d="M4.2 0.5 H9.8 L13.5 4.2 V9.8 L9.8 13.5 H4.2 L0.5 9.8 V4.2 Z" {}
                    path class="mark" d="M4.5 4.5 9.5 9.5 M9.5 4.5 4.5 9.5" {}
                }
                Sign::Plain => path class="line" d="M2 7 H12" {}
            }
        }
    }
}
