//! The samples in `events/retag`, against a registry in memory.

#![expect(clippy::unwrap_used, reason = "this is how a test fails")]

use std::cell::RefCell;

use pipeline::Fault;
use pipeline::clock::Timestamp;
use pipeline::ids::Digest;
use pipeline::payload::MoveKey;
use pipeline::rows::MoveRow;
use retag::manifest::Manifest;
use retag::registry::{Changed, Place, Port, Seen, Slot};
use retag::tags::Tagging;
use retag::{RestoreKey, Retag};
use testbed::moves::Moves;

/// Two images, of which the older one has the environment's tag.
#[derive(Default)]
struct Shelf {
    written: RefCell<Vec<String>>,
}

fn digest(letter: char) -> Digest {
    Digest::parse(format!("sha256:{}", letter.to_string().repeat(64))).unwrap()
}

fn image(letter: char) -> Manifest {
    let media_type = "application/vnd.oci.image.manifest.v1+json".to_owned();
    Manifest { digest: digest(letter), media_type, bytes: "{}".to_owned() }
}

impl Port for Shelf {
    async fn look(&self, _: &Place, _: &[Tagging]) -> Result<Seen, Fault> {
        Ok(Seen::new([image('a'), image('b')], [("dev".to_owned(), digest('a'))]))
    }
    async fn keep_before(&self, _: &MoveKey, _: &MoveRow) -> Result<(), Fault> {
        self.written.borrow_mut().push("keep before".to_owned());
        Ok(())
    }
    async fn announce(&self, _: &MoveRow, _: &Digest, _: Timestamp) -> Result<(), Fault> {
        self.written.borrow_mut().push("announce".to_owned());
        Ok(())
    }
    async fn put(&self, _: &Place, tag: &str, image: &Manifest) -> Result<(), Fault> {
        self.written.borrow_mut().push(format!("{tag} -> {}", image.digest.short()));
        Ok(())
    }
    async fn slot(&self, slot: Slot, now: Timestamp) -> Result<Timestamp, Fault> {
        Ok(now.plus_seconds(slot.registrations))
    }
    async fn changed(&self, key: &RestoreKey) -> Result<Changed, Fault> {
        Err(Fault::NotFound(key.release.to_string()))
    }
}

#[tokio::test]
async fn the_samples_are_answered_as_their_golden_files_say() {
    testbed::contract::check("retag", async |case, request, now| {
        let retag = Retag { port: Shelf::default(), moves: Moves::default() };
        let answer = retag.handle(request, now).await;
        let written = retag.port.written.take();
        match case {
            "good" => assert_eq!(
                written,
                [
                    "keep before",
                    "tidegate.dev.users.previous -> aaaaaaaaaaaa",
                    "announce",
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
