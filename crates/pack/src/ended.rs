//! How a run ended, and what that says.

use crate::standing::Outcome;

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// ECS could not place or start it, took it away, or no longer knows it.
    Lost,
    /// Its command could not be started.
    CannotStart,
    /// It used up its memory.
    OutOfMemory,
    /// It did not run within its time.
    NeverRan,
    /// It ran, and did not end within its time.
    Overran,
    /// It ended with this code.
    Exited {
        /// The exit code of the container that counts.
        code: i32,
        /// Whether its log has the text that it must have; true if there is none.
        says: bool,
    },
}

impl End {
    /// Reads what ECS tells of a task that has stopped: the first that fits.
    ///
    /// `reasons` are the reason of the task and the one of the container that counts.
    pub fn of(stop_code: &str, reasons: [&str; 2], exit_code: Option<i32>, says: bool) -> Self {
        const LOST: [&str; 3] = ["CannotPull", "ResourceInitialization", "AccessDenied"];
        let any =
            |words: &[&str]| reasons.iter().any(|reason| words.iter().any(|word| reason.contains(word)));
        let is_taken = matches!(stop_code, "SpotInterruption" | "TerminationNotice" | "UserInitiated");
        if is_taken || any(&LOST) {
            return End::Lost;
        }
        if any(&["CannotStartContainer"]) {
            return End::CannotStart;
        }
        if any(&["OutOfMemory"]) {
            return End::OutOfMemory;
        }
        exit_code.map_or(End::Lost, |code| End::Exited { code, says })
    }

    /// Says what it means: for the new image alone a command that cannot run is its own fault, for a suite it is not.
    pub fn outcome(&self, is_suite: bool, unmeasured: &[i32]) -> Outcome {
        match self {
            End::Lost | End::NeverRan => Outcome::Unmeasured,
            End::CannotStart | End::OutOfMemory if is_suite => Outcome::Unmeasured,
            End::Exited { code, .. } if unmeasured.contains(code) => Outcome::Unmeasured,
            End::Exited { code: 0, says: true } => Outcome::Passed,
            End::CannotStart | End::OutOfMemory | End::Overran | End::Exited { .. } => Outcome::Failed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Outcome::{Failed, Passed, Unmeasured};

    #[test]
    fn the_end_of_a_run_is_read_from_what_ecs_tells() {
        let exited = |code| End::Exited { code, says: true };
        let essential = "Essential container in task exited";
        for (stop_code, task, container, code, end) in [
            ("EssentialContainerExited", essential, "", Some(0), exited(0)),
            ("EssentialContainerExited", essential, "", Some(1), exited(1)),
            ("EssentialContainerExited", essential, "OutOfMemoryError: killed", Some(137), End::OutOfMemory),
            ("TaskFailedToStart", "CannotPullContainerError: not found", "", None, End::Lost),
            ("TaskFailedToStart", "ResourceInitializationError: unable to pull secrets", "", None, End::Lost),
            (
                "TaskFailedToStart",
                "Essential container exited",
                "CannotStartContainerError: no such file",
                None,
                End::CannotStart,
            ),
            ("SpotInterruption", "Your Spot Task was interrupted.", "", Some(137), End::Lost),
            ("TerminationNotice", "", "", Some(143), End::Lost),
            ("UserInitiated", "Task stopped by user", "", Some(143), End::Lost),
            ("TaskFailedToStart", "Timeout waiting for network interface provisioning", "", None, End::Lost),
        ] {
            assert_eq!(End::of(stop_code, [task, container], code, true), end, "{stop_code} {task}");
        }
    }

    #[test]
    fn what_a_run_could_not_help_is_unmeasured() {
        for (end, task, suite) in [
            (End::Lost, Unmeasured, Unmeasured),
            (End::NeverRan, Unmeasured, Unmeasured),
            (End::CannotStart, Failed, Unmeasured),
            (End::OutOfMemory, Failed, Unmeasured),
            (End::Overran, Failed, Failed),
            (End::Exited { code: 0, says: true }, Passed, Passed),
            (End::Exited { code: 0, says: false }, Failed, Failed),
            (End::Exited { code: 1, says: true }, Failed, Failed),
            (End::Exited { code: 99, says: true }, Unmeasured, Unmeasured),
        ] {
            assert_eq!((end.outcome(false, &[99]), end.outcome(true, &[99])), (task, suite), "{end:?}");
        }
    }
}
