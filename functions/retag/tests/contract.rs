//! The samples in `events/retag`, against a registry in memory.

mod shelf;

use retag::Retag;
use shelf::Shelf;
use testbed::moves::Moves;

#[tokio::test(start_paused = true)]
async fn the_samples_are_answered_as_their_golden_files_say() {
    testbed::contract::check("retag", async |case, request, now| {
        let shelf = Shelf::of(&['a', 'b']);
        let answer = Retag { port: &shelf, moves: Moves::default() }.handle(request, now).await;
        let written = shelf.written.take();
        match case {
            "good" => assert_eq!(
                written,
                [
                    "keep before",
                    "announce",
                    "tidegate.dev.users.previous -> aaaaaaaaaaaa",
                    "dev -> bbbbbbbbbbbb",
                    "tidegate.dev.users.live -> bbbbbbbbbbbb"
                ]
            ),
            _ => assert!(written.is_empty(), "{case} wrote {written:?}"),
        }
        answer
    })
    .await;
}

#[test]
fn an_execution_of_the_version_before_is_understood() {
    let mut request: serde_json::Value =
        serde_json::from_str(include_str!("../../../events/retag/reserve.json")).unwrap();
    request["do"] = "slot".into();
    assert!(serde_json::from_value::<retag::Request>(request).is_ok());
}
