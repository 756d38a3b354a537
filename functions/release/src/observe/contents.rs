//! Reads what is in the images of a release, as far as the live tests of its services ask.

use std::collections::BTreeMap;

use pipeline::Fault;
use pipeline::ids::Digest;
use pipeline::image::RepositoryRef;

use super::images::source;
use crate::at_once;
use crate::plan::ReleaseSpec;
use crate::plan::image_check::{Asked, Built, Inspected, Wanted, Wants, child_for};
use crate::ports::{Config, Images, Platform};

/// Reads each image once for each platform, however many services use it; what fails is for its checks to judge.
pub async fn contents(
    aws: &impl Images,
    spec: &ReleaseSpec,
    asked: &[Asked<'_>],
) -> Result<BTreeMap<Wanted, Inspected>, Fault> {
    let mut wanted: BTreeMap<&Wanted, Wants> = BTreeMap::new();
    for one in asked {
        one.add_to(wanted.entry(&one.wanted).or_default());
    }
    let wanted: Vec<(&Wanted, Wants)> = wanted.into_iter().collect();
    let read = at_once(&wanted, async |(wanted, wants)| {
        let ((repository, digest), platform) = wanted;
        let from = source(spec, repository);
        let built = built(aws, &from, digest, platform).await;
        let image = built.as_ref().ok().and_then(|built| built.image.as_ref());
        let scan = match image.filter(|_| wants.scan) {
            Some((digest, _)) => Some(aws.scan(&from, digest).await),
            None => None,
        };
        let signings = match wants.signings {
            true => Some(aws.signings(&from, digest).await),
            false => None,
        };
        Ok(((*wanted).clone(), Inspected { built, scan, signings }))
    });
    Ok(read.await?.into_iter().collect())
}

/// Reads an image, or the one of its index that tasks of a platform run.
async fn built(
    aws: &impl Images,
    from: &RepositoryRef,
    digest: &Digest,
    platform: &Platform,
) -> Result<Built, Fault> {
    let children = aws.children(from, digest).await?;
    if children.is_empty() {
        let config: Config = aws.config(from, digest).await?;
        return Ok(Built { platforms: vec![config.platform.clone()], image: Some((digest.clone(), config)) });
    }
    let mut platforms: Vec<Platform> = children.iter().filter_map(|child| child.platform.clone()).collect();
    let image = match child_for(&children, platform) {
        Some(child) => {
            let config = aws.config(from, &child.digest).await?;
            if child.platform.is_none() {
                platforms.push(config.platform.clone());
            }
            Some((child.digest.clone(), config))
        }
        None => None,
    };
    // An attestation stands beside the image that it is about, for a platform that is none.
    platforms.retain(|platform| platform.os != "unknown");
    Ok(Built { platforms, image })
}
