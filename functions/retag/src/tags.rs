//! Which tags a move needs, and which of them are missing.  Pure.

use pipeline::Fault;
use pipeline::ids::{Digest, EnvironmentName, ServiceName};
use pipeline::rows::MoveRow;
use sha2::{Digest as _, Sha256};

use crate::manifest::Manifest;
use crate::snapshot::RepositorySnapshot;

/// Every keep-tag starts so; the rule that hears pushes leaves them out.
pub const KEEP: &str = "tidegate.";

/// The longest tag that ECR takes.
const LONGEST: usize = 128;

/// A tag and the digest that it is to name.
#[derive(Clone, Debug, PartialEq)]
pub struct Tagging {
    /// The tag.
    pub tag: String,
    /// The digest.
    pub digest: Digest,
    /// The service that a keep-tag speaks of; none for the environment's tag.
    pub service: Option<ServiceName>,
    /// Whether nothing may be written if the image is gone.
    pub required: bool,
}

impl Tagging {
    /// Makes the keep-tag of one kind, for the service of a move.
    pub fn keep(row: &MoveRow, kind: &str, digest: &Digest) -> Self {
        Tagging {
            tag: keep_tag(&row.environment, &row.service, kind),
            digest: digest.clone(),
            service: Some(row.service.clone()),
            required: false,
        }
    }

    /// Makes the environment's tag.
    pub fn environment(tag: &str, digest: &Digest) -> Self {
        Tagging { tag: tag.to_owned(), digest: digest.clone(), service: None, required: false }
    }

    /// Makes one whose image has to be there.
    fn required(self) -> Self {
        Tagging { required: true, ..self }
    }
}

/// A tag that has to be written, and the manifest to write it with.
#[derive(Debug)]
pub struct Change<'a> {
    /// What is wanted.
    pub tagging: &'a Tagging,
    /// The image itself.
    pub image: &'a Manifest,
}

/// How many tags [`of_move`] returns at most.
pub const OF_A_MOVE: usize = 3;

/// Returns the tags of a move, in the order in which they are written.
///
/// What is replaced gets its keep-tag first: without it, moving the environment's tag could leave the restore point
/// untagged, and a lifecycle rule would take it.
pub fn of_move(row: &MoveRow) -> Vec<Tagging> {
    let mut tags = Vec::new();
    match &row.restore {
        // The same image once more: what was before it is before it still.
        Some(restore) if restore.digest == row.digest => {
            tags.extend(restore.before.iter().map(|before| Tagging::keep(row, "previous", before)));
        }
        Some(restore) => tags.push(Tagging::keep(row, "previous", &restore.digest).required()),
        None => {}
    }
    tags.push(Tagging::environment(&row.tag, &row.digest).required());
    tags.push(Tagging::keep(row, "live", &row.digest).required());
    tags
}

/// Returns the tags that name something else yet, without those whose image is gone; a fault if one of these is
/// required.
pub fn missing<'a>(wanted: &'a [Tagging], seen: &'a RepositorySnapshot) -> Result<Vec<Change<'a>>, Fault> {
    let missing = wanted.iter().filter(|tagging| seen.tagged(&tagging.tag) != Some(&tagging.digest));
    missing
        .filter_map(|tagging| match seen.image(&tagging.digest) {
            Some(image) => Some(Ok(Change { tagging, image })),
            None if tagging.required => Some(Err(gone(tagging))),
            None => None,
        })
        .collect()
}

/// Says that an image to be tagged is gone.
pub fn gone(tagging: &Tagging) -> Fault {
    Fault::NotFound(format!("the image {}, which {} must name,", tagging.digest, tagging.tag))
}

/// Returns the name of a keep-tag, cut and hashed where ECR would refuse its length.
pub fn keep_tag(environment: &EnvironmentName, service: &ServiceName, kind: &str) -> String {
    let tag = format!("{KEEP}{environment}.{service}.{kind}");
    if tag.len() <= LONGEST {
        return tag;
    }
    let hash: String =
        Sha256::digest(tag.as_bytes()).iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    let end = format!(".{hash}.{kind}");
    // Names are ASCII, so every index is a boundary.
    let start = tag.get(..LONGEST - end.len()).unwrap_or(KEEP);
    format!("{start}{end}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::tests::{digest, image, row};

    fn names(changes: &[Change<'_>]) -> Vec<(String, Digest)> {
        changes.iter().map(|change| (change.tagging.tag.clone(), change.tagging.digest.clone())).collect()
    }

    #[test]
    fn the_rollback_is_kept_before_the_tag_moves() {
        let row = row();
        let seen = RepositorySnapshot::new(
            [image(&row.digest), image(&digest('a'))],
            [("dev".to_owned(), digest('a'))],
        );
        let wanted = of_move(&row);
        assert_eq!(
            names(&missing(&wanted, &seen).unwrap()),
            [
                ("tidegate.dev.users.previous".to_owned(), digest('a')),
                ("dev".to_owned(), row.digest.clone()),
                ("tidegate.dev.users.live".to_owned(), row.digest.clone()),
            ]
        );
    }

    #[test]
    fn what_is_right_already_is_not_written_again() {
        let row = row();
        let seen = RepositorySnapshot::new(
            [image(&row.digest), image(&digest('a'))],
            [
                ("dev".to_owned(), row.digest.clone()),
                ("tidegate.dev.users.live".to_owned(), row.digest.clone()),
                ("tidegate.dev.users.previous".to_owned(), digest('a')),
            ],
        );
        assert!(missing(&of_move(&row), &seen).unwrap().is_empty());
    }

    #[test]
    fn a_restore_point_that_is_gone_stops_the_move() {
        let row = row();
        let seen = RepositorySnapshot::new([image(&row.digest)], []);
        assert_eq!(missing(&of_move(&row), &seen).unwrap_err().name(), "NotFound");
    }

    #[test]
    fn the_same_image_once_more_leaves_the_version_before_it_kept() {
        let mut row = row();
        let restore = row.restore.as_mut().unwrap();
        (restore.digest, restore.before) = (row.digest.clone(), Some(digest('c')));
        let tags: Vec<_> = of_move(&row).into_iter().map(|one| (one.tag, one.digest)).collect();
        let previous = ("tidegate.dev.users.previous".to_owned(), digest('c'));
        assert_eq!(tags.first(), Some(&previous));
        assert_eq!(tags.len(), OF_A_MOVE);
        // It is kept as long as it is there; the restore point is the image itself.
        let seen = RepositorySnapshot::new([image(&row.digest)], []);
        assert_eq!(missing(&of_move(&row), &seen).unwrap().len(), 2);
        row.restore.as_mut().unwrap().before = None;
        assert!(of_move(&row).iter().all(|one| !one.tag.ends_with("previous")));
    }

    #[test]
    fn long_names_are_cut_and_stay_apart() {
        let environment = EnvironmentName::parse("dev").unwrap();
        let tag = |last: &str| {
            keep_tag(&environment, &ServiceName::parse(format!("{}{last}", "s".repeat(200))).unwrap(), "live")
        };
        assert_eq!(tag("a").len(), LONGEST);
        assert!(tag("a").ends_with(".live") && tag("a") != tag("b"));
    }
}
