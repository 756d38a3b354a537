//! How long functions may take, where more than one place says so.

use std::path::Path;

use release::plan::leases::LAST_WRITE_SECONDS;

/// What a clock of AWS and a call that is already on the wire may add.
const MARGIN_SECONDS: i64 = 10;

#[test]
fn a_lease_is_taken_over_only_after_the_longest_function_has_ended() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../template.yaml");
    let template = std::fs::read_to_string(file).unwrap();
    let timeouts = template.lines().filter_map(|line| line.trim().strip_prefix("Timeout: "));
    let timeouts: Vec<i64> = timeouts.map(|rest| rest.split(' ').next().unwrap().parse().unwrap()).collect();
    assert!(timeouts.len() >= 2, "{timeouts:?}");
    let longest = timeouts.into_iter().max().unwrap();
    assert_eq!(LAST_WRITE_SECONDS, longest + MARGIN_SECONDS);
}
