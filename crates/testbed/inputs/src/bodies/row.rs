//! The rows of the ledger, as DynamoDB gives them.

use std::fmt::Debug;

use ::alert::delivery::Delivery;
use pipeline::Fault;
use pipeline::ids::{
    Digest, EnvironmentName, PackHash, ReleaseId, Repository, ServiceName, TaskDefinitionArn,
};
use pipeline::ledger::Key;
use pipeline::rows::{
    EventRow, EvidenceRow, FrozenRow, HeadRow, LeaseRow, MoveOutcome, MoveRow, PackRow, PlanRow,
    RepositoryRow, RevisionRow, RollbackScope, ServiceRow, TagRow, Verdict, WaitingRow, WriteRow,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::{Body, Outcome};
use crate::{World, promises, samples, world};

/// A row of any kind: what it is, and its attributes in DynamoDB's types.
pub const ROW: Body = Body { name: "row", share: 200, samples: rows, play: row };

fn rows() -> Vec<String> {
    let mut rows: Vec<String> = samples::rows()
        .into_iter()
        .map(|mut row| {
            let mut key = |name: &str| {
                row.remove(name).unwrap_or_default()["S"].as_str().unwrap_or_default().to_owned()
            };
            let (pk, sk) = (key("pk"), key("sk"));
            let kind = match (pk.split('#').next(), sk.split('#').next()) {
                (Some("digest"), _) => "evidence",
                (Some("event"), _) => "event",
                (Some("revision"), _) => "revision",
                (_, Some(kind)) => kind,
                _ => "",
            };
            json!({"kind": kind, "row": row}).to_string()
        })
        .collect();
    let digest = format!("sha256:{}", "a".repeat(64));
    let moved = json!({"M": {"release": {"S": "r1"}, "service": {"S": "users"}, "digest": {"S": digest}}});
    rows.push(json!({"kind": "tag", "row": {"version": {"N": "3"}, "moves": {"L": [moved]}}}).to_string());
    rows.push(json!({"kind": "pack", "row": {"json": {"S": "{}"}}}).to_string());
    rows
}

/// The keys of one row of each kind.
struct Keys {
    release: ReleaseId,
    environment: EnvironmentName,
    service: ServiceName,
    repository: Repository,
    digest: Digest,
    arn: TaskDefinitionArn,
}

fn keys() -> Result<Keys, Fault> {
    Ok(Keys {
        release: ReleaseId::parse("r1")?,
        environment: EnvironmentName::parse("dev")?,
        service: ServiceName::parse("users")?,
        repository: Repository::parse("shop/users")?,
        digest: Digest::parse(format!("sha256:{}", "a".repeat(64)))?,
        arn: TaskDefinitionArn::parse("arn:aws:ecs:eu-west-1:123456789012:task-definition/users:1")?,
    })
}

/// A row is read as it was written, or named in a refusal; what is read can be written and read again.
fn row(world: &World, text: &str) -> Outcome {
    let input: Value = serde_json::from_str(text).unwrap_or_default();
    let row = &input["row"];
    let Ok(Keys { release, environment, service, repository, digest, arn }) = keys() else {
        return Outcome::Refused;
    };
    let of_release = |sk: &str| (format!("release#{release}"), sk.to_owned());
    let of_environment = |sk: &str| (format!("env#{environment}"), sk.to_owned());
    match input["kind"].as_str().unwrap_or_default() {
        "head" => read::<HeadRow>(world, &Key::head(&release), of_release("head"), row).1,
        "move" => {
            let (read, outcome) = read(world, &Key::a_move(&release, 0, 0), of_release("move#0#0"), row);
            read.iter().for_each(moved);
            outcome
        }
        "plan" => read::<PlanRow>(world, &Key::plan(&release, &service), of_release("plan#users"), row).1,
        "repo" => read::<RepositoryRow>(world, &Key::repository(&release, 0), of_release("repo#0"), row).1,
        "alert" => read::<Delivery>(world, &Key::alert(&release, "sns"), of_release("alert#sns"), row).1,
        "frozen" => read::<FrozenRow>(world, &Key::frozen(&environment), of_environment("frozen"), row).1,
        "lease" => {
            read::<LeaseRow>(world, &Key::lease(&environment, &service), of_environment("lease#users"), row).1
        }
        "service" => {
            let key = Key::service(&environment, &service);
            let (read, outcome) = read(world, &key, of_environment("service#users"), row);
            read.iter().for_each(history);
            outcome
        }
        "tag" => {
            read::<TagRow>(world, &Key::tag(&environment, &repository), of_environment("tag#shop/users"), row)
                .1
        }
        "write" => {
            let at = world::now();
            let key = Key::write(&environment, &repository, at);
            read::<WriteRow>(world, &key, of_environment(&format!("write#{repository}#{at}")), row).1
        }
        "waiting" => {
            read::<Hidden>(world, &Key::waiting(&environment, &release), of_environment("waiting#r1"), row).1
        }
        "evidence" => {
            let pk = format!("digest#{repository}@{digest}");
            let key = Key::evidence(&repository, &digest, &environment);
            read::<EvidenceRow>(world, &key, (pk, "env#dev".to_owned()), row).1
        }
        "event" => {
            read::<EventRow>(world, &Key::event("e1"), ("event#e1".to_owned(), "event".to_owned()), row).1
        }
        "revision" => {
            let key = Key::revision(&arn);
            read::<RevisionRow>(world, &key, (format!("revision#{arn}"), "json".to_owned()), row).1
        }
        "pack" => {
            let hash = PackHash::of([7; 32]);
            read::<PackRow>(world, &Key::pack(&hash), (format!("pack#{hash}"), "json".to_owned()), row).1
        }
        _ => Outcome::Refused,
    }
}

/// A row that has no `Debug`, since there is a token in it.
#[derive(PartialEq, Serialize, serde::Deserialize)]
struct Hidden(WaitingRow);

impl Debug for Hidden {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a row with a token")
    }
}

fn read<Row: DeserializeOwned + Serialize + PartialEq + Debug>(
    world: &World,
    key: &Key,
    (pk, sk): (String, String),
    row: &Value,
) -> (Option<Row>, Outcome) {
    world.fake.open().table.forget(|_, _| true);
    let mut item = row.as_object().cloned().unwrap_or_default();
    item.insert("pk".to_owned(), json!({"S": pk}));
    item.insert("sk".to_owned(), json!({"S": sk}));
    let put = world.fake.open().answer("dynamodb.PutItem", &json!({"TableName": "ledger", "Item": item}));
    if put.is_err() {
        return (None, Outcome::Refused);
    }
    let read = match world.wait(world.ledger.get::<Row>(key)) {
        Ok(read) => read.unwrap_or_else(|| panic!("{pk} {sk} is not there")),
        Err(fault) => {
            promises::fault(&fault);
            // What DynamoDB would never send does not get as far as a row.
            let on_the_wire = fault.to_string().starts_with(&format!("could not read {pk} {sk}: "));
            let unreadable = fault.to_string().starts_with(&format!("the row {pk} {sk} is unreadable: "));
            assert!(on_the_wire || (fault.name() == "InvalidInput" && unreadable), "{fault}");
            return (None, Outcome::Refused);
        }
    };
    let again = world.wait(async {
        world.ledger.put(key, &read).await?;
        world.ledger.get::<Row>(key).await
    });
    let again = again.unwrap_or_else(|fault| panic!("it cannot be read again: {fault}: {read:?}"));
    assert_eq!(again.as_ref(), Some(&read));
    (Some(read), Outcome::Accepted)
}

/// A move has the fate that its row tells, whatever else is in it.
fn moved(row: &MoveRow) {
    for scope in [None, Some(RollbackScope::All), Some(RollbackScope::Failed)] {
        let fate = MoveOutcome::of(row, scope);
        let goes_back = row.rollback_started.is_some() || row.rollback_deployment.is_some();
        let proven = row.verdict == Some(Verdict::Healthy) && row.touched.is_some() && !goes_back;
        let back = goes_back && row.rollback_verdict == Some(Verdict::Healthy);
        assert!(fate != MoveOutcome::Deployed || proven, "{row:?}");
        assert!(fate != MoveOutcome::Undone || back, "{row:?}");
        let unchanged = matches!(fate, MoveOutcome::Untouched | MoveOutcome::Failed);
        assert!(!unchanged || (row.touched.is_none() && !goes_back), "{row:?}");
    }
}

/// What a service has run is bounded, and what it goes back to is another image than what it runs.
fn history(row: &ServiceRow) {
    for repository in row.repositories() {
        let verified = row.verified(repository);
        assert!(verified.is_some(), "{repository} is listed, and nothing of it is verified");
        let before = row.before(repository);
        assert!(
            before.is_none() || before.map(|fact| &fact.digest) != verified.map(|fact| &fact.digest),
            "{row:?}"
        );
        let (Some(newest), Some(release)) = (verified, ReleaseId::parse("new").ok()) else { continue };
        let next =
            pipeline::rows::VerifiedImage { release: Some(release), since: world::now(), ..newest.clone() };
        let kept = row.with(&next);
        assert_eq!(kept.first(), Some(&next));
        assert!(kept.iter().filter(|fact| fact.repository == *repository).count() <= 5, "{kept:?}");
        let (_order, _hold) = (row.order(repository), row.holds(repository));
    }
}
