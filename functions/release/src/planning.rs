//! Plans a release: reads what its decisions need, decides, and reads what the moves decided on need in turn.
//!
//! `open` plans with it first, and `lease` once more under the leases.  Writes nothing.

use futures_util::future::try_join;
use pipeline::Fault;
use pipeline::ids::ServiceName;
use pipeline::rows::{Finding, MoveRow};

use crate::observe::{self, Known};
use crate::plan::{
    PlanContext, PlanDraft, ReleaseSpec, alarms, findings, gate_time, gates, image_check, packs, settings,
    together,
};
use crate::ports::{
    Alarms, ClusterSnapshot, Clusters, History, ImageKey, Images, Leases, LiveTests, Origin, Releases,
};

/// Plans what a spec means for services as they were seen.
pub async fn draft(
    aws: &(impl Clusters + Images + LiveTests),
    ledger: &(impl History + Leases + Releases),
    context: PlanContext<'_>,
    spec: &ReleaseSpec,
    (seen, known): (ClusterSnapshot, Known),
) -> Result<PlanDraft, Fault> {
    let of_services = (&seen.services[..], &known.services);
    let (mut candidates, untouched) = observe::candidates(aws, ledger, context, spec, of_services).await?;
    observe::indexes(aws, spec, &mut candidates).await?;
    let draft = PlanDraft::new(seen, &candidates, untouched, spec, context);
    match draft.moves.is_empty() {
        true => Ok(draft),
        false => {
            let draft = with_images(aws, context, spec, draft, &known).await?;
            let (draft, packs) = with_documents(aws, context, spec, draft).await?;
            with_image_checks(aws, context, spec, draft, &packs).await
        }
    }
}

/// Judges the images that the moves of a draft go to and may go back to.
async fn with_images(
    aws: &impl Images,
    context: PlanContext<'_>,
    spec: &ReleaseSpec,
    mut draft: PlanDraft,
    known: &Known,
) -> Result<PlanDraft, Fault> {
    let gone = observe::missing(aws, context, spec, &draft.moves).await?;
    let gone = gates::without_images(&mut draft.moves, &gone, spec.force);
    draft.refuse(gone.refused);
    draft.warn(gone.findings);
    let images = forward(&draft.moves);
    if gates::asks_for_evidence(spec) {
        let (here, there) = &known.evidence;
        draft.refuse(gates::in_quarantine(&images, here));
        let said = gates::promotion(&images, there, context, spec);
        draft.refuse(said.refused);
        draft.early = said.early;
    }
    if !draft.is_refused() {
        let origins = observe::origins(aws, spec, &images).await?;
        for row in &mut draft.moves {
            let Origin { commit, built } = origins.get(&row.digest).cloned().unwrap_or_default();
            (row.commit, row.built) = (commit, built);
        }
    }
    Ok(draft)
}

/// Adds what the documents of single services say: which containers change, and the live tests that moves have to pass.
async fn with_documents(
    aws: &impl LiveTests,
    context: PlanContext<'_>,
    spec: &ReleaseSpec,
    mut draft: PlanDraft,
) -> Result<(PlanDraft, packs::OfImages), Fault> {
    let services: Vec<ServiceName> = draft.moves.iter().map(|row| row.service.clone()).collect();
    let documents = aws.documents(context, &services).await?;
    settings::apply(&mut draft, context.name, &documents.settings, spec.to.goes_back());
    let is_back = spec.to.goes_back();
    let (name, policy, tests) = (context.name, context.environment, &documents.tests);
    let of_images = packs::pin(&mut draft, name, policy, tests, aws.prober(), is_back);
    Ok((draft, of_images))
}

/// Judges the images by what the live tests of their services expect of them.
async fn with_image_checks(
    aws: &impl Images,
    context: PlanContext<'_>,
    spec: &ReleaseSpec,
    mut draft: PlanDraft,
    packs: &packs::OfImages,
) -> Result<PlanDraft, Fault> {
    if packs.is_empty() || draft.is_refused() {
        return Ok(draft);
    }
    let asked = image_check::asked(&draft, packs);
    let seen = observe::contents(aws, spec, &asked).await?;
    let said = image_check::judge(&asked, &seen, spec.force, context);
    draft.refuse(said.refused);
    draft.warn(said.warned);
    draft.early = draft.early.into_iter().chain(said.early).max_by_key(|(seconds, _)| *seconds);
    Ok(draft)
}

/// Adds what a person should know of a draft, once: when the release opens.
///
/// A plan tells all of it.  What is refused anyway is refused at once.
pub async fn find(
    aws: &(impl Clusters + Images + Alarms),
    context: PlanContext<'_>,
    spec: &ReleaseSpec,
    draft: &mut PlanDraft,
    plans: bool,
) -> Result<(), Fault> {
    let endangered = async {
        match plans || !draft.is_refused() {
            true => observe::endangered(aws, spec, &draft.moves).await,
            false => Ok(Vec::new()),
        }
    };
    let (immovable, endangered) = try_join(observe::immovable(aws, spec, &draft.moves), endangered).await?;
    draft.refuse(immovable);
    // Only who has seen the whole cluster can tell that a name fits none of its services.
    if plans || spec.services.is_none() {
        draft.warn(findings::strangers(&draft.services, context.environment));
    }
    draft.findings.extend(findings::of(draft, aws.roles()));
    let gates = gate_time::of(draft).into_iter().chain(together::of(draft, context.environment));
    let gates: Vec<Finding> = match spec.to.goes_back() {
        // Nothing of it stops what goes back.
        true => gates.map(|finding| Finding::warns(finding.text)).collect(),
        false => gates.collect(),
    };
    draft.findings.extend(gates);
    if plans || !draft.is_refused() {
        let states = observe::alarms(aws, &draft.moves).await?;
        let unwatched = alarms::watch_what_exists(&mut draft.moves, &states);
        draft.warn(unwatched);
        draft.warn(endangered);
    }
    Ok(())
}

/// Returns the images that moves go to, each once.
fn forward(moves: &[MoveRow]) -> Vec<ImageKey> {
    let mut images: Vec<ImageKey> =
        moves.iter().map(|row| (row.repository.clone(), row.digest.clone())).collect();
    images.sort();
    images.dedup();
    images
}
