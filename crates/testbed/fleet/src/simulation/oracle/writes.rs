//! What may be written, by whom and when.

use serde_json::Value;

use super::{Oracle, is_in_place};
use crate::fake::State;

/// How long ago somebody may have pointed a service elsewhere whose baseline is written down, in milliseconds.
const ADOPTION_MS: i64 = 120_000;

impl Oracle {
    /// Says what would be wrong with a call of a release if it had its effect now.
    pub fn suspects(
        &mut self,
        account: &mut State,
        call: u64,
        release: &str,
        operation: &str,
        input: &Value,
    ) -> Option<String> {
        let text = |key: &str| input[key].as_str().unwrap_or_default();
        let key = |key: &str| input["Key"][key]["S"].as_str().unwrap_or_default();
        self.checks += 1;
        match operation {
            "ecs.DescribeServices" => {
                self.notes_look(account, release, input);
                None
            }
            "ecs.UpdateService" => {
                let (environment, service) = (text("cluster"), text("service"));
                self.notes_wave(account, release, service);
                self.notes_stop(account, release);
                let wrong = without_lease(account, release, environment, service)
                    .or_else(|| self.comes_too_late(call, (environment, service), release))
                    .or_else(|| self.not_to_be_deployed(account, release, input));
                wrong.or_else(|| self.not_let_in(account, release, service, text("taskDefinition")))
            }
            "ecr.PutImage" => {
                let mut parts = text("imageTag").split('.');
                match (parts.next(), parts.next(), parts.next()) {
                    (Some("tidegate"), Some(environment), Some(service)) => {
                        without_lease(account, release, environment, service)
                            .or_else(|| self.comes_too_late(call, (environment, service), release))
                    }
                    _ => without_any_lease(account, release, text("imageTag")),
                }
            }
            "dynamodb.TransactWriteItems" => {
                let mut puts = input["TransactItems"].as_array().into_iter().flatten();
                let mistaken = puts.find_map(|item| {
                    self.is_written_under_another(account, release, item.get("Put")?.get("Item")?)
                });
                mistaken.or_else(|| self.takes_from_the_living(account, release, input))
            }
            "dynamodb.UpdateItem" => {
                self.writes_under_another(account, call, release, (key("pk"), key("sk")))
            }
            _ => None,
        }
        .map(|why| format!("{release} calls {operation}: {why}: {input}"))
    }

    /// A release goes forward only with what the environment before has shown, and with the answer of a person where
    /// one was asked.
    fn not_let_in(&self, account: &State, release: &str, service: &str, revision: &str) -> Option<String> {
        let head = account.table.row(&format!("release#{release}"), "head")?;
        let rows = account.table.list(&format!("release#{release}"), "move#");
        let (_, row) = rows.into_iter().find(|(_, row)| row["service"] == service)?;
        if !head["asked"].is_null() && head["answer"]["next"] != "Approved" {
            return Some(format!("a person was asked about it, and the answer is {}", head["answer"]));
        }
        let forward = row["registered"] == revision && head["request"]["to"].get("images").is_some();
        let from = head["policy"]["from"].as_str()?;
        let digest = row["digest"].as_str()?;
        let shown = self.proven.contains(&(from.to_owned(), digest.to_owned()));
        (forward && head["request"]["force"] != true && !shown)
            .then(|| format!("{from} has never run {digest}, verified"))
    }

    /// Sees what a release has written.
    ///
    /// What is written down as the history of a service is true at that moment, and written under its lease.
    pub fn sees(&mut self, account: &mut State, release: &str, operation: &str, input: &Value) {
        let writes: Vec<&Value> = match operation {
            "ecs.RunTask" => return self.sees_run(account),
            "dynamodb.UpdateItem" => vec![input],
            "dynamodb.PutItem" => {
                let text = |key: &str| input["Item"][key]["S"].as_str().unwrap_or_default();
                if text("sk") == "frozen" {
                    self.sees_freeze(account, release, text("pk"));
                }
                return;
            }
            "dynamodb.TransactWriteItems" => {
                let items = input["TransactItems"].as_array().into_iter().flatten();
                items.filter_map(|item| item.get("Update")).collect()
            }
            _ => return,
        };
        for write in &writes {
            let text = |key: &str| write["Key"][key]["S"].as_str().unwrap_or_default();
            self.sees_images(account, release, text("pk"), text("sk"));
            if text("sk") == "frozen" {
                self.sees_freeze(account, release, text("pk"));
            }
            if text("sk").starts_with("lease#") && operation == "dynamodb.TransactWriteItems" {
                self.sees_lease(account, release, text("pk"), text("sk"));
            }
            if let (Some(environment), Some(service)) =
                (text("pk").strip_prefix("env#"), text("sk").strip_prefix("service#"))
            {
                let lacking = match frees(&writes, environment, service) {
                    true => None,
                    false => without_lease(account, release, environment, service),
                };
                self.sees_history(account, release, (environment, service), lacking);
            }
        }
    }

    fn sees_history(
        &mut self,
        account: &mut State,
        release: &str,
        (environment, service): (&str, &str),
        lacking: Option<String>,
    ) {
        let row = account.table.row(&format!("env#{environment}"), &format!("service#{service}"));
        let history = row.unwrap_or_default()["history"].take();
        let fact = history[0].clone();
        if fact.is_null() {
            return;
        }
        let key = (environment.to_owned(), service.to_owned());
        if self.facts.insert(key.clone(), fact.clone()).as_ref() == Some(&fact) {
            return;
        }
        self.sees_way_back(account, release, &key, &history);
        let digest = fact["digest"].as_str().unwrap_or_default().to_owned();
        self.holds(lacking.is_none(), || {
            format!("{release} writes the history of {service}: {}", lacking.unwrap_or_default())
        });
        let true_now = if fact["release"].is_null() {
            is_adopted(account, environment, service, &digest)
        } else {
            let rows = account.table.list(&format!("release#{release}"), "move#");
            let row = rows.into_iter().find(|(_, row)| row["service"] == service);
            let (_, row) = row.unwrap_or_default();
            is_in_place(account, &row, &digest)
        };
        self.holds(true_now.is_ok(), || {
            format!("{release} writes down {fact} as verified, and {}", true_now.err().unwrap_or_default())
        });
        if fact["how"] == "released" {
            let since = fact["since"].as_str().unwrap_or_default().to_owned();
            let image = format!("{}@{digest}", fact["repository"].as_str().unwrap_or_default());
            self.brought.insert((environment.to_owned(), image), (since, account.now));
        }
        self.proven.insert((environment.to_owned(), digest));
    }
}

/// What a service ran when it was met.
fn is_adopted(account: &mut State, environment: &str, service: &str, digest: &str) -> Result<(), String> {
    let now = account.now;
    let name = format!("{environment}/{service}");
    let Some(service) = account.ecs.at(&name, now) else { return Ok(()) };
    let moved = service.pointed.last().is_some_and(|last| now - last.at < ADOPTION_MS);
    // Of what a revision pins, its tasks can run nothing else on AWS, whatever they report here.
    let pinned = service.primary().3.iter().any(|one| one == digest);
    match moved || pinned || service.runs_only(digest) {
        true => Ok(()),
        false => Err(format!("{name} does not run it: {:?}", service.primary())),
    }
}

fn holder(row: &Value) -> &str {
    row["release"].as_str().unwrap_or("nobody")
}

/// Says who holds the lease of a service, if that is not this release.
fn without_lease(account: &State, release: &str, environment: &str, service: &str) -> Option<String> {
    let lease =
        account.table.row(&format!("env#{environment}"), &format!("lease#{service}")).unwrap_or_default();
    (holder(&lease) != release).then(|| format!("{} holds the lease of {service}", holder(&lease)))
}

/// Tells whether the same call frees the lease of a service, which it does only if its release has held it up to then.
fn frees(writes: &[&Value], environment: &str, service: &str) -> bool {
    let text = |write: &Value, key: &str| write["Key"][key]["S"].as_str().unwrap_or_default().to_owned();
    writes.iter().any(|write| {
        let held =
            write["ConditionExpression"].as_str().is_some_and(|holds| holds.contains("#release = :ours"));
        held && text(write, "pk") == format!("env#{environment}")
            && text(write, "sk") == format!("lease#{service}")
    })
}

/// An environment's tag is moved by whoever holds one of its services.
fn without_any_lease(account: &State, release: &str, environment: &str) -> Option<String> {
    let leases = account.table.list(&format!("env#{environment}"), "lease#");
    (!leases.iter().any(|(_, lease)| holder(lease) == release))
        .then(|| format!("it holds no lease in {environment}"))
}
