//! How long functions may take, where more than one place says so.

use std::path::Path;

use fleet::functions::Function;
use release::plan::leases::LAST_WRITE_SECONDS;

/// What a clock of AWS and a call that is already on the wire may add.
const MARGIN_SECONDS: i64 = 10;

#[test]
fn a_lease_is_taken_over_only_after_the_longest_function_has_ended() {
    let timeouts = timeouts();
    assert!(timeouts.len() >= 2, "{timeouts:?}");
    let longest = timeouts.into_iter().max().unwrap();
    assert_eq!(LAST_WRITE_SECONDS, longest + MARGIN_SECONDS);
}

#[test]
fn the_machine_ends_functions_when_lambda_does() {
    // The first is that of all functions, the second that of `release` alone.
    assert_eq!(timeouts(), [Function::Deploy, Function::Release].map(Function::timeout_seconds));
}

/// Returns the time-outs that the template gives, in its order.
#[expect(clippy::unwrap_used, reason = "this is how a test fails")]
fn timeouts() -> Vec<i64> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../template.yaml");
    let template = std::fs::read_to_string(file).unwrap();
    let timeouts = template.lines().filter_map(|line| line.trim().strip_prefix("Timeout: "));
    timeouts.map(|rest| rest.split(' ').next().unwrap().parse().unwrap()).collect()
}
