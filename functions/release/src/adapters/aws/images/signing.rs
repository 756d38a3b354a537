//! With which profiles ECR has signed images.

use aws_sdk_ecr::types::{ImageIdentifier, ImageSigningStatus, SigningStatus};
use pipeline::Fault;
use pipeline::aws::fault_of;
use pipeline::ids::Digest;
use pipeline::image::RepositoryRef;

use super::Images;
use crate::ports::{Signed, Signing};

impl Images {
    pub(in crate::adapters::aws) async fn signings(
        &self,
        from: &RepositoryRef,
        digest: &Digest,
    ) -> Result<Vec<Signing>, Fault> {
        let call = self.ecr.describe_image_signing_status().registry_id(from.registry.as_str());
        let image = ImageIdentifier::builder().image_digest(digest.as_str()).build();
        let answer = call.repository_name(from.repository.as_str()).image_id(image).send().await;
        let what = || format!("read who has signed {}@{digest}", from.repository);
        let answer = answer.map_err(|error| fault_of(&what(), &error))?;
        Ok(answer.signing_statuses().iter().map(signing).collect())
    }
}

fn signing(found: &ImageSigningStatus) -> Signing {
    let signed = match found.status() {
        Some(SigningStatus::Complete) => Signed::Yes,
        Some(SigningStatus::InProgress) => Signed::NotYet,
        Some(SigningStatus::Failed) => Signed::No(reason(found)),
        other => Signed::Unknown(other.map_or("no word", SigningStatus::as_str).to_owned()),
    };
    Signing { profile: found.signing_profile_arn().unwrap_or_default().to_owned(), signed }
}

/// Says why an image could not be signed, as far as ECR does.
fn reason(found: &ImageSigningStatus) -> String {
    match (found.failure_code(), found.failure_reason()) {
        (Some(code), Some(reason)) => format!("{code}: {reason}"),
        (Some(one), None) | (None, Some(one)) => one.to_owned(),
        (None, None) => "ECR does not say why".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_came_of_a_signing_is_in_the_words_of_ecr() {
        let status = |word: &str| ImageSigningStatus::builder().status(SigningStatus::from(word));
        for (word, signed) in [
            ("COMPLETE", Signed::Yes),
            ("IN_PROGRESS", Signed::NotYet),
            ("FAILED", Signed::No("ECR does not say why".to_owned())),
            ("REVOKED", Signed::Unknown("REVOKED".to_owned())),
        ] {
            let found = signing(&status(word).signing_profile_arn("arn").build());
            assert_eq!(found, Signing { profile: "arn".to_owned(), signed });
        }
        let nothing = signing(&ImageSigningStatus::builder().build());
        assert_eq!(
            nothing,
            Signing { profile: String::new(), signed: Signed::Unknown("no word".to_owned()) }
        );
        let failed = status("FAILED").failure_code("AccessDenied").failure_reason("may not sign").build();
        assert_eq!(signing(&failed).signed, Signed::No("AccessDenied: may not sign".to_owned()));
        let failed = status("FAILED").failure_reason("may not sign").build();
        assert_eq!(signing(&failed).signed, Signed::No("may not sign".to_owned()));
    }
}
