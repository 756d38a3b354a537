//! What may not be refused, by what was asked for.

use serde_json::Value;

use super::Oracle;
use crate::cluster;
use crate::fake::State;

/// What `force` goes past: words of the refusals.
const FORCED: [&str; 4] =
    ["no known good version", "is in quarantine", "is on hold", "has verified it since"];

/// What no rollback with a reason is refused for.
const BACK: [&str; 3] = ["is frozen", "is on hold", "/tests"];

impl Oracle {
    /// Hears that something was refused.
    pub(super) fn hears_refusal(&mut self, account: &mut State, release: &str, text: &str) {
        let Some(input) = self.inputs.get(release).cloned() else { return };
        let said = |words: &[&str]| {
            words.iter().find(|words| text.contains(**words)).map(|words| (*words).to_owned())
        };
        if input["force"] == true {
            let why = said(&FORCED);
            self.holds(why.is_none(), || format!("{release} was forced, and is refused: {text}"));
        }
        if input["mode"] == "rollback" {
            let why = said(&BACK);
            self.holds(why.is_none(), || format!("{release} goes back, and is refused: {text}"));
        }
        let stuck = self.is_stuck(account, text);
        self.holds(stuck.is_none(), || {
            format!("{release} is refused for what {} has left: {text}", stuck.unwrap_or_default())
        });
        let alone =
            input.get("detail").is_some() && self.is_held_up_by_an_idle_one(account, &input["detail"], text);
        self.holds(!alone, || {
            format!("{release} is refused for one service that no release can move: {text}")
        });
    }

    /// Returns the release that has left the rollout for which another one is refused, if it has ended.
    fn is_stuck(&self, account: &State, text: &str) -> Option<String> {
        let (_, rest) = text.split_once("a rollout is in progress (")?;
        let id = rest.split(')').next()?;
        let moves = account.table.all("move#");
        let (pk, _) = moves.into_iter().find(|(_, row)| row["deployment"] == id || row["undo"] == id)?;
        let release = pk.strip_prefix("release#")?.to_owned();
        let mut executions = account.executions.iter();
        let (_, ended) = executions.find(|(arn, _)| arn.rsplit(':').next() == Some(release.as_str()))?;
        // It may have been in progress still when it was looked at.
        (ended.is_some_and(|ended| account.now - ended > 120_000)).then_some(release)
    }

    /// Tells whether a push is refused since one service of several wants no tasks.
    fn is_held_up_by_an_idle_one(&self, account: &State, push: &Value, text: &str) -> bool {
        // A freeze holds all, whatever it came from.
        if !text.contains("its desired count is 0") || text.contains(" is frozen ") {
            return false;
        }
        let uri = cluster::uri(push["repository-name"].as_str().unwrap_or_default());
        let of = |revision: &str| {
            account.ecs.images_of(revision).iter().any(|image| image.split(['@', ':']).next() == Some(&uri))
        };
        let runs = |digests: &[String]| digests.iter().any(|digest| push["image-digest"] == digest.as_str());
        let order = format!("order:{}", push["repository-name"].as_str().unwrap_or_default());
        let newer = |name: &str| {
            let known = account.table.row("env#dev", &format!("service#{name}")).unwrap_or_default();
            known[&order]
                .as_str()
                .is_some_and(|newest| !newest.ends_with(push["image-digest"].as_str().unwrap_or_default()))
        };
        account.ecs.services.iter().filter_map(|(name, one)| Some((name.strip_prefix("dev/")?, one))).any(
            |(name, one)| {
                let (_, _, revision, digests) = one.primary();
                one.desired > 0
                    && of(revision)
                    && !runs(digests)
                    && !newer(name)
                    && !text.contains(&format!("{name}: "))
            },
        )
    }

    /// Without faults nothing fails before it is opened.
    pub(super) fn nothing_fails_at_its_beginning(&mut self, account: &State, faults: bool) {
        for (release, outcome) in self.told.clone() {
            let opened = account.table.row(&format!("release#{release}"), "head").is_some();
            let died = self.stopped.contains(&release);
            // An alarm that may not roll anything back is told to a person.
            let guards = self.inputs.get(&release).is_some_and(|input| input["source"] == "aws.cloudwatch");
            self.holds(faults || opened || died || guards || outcome != "NeedsHuman", || {
                format!("{release} needs a human, and was never opened")
            });
        }
    }
}
