//! What a release may point a service at, by what the ledger says at that moment.

use pipeline::clock::Timestamp;
use serde_json::Value;

use super::{Oracle, facts_of};
use crate::fake::State;

/// A service that is about to be pointed at something by a release.
struct Change<'a> {
    release: &'a str,
    /// The head of the release.
    head: Value,
    /// Its move of the service.
    row: Value,
    /// What is known of the service.
    known: Value,
}

impl Oracle {
    /// Tells why a release may not point a service at a revision.
    ///
    /// The way back is written down before, and that the service changes; nobody goes forward with what is kept away
    /// from the service, or to something older than what somebody has asked for since.
    pub(super) fn not_to_be_deployed(&self, account: &State, release: &str, input: &Value) -> Option<String> {
        let text = |key: &str| input[key].as_str().unwrap_or_default();
        let change = Change::of(account, release, text("service"))?;
        if change.row["registered"] != text("taskDefinition") {
            return change.row["undoStarted"]
                .is_null()
                .then(|| "it is not written down that it goes back".to_owned());
        }
        let unwritten = change.is_not_written_down();
        if unwritten.is_some() || change.head["request"]["force"] == true {
            return unwritten;
        }
        match &change.head["request"]["to"] {
            to if to.get("images").is_some() => change
                .is_kept_away()
                .or_else(|| self.is_rolled_back_from(&change.row))
                .or_else(|| self.is_in_quarantine(&change))
                .or_else(|| change.is_older(account))
                .or_else(|| self.is_promoted_to_something_older(&change)),
            to if to.get("restorePointsOf").is_some() => change.is_verified_since(account),
            _ => change.goes_past_what_is_verified(account),
        }
    }

    fn is_in_quarantine(&self, change: &Change<'_>) -> Option<String> {
        let key = (change.image(), change.text("environment").to_owned());
        let leased = millis(&change.row["leased"])?;
        let since = self.quarantined.get(&key).filter(|since| **since < leased)?;
        Some(format!("its image is in quarantine since {since}"))
    }

    /// What an environment follows with is never older there than what it has.
    fn is_promoted_to_something_older(&self, change: &Change<'_>) -> Option<String> {
        let request = &change.head["request"];
        if request["onlyNewer"] != true && request["promotedBy"].is_null() {
            return None;
        }
        let from = change.head["policy"]["from"].as_str()?;
        let shown = |digest: &Value| {
            let image = format!("{}@{}", change.text("repository"), digest.as_str()?);
            self.brought.get(&(from.to_owned(), image))
        };
        // What nobody has released here, as a baseline, is as old as can be.
        let newest = change.newest().filter(|fact| !fact["release"].is_null())?;
        let ((present, known), (offered, _)) = (shown(&newest["digest"])?, shown(&change.row["digest"])?);
        // What became known after it was let in does not stop it any more.
        let before = *known <= millis(&change.row["leased"])?;
        (before && offered < present).then(|| {
            let runs = &change.newest().unwrap_or(&Value::Null)["digest"];
            format!(
                "{from} was brought {} at {offered}, and {runs}, which runs, at {present}",
                change.row["digest"]
            )
        })
    }

    /// Sees which images services are brought, and which are in quarantine.
    pub(super) fn sees_images(&mut self, account: &State, release: &str, pk: &str, sk: &str) {
        let Some((image, environment)) = pk.strip_prefix("digest#").zip(sk.strip_prefix("env#")) else {
            return;
        };
        let key = (image.to_owned(), environment.to_owned());
        let bad = account.table.row(pk, sk).is_some_and(|row| !row["quarantine"].is_null());
        if bad {
            self.quarantined.entry(key).or_insert(account.now);
        } else if self.quarantined.remove(&key).is_some() {
            let head = account.table.row(&format!("release#{release}"), "head").unwrap_or_default();
            self.holds(head["request"]["force"] == true, || {
                format!(
                    "{release} takes {image} out of quarantine in {environment}, and nobody has forced it"
                )
            });
        }
    }
}

impl<'a> Change<'a> {
    fn of(account: &State, release: &'a str, service: &str) -> Option<Self> {
        let pk = format!("release#{release}");
        let rows = account.table.list(&pk, "move#");
        let (_, row) = rows.into_iter().find(|(_, row)| row["service"] == service)?;
        let environment = row["environment"].as_str().unwrap_or_default();
        let known = account.table.row(&format!("env#{environment}"), &format!("service#{service}"));
        let (head, known) = (account.table.row(&pk, "head")?, known.unwrap_or_default());
        Some(Change { release, head, row, known })
    }

    fn text(&self, key: &str) -> &str {
        self.row[key].as_str().unwrap_or_default()
    }

    fn image(&self) -> String {
        format!("{}@{}", self.text("repository"), self.text("digest"))
    }

    /// Returns the newest fact of the repository.
    fn newest(&self) -> Option<&Value> {
        facts_of(&self.known).into_iter().find(|fact| fact["repository"] == self.row["repository"])
    }

    fn is_not_written_down(&self) -> Option<String> {
        if self.row["touched"].is_null() {
            return Some("it is not written down that the service changes".to_owned());
        }
        let forced = self.head["request"]["force"] == true;
        (self.row["restore"].is_null() && !forced && self.newest().is_some())
            .then(|| "it is not written down what to go back to".to_owned())
    }

    fn is_kept_away(&self) -> Option<String> {
        let repository = self.text("repository");
        let (newest, before) =
            (&self.known[format!("hold:{repository}")], &self.known[format!("holdsBefore:{repository}")]);
        let mut holds = before.as_array().into_iter().flatten().chain([newest]);
        let hold = holds.find(|hold| hold["digest"] == self.row["digest"])?;
        Some(format!("the service is kept from its image: {hold}"))
    }

    fn is_older(&self, account: &State) -> Option<String> {
        let by = self.newest()?["release"].as_str().filter(|by| *by != self.release)?;
        let head = account.table.row(&format!("release#{by}"), "head")?;
        let (newer, ours) = (head["order"].as_str()?, self.head["order"].as_str()?);
        (newer > ours).then(|| format!("{by} has verified something newer ({newer}; {ours})"))
    }

    /// What a newer release has verified since is not undone by asking to undo an older one.
    fn is_verified_since(&self, account: &State) -> Option<String> {
        let of = self.head["request"]["to"]["restorePointsOf"].as_str()?;
        let rows = account.table.list(&format!("release#{of}"), "move#");
        let (_, old) = rows.into_iter().find(|(_, row)| row["service"] == self.row["service"])?;
        let newest = self.newest()?;
        let by = newest["release"].as_str().filter(|by| *by != of)?;
        let since = millis(&newest["since"]) > millis(&old["leased"]);
        let other = newest["digest"] != old["restore"]["digest"];
        (since && other).then(|| format!("{by} has verified it since"))
    }

    /// From what nobody has verified a rollback goes to what is verified, and to nothing before that.
    fn goes_past_what_is_verified(&self, account: &State) -> Option<String> {
        let verified = self.newest()?;
        let digest = verified["digest"].as_str()?;
        let running = account.ecs.images_of(self.text("running"));
        let runs = self.row["running"] == verified["taskDefinition"]
            || running.iter().any(|image| account.ecr.resolve(image).as_deref() == Some(digest));
        (!runs && self.row["digest"] != digest)
            .then(|| format!("it ran {running:?}, and {digest} is verified"))
    }
}

/// Reads a moment, in milliseconds since 1970.
fn millis(moment: &Value) -> Option<i64> {
    Some(Timestamp::parse(moment.as_str()?).ok()?.millis())
}
