//! Every call to AWS of recorded runs fails in every way, and every call of a function fails, or comes again.
//!
//! Nothing is drawn here.  All of it takes minutes, and is played by `make each`; else some of each run is.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "this is how a test fails")]

mod account;
mod exceptions;
mod invocations;
mod play;
mod requests;
mod runs;

use runs::{Recorded, Run};

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap()
}

/// Plays a run with each of its calls to AWS failed in each way.
fn fail_each_call(run: Run) {
    runtime().block_on(async {
        let recorded = Recorded::new(run).await;
        recorded.check(requests::plans(&recorded.undisturbed)).await;
    });
}

/// Plays a run with each of its calls of functions failed in each way, and delivered once more.
fn fail_and_repeat_each_function(run: Run) {
    runtime().block_on(async {
        let recorded = Recorded::new(run).await;
        recorded.check(invocations::plans(&recorded.undisturbed)).await;
    });
}

#[test]
fn each_call_of_a_good_release_may_fail() {
    fail_each_call(Run::Good);
}

#[test]
fn each_function_of_a_good_release_may_fail_or_come_again() {
    fail_and_repeat_each_function(Run::Good);
}

#[test]
fn each_call_of_a_release_in_waves_may_fail() {
    fail_each_call(Run::Waves);
}

#[test]
fn each_function_of_a_release_in_waves_may_fail_or_come_again() {
    fail_and_repeat_each_function(Run::Waves);
}

#[test]
fn each_call_of_a_bad_release_may_fail() {
    fail_each_call(Run::Bad);
}

#[test]
fn each_function_of_a_bad_release_may_fail_or_come_again() {
    fail_and_repeat_each_function(Run::Bad);
}

#[test]
fn each_call_of_a_rollback_may_fail() {
    fail_each_call(Run::Back);
}

#[test]
fn each_function_of_a_rollback_may_fail_or_come_again() {
    fail_and_repeat_each_function(Run::Back);
}

#[test]
fn each_call_of_a_promotion_may_fail() {
    fail_each_call(Run::Promoted);
}

#[test]
fn each_function_of_a_promotion_may_fail_or_come_again() {
    fail_and_repeat_each_function(Run::Promoted);
}
