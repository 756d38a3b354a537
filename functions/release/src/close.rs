//! Closes a release: the outcome, what was verified, and the leases.

use std::collections::{BTreeMap, BTreeSet};

use pipeline::Fault;
use pipeline::clock::Timestamp;
use pipeline::environment::Approval;
use pipeline::fate::Fate;
use pipeline::ids::ServiceName;
use pipeline::payload::MoveKey;
use pipeline::rows::{HeadRow, Hold, Known, MoveRow, Outcome, Quarantine, Undo, Verdict};
use serde_json::Value;

use crate::answer::{Closed, SHOWN, Story};
use crate::book::{Book, ImageKey};
use crate::plan::{To, Wanted};
use crate::world::World;
use crate::{Close, Release, at_once};

impl<W: World, B: Book> Release<W, B> {
    /// Writes the outcome; harmless if it is written already.
    pub(crate) async fn close(&self, close: Close, now: Timestamp) -> Result<Closed, Fault> {
        let release = &close.run.release;
        let head = self.book.head(release).await?;
        let moves = self.book.moves(release).await?;
        let mut closed = conclude(&close, &moves, head.as_ref().and_then(|head| head.undo));
        let Some(head) = head else { return Ok(closed) };
        let rows: Vec<&MoveRow> = moves.iter().map(|(_, row)| row).collect();
        let deployed: Vec<&MoveRow> =
            rows.iter().copied().filter(|row| Fate::of(row, head.undo) == Fate::Deployed).collect();
        // Once: when it is closed its leases are free, and what it knows may be outdated.
        if head.outcome.is_none() {
            at_once(&deployed, async |row| self.trust(row, &head, &close, now).await).await?;
            // After it: what was good for one service and bad for another is bad.
            let bad: Vec<&MoveRow> = rows.iter().copied().filter(|row| is_bad(row)).collect();
            at_once(&bad, async |row| self.distrust(row, &close, now).await).await?;
            self.withdraw(&head, &deployed).await?;
            self.book.close(release, &closed).await?;
        }
        if head.policy.approval == Approval::Required {
            self.book.answered(&head.environment, release, None).await?;
        }
        self.free_all(&head, &rows, &close, now).await?;
        if closed.outcome == Outcome::Deployed {
            match self.promote(&head, release, &close.run.machine, &deployed).await {
                // The call that comes again finds it closed, and only starts what follows.
                Err(fault) if head.outcome.is_none() && Fault::RETRIED.contains(&fault.name()) => {
                    return Err(fault);
                }
                // It is deployed all the same, and those who hear so hear this, too.
                Err(fault) => {
                    closed.because = format!("{}; what follows did not start: {fault}", closed.because);
                }
                Ok(unknown) => closed.because = [vec![closed.because], unknown].concat().join("; "),
            }
        }
        Ok(closed)
    }

    /// Writes down that the image of a move is good.
    async fn trust(&self, row: &MoveRow, head: &HeadRow, close: &Close, now: Timestamp) -> Result<(), Fault> {
        let (release, since) = (close.run.release.clone(), row.decided.unwrap_or(now));
        let rolled_back_from = row.restore.as_ref().filter(|_| is_rollback(head));
        let hold = rolled_back_from.map(|from| Hold { digest: from.digest.clone(), release, since });
        self.book.verified(row, &known(row, close, now), hold.as_ref()).await
    }

    /// Takes away the proof of images that somebody has rolled back from, unless a service here still runs them.
    async fn withdraw(&self, head: &HeadRow, deployed: &[&MoveRow]) -> Result<(), Fault> {
        let left = deployed
            .iter()
            .filter_map(|row| Some((row.repository.clone(), row.restore.as_ref()?.digest.clone())));
        let left: BTreeSet<ImageKey> = left.filter(|_| is_rollback(head)).collect();
        if left.is_empty() {
            return Ok(());
        }
        let services = self.book.services(&head.environment, None).await?;
        let run = services.into_values().filter_map(|row| row.verified);
        let run: BTreeSet<ImageKey> = run.map(|known| (known.repository, known.digest)).collect();
        let gone: Vec<&ImageKey> = left.difference(&run).collect();
        at_once(&gone, async |image| self.book.withdraw(&head.environment, image).await).await?;
        Ok(())
    }

    /// Writes down that the image of a move is bad.
    async fn distrust(&self, row: &MoveRow, close: &Close, now: Timestamp) -> Result<(), Fault> {
        let (release, since) = (close.run.release.clone(), row.decided.unwrap_or(now));
        let reason = row.reason.clone().unwrap_or_default();
        self.book.distrust(row, &Quarantine { release, since, reason }).await
    }

    /// Frees the leases of all services that were ever meant: a plan may have become smaller.
    async fn free_all(
        &self,
        head: &HeadRow,
        rows: &[&MoveRow],
        close: &Close,
        now: Timestamp,
    ) -> Result<(), Fault> {
        let services: BTreeSet<&ServiceName> =
            head.services.iter().chain(rows.iter().map(|row| &row.service)).collect();
        let services: Vec<&ServiceName> = services.into_iter().collect();
        at_once(&services, async |service| self.book.free(&head.environment, service, &close.run, now).await)
            .await?;
        Ok(())
    }
}

/// Tells whether a move has shown that its image is bad; an alarm that others share has not.
fn is_bad(row: &MoveRow) -> bool {
    row.touched.is_some() && row.verdict == Some(Verdict::Unhealthy) && row.alarm.is_none()
}

/// Describes what a deployed move runs now.
fn known(row: &MoveRow, close: &Close, now: Timestamp) -> Known {
    Known {
        repository: row.repository.clone(),
        digest: row.digest.clone(),
        commit: row.commit.clone(),
        task_definition: row.registered.clone().unwrap_or_else(|| row.running.clone()),
        since: row.decided.unwrap_or(now),
        release: Some(close.run.release.clone()),
    }
}

/// Tells whether a release went back on request, and not forward.
fn is_rollback(head: &HeadRow) -> bool {
    let wanted: Result<Wanted, _> = serde_json::from_value(head.request.clone());
    wanted.is_ok_and(|wanted| wanted.to == To::Previous)
}

/// Tells the outcome: what ended the release before its first wave, or what its moves became.
fn conclude(close: &Close, moves: &[(MoveKey, MoveRow)], undo: Option<Undo>) -> Closed {
    let mut fates = BTreeMap::new();
    for (_, row) in moves {
        *fates.entry(Fate::of(row, undo)).or_insert(0) += 1;
    }
    let outcome = match outcome_named(&close.outcome) {
        Some(named) => named,
        None if moves.is_empty() => Outcome::NeedsHuman,
        None => outcome_of(&fates),
    };
    let story = |row: &MoveRow| Story {
        service: row.service.clone(),
        fate: Fate::of(row, undo),
        from: row.restore.as_ref().map(|restore| restore.digest.clone()),
        to: row.digest.clone(),
        reason: row.reason.clone(),
    };
    let because = match (sentence(&close.because), outcome) {
        (why, Outcome::Deployed) if why.is_empty() => {
            format!(
                "{} of {} deployed and tested live",
                fates.get(&Fate::Deployed).unwrap_or(&0),
                moves.len()
            )
        }
        (why, _) if why.is_empty() => "the ledger does not say why".to_owned(),
        (why, _) => why,
    };
    Closed { outcome, because, fates, moves: moves.iter().take(SHOWN).map(|(_, row)| story(row)).collect() }
}

/// Tells the outcome of a release whose waves ended.
fn outcome_of(fates: &BTreeMap<Fate, u32>) -> Outcome {
    let any = |fate| fates.contains_key(&fate);
    if any(Fate::NeedsHuman) {
        Outcome::NeedsHuman
    } else if any(Fate::Undone) || any(Fate::Failed) || any(Fate::Untouched) {
        // A move whose turn never came has not failed, and its release has not done what it was to do.
        Outcome::RolledBack
    } else if any(Fate::Deployed) {
        Outcome::Deployed
    } else {
        Outcome::Superseded
    }
}

/// Reads the name of an outcome that the state machine knows already.
fn outcome_named(name: &str) -> Option<Outcome> {
    if name.is_empty() {
        return None;
    }
    // A name that is no outcome is a way in which the machine was not meant to come here.
    Some(serde_json::from_value(Value::String(name.to_owned())).unwrap_or(Outcome::NeedsHuman))
}

/// Takes the sentence out of a Lambda's cause: JSON within a sentence, perhaps cut short.
pub(crate) fn sentence(cause: &str) -> String {
    let (before, json) = cause.split_once('{').unwrap_or((cause, ""));
    let whole = serde_json::from_str::<Value>(&format!("{{{json}")).ok();
    let message = whole.as_ref().and_then(|said| said.get("errorMessage")).and_then(Value::as_str);
    let message = message
        .or_else(|| json.split_once("\"errorMessage\":").map(|(_, rest)| rest.trim_matches([' ', '"'])));
    message.map_or_else(|| cause.to_owned(), |message| format!("{before}{message}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::tests::row;

    fn close(outcome: &str) -> Close {
        let run = serde_json::from_value(serde_json::json!({"release": "r1", "execution": "e"})).unwrap();
        Close { run, outcome: outcome.to_owned(), because: String::new() }
    }

    fn conclusion(outcome: &str, rows: Vec<MoveRow>) -> Outcome {
        let release = pipeline::ids::ReleaseId::parse("r1").unwrap();
        let keyed = (0..).zip(rows).map(|(n, row)| (MoveKey::new(release.clone(), 0, n), row));
        let moves: Vec<_> = keyed.collect();
        let closed = conclude(&close(outcome), &moves, None);
        assert_eq!(closed.fates.values().sum::<u32>() as usize, moves.len());
        closed.outcome
    }

    fn seen(verdict: Verdict, undo: Option<Verdict>) -> MoveRow {
        let touched = Some(Timestamp::from_millis(0));
        MoveRow {
            touched,
            verdict: Some(verdict),
            undo_started: undo.and(touched),
            undo_verdict: undo,
            ..row("users")
        }
    }

    #[test]
    fn the_outcome_is_the_worst_fate_that_matters() {
        let healthy = || seen(Verdict::Healthy, None);
        let undone = || seen(Verdict::Unhealthy, Some(Verdict::Healthy));
        assert_eq!(conclusion("", vec![healthy(), seen(Verdict::Superseded, None)]), Outcome::Deployed);
        assert_eq!(conclusion("", vec![healthy(), undone()]), Outcome::RolledBack);
        assert_eq!(conclusion("", vec![undone(), seen(Verdict::Inconclusive, None)]), Outcome::NeedsHuman);
        assert_eq!(
            conclusion("", vec![seen(Verdict::Unhealthy, Some(Verdict::Unhealthy))]),
            Outcome::NeedsHuman
        );
        assert_eq!(conclusion("", vec![seen(Verdict::Superseded, None)]), Outcome::Superseded);
        assert_eq!(conclusion("", vec![healthy(), row("orders")]), Outcome::RolledBack);
    }

    #[test]
    fn what_ended_it_before_its_first_wave_is_the_outcome() {
        assert_eq!(conclusion("Expired", vec![]), Outcome::Expired);
        assert_eq!(conclusion("NeedsHuman", vec![seen(Verdict::Healthy, None)]), Outcome::NeedsHuman);
        assert_eq!(conclusion("Wave", vec![]), Outcome::NeedsHuman);
        assert_eq!(conclusion("", vec![]), Outcome::NeedsHuman);
    }

    #[test]
    fn a_cause_is_told_as_a_sentence() {
        let cause = r#"Denied: {"errorType":"Denied","errorMessage":"could not tag it"}"#;
        assert_eq!(sentence(cause), "Denied: could not tag it");
        assert_eq!(sentence("plain"), "plain");
        assert_eq!(sentence(r#"Denied: {"errorType":"Denied","errorMessage":"cut sho"#), "Denied: cut sho");
    }
}
