//! A world and a book in memory: two environments, three services, a few images.

use std::cell::RefCell;
use std::collections::BTreeMap;

use pipeline::Fault;
use pipeline::clock::Timestamp;
use pipeline::environment::Environments;
use pipeline::ids::{
    DeploymentId, Digest, EnvironmentName, ReleaseId, Repository, ServiceName, TaskDefinitionArn,
};
use pipeline::image::ImageReference;
use pipeline::payload::MoveKey;
use pipeline::rows::{
    FrozenRow, HeadRow, Hold, Known, LeaseRow, MoveRow, OrderKey, Outcome, Quarantine, RestorePoint,
    ServiceRow, Undo, WriteRow,
};
use pipeline::service::{Deployment, Rollout};
use release::Run;
use release::book::{Book, Taken};
use release::request::Image;
use release::world::{Digests, Mutability, Service, Source, World};
use serde_json::json;

pub fn digest(letter: char) -> Digest {
    Digest::parse(format!("sha256:{}", letter.to_string().repeat(64))).unwrap()
}

fn arn(service: &str) -> TaskDefinitionArn {
    TaskDefinitionArn::parse(format!("arn:aws:ecs:eu-west-1:123456789012:task-definition/{service}:1"))
        .unwrap()
}

fn service(name: &str, strategy: &str) -> Service {
    let image = format!("123456789012.dkr.ecr.eu-west-1.amazonaws.com/shop/{name}@{}", digest('a'));
    let deployment = Deployment {
        id: DeploymentId::parse("ecs-svc/1").unwrap(),
        task_definition: arn(name),
        primary: true,
        rollout: Rollout::Completed,
    };
    Service {
        name: ServiceName::parse(name).unwrap(),
        controller: "ECS".to_owned(),
        strategy: strategy.to_owned(),
        desired: 2,
        deployments: vec![deployment],
        images: vec![("app".to_owned(), ImageReference::parse(&image).unwrap())],
    }
}

/// Returns an image that was verified once.
pub fn known(letter: char) -> Known {
    Known {
        repository: Repository::parse("shop/users").unwrap(),
        digest: digest(letter),
        task_definition: arn("users"),
        commit: None,
        since: Timestamp::from_millis(0),
        release: Some(ReleaseId::parse("r0").unwrap()),
    }
}

/// Returns a move of a release that died, with `c` as its way back.
pub fn dead_move() -> (MoveKey, MoveRow) {
    let sample: serde_json::Value =
        serde_json::from_str(include_str!("../../../../events/rollback/good.json")).unwrap();
    let mut row: MoveRow = serde_json::from_value(sample.get("move").unwrap().clone()).unwrap();
    row.restore = row.restore.map(|restore| RestorePoint { digest: digest('c'), ..restore });
    (MoveKey::new(ReleaseId::parse("dead").unwrap(), 0, 0), row)
}

pub struct Shop;

impl World for Shop {
    async fn environments(&self) -> Result<Environments, Fault> {
        let documents = json!({
            "dev": {"cluster": "dev", "tag": "dev", "deployOn": ["main-*", "both-*"]},
            "test": {"cluster": "test", "tag": "test", "deployOn": ["both-*"]},
            "locked": {"cluster": "dev", "tag": "locked"},
            "prod": {"cluster": "dev", "tag": "prod", "frozen": true}
        });
        Ok(serde_json::from_value(documents).unwrap())
    }
    async fn services(&self, _: &str, _: Option<&[ServiceName]>) -> Result<Vec<Service>, Fault> {
        let mut services =
            ["users", "legacy", "idle", "busy", "split", "newer"].map(|name| service(name, "ROLLING"));
        let [_, legacy, idle, busy, ..] = &mut services;
        legacy.controller = "CODE_DEPLOY".to_owned();
        idle.desired = 0;
        busy.deployments.iter_mut().for_each(|one| one.rollout = Rollout::InProgress);
        Ok(services.into_iter().chain([service("orders", "BLUE_GREEN")]).collect())
    }
    async fn running(&self, _: &str, service: &Service, _: &[String]) -> Result<Digests, Fault> {
        let other = if service.name.as_str() == "split" { 'c' } else { 'a' };
        Ok(Digests { seen: [digest('a'), digest(other)].into(), unknown: false })
    }
    async fn revision(&self, _: &TaskDefinitionArn) -> Result<String, Fault> {
        Ok("{}".to_owned())
    }
    async fn loss(&self, arn: &TaskDefinitionArn, _: &[String], _: &Digest) -> Result<Option<String>, Fault> {
        let lost = format!("the task definition {arn} has brandNew.mode, which a copy would lose");
        Ok(arn.as_str().contains("newer").then_some(lost))
    }
    async fn images(&self, _: &Source, images: &[Image]) -> Result<BTreeMap<String, Digest>, Fault> {
        let there = |image: &Image| match image {
            Image::Digest(one) => ('a'..='d').map(digest).find(|known| known == one),
            Image::Tag(tag) => (tag.as_str() == "main-1a2b3c").then(|| digest('b')),
        };
        Ok(images.iter().filter_map(|image| Some((String::from(image.clone()), there(image)?))).collect())
    }
    async fn mutability(&self, _: &Source) -> Result<Mutability, Fault> {
        Ok(Mutability { movable: true, except: vec!["locked".to_owned()] })
    }
    async fn ended(&self, _: &str) -> Result<Option<Timestamp>, Fault> {
        Ok(None)
    }
}

/// Remembers every write by a word.
#[derive(Default)]
pub struct Notebook {
    pub written: RefCell<Vec<String>>,
    pub head: RefCell<Option<HeadRow>>,
    pub moves: RefCell<Vec<(MoveKey, MoveRow)>>,
    /// A service that somebody else holds.
    pub lease: RefCell<Option<(ServiceName, LeaseRow)>>,
    pub service: RefCell<ServiceRow>,
}

impl Notebook {
    fn write(&self, what: impl Into<String>) -> Result<(), Fault> {
        self.written.borrow_mut().push(what.into());
        Ok(())
    }
}

impl Book for Notebook {
    async fn service(&self, _: &EnvironmentName, _: &ServiceName) -> Result<ServiceRow, Fault> {
        Ok(self.service.borrow().clone())
    }
    async fn held(&self, _: &EnvironmentName, _: &ServiceName, _: &ReleaseId) -> Result<bool, Fault> {
        Ok(false)
    }
    async fn frozen(&self, _: &EnvironmentName) -> Result<Option<FrozenRow>, Fault> {
        Ok(None)
    }
    async fn freeze(&self, environment: &EnvironmentName, row: &FrozenRow) -> Result<(), Fault> {
        Notebook::write(self, format!("{} {environment}", if row.frozen { "freeze" } else { "resume" }))
    }
    async fn quarantine(
        &self,
        _: &EnvironmentName,
        _: &Repository,
        digest: &Digest,
    ) -> Result<Option<Quarantine>, Fault> {
        let (release, since) = (ReleaseId::parse("r0")?, Timestamp::parse("2026-11-23T09:00:00Z")?);
        let reason = "GET /version answered 500, expected 200".to_owned();
        Ok((*digest == self::digest('d')).then_some(Quarantine { release, since, reason }))
    }
    async fn adopt(&self, _: &ReleaseId, row: &MoveRow, _: Timestamp) -> Result<(), Fault> {
        Notebook::write(self, format!("adopt {}", row.service))
    }
    async fn distrust(&self, row: &MoveRow, _: &Quarantine) -> Result<(), Fault> {
        Notebook::write(self, format!("distrust {}", row.digest.short()))
    }
    async fn writes(&self, _: &EnvironmentName, _: &Repository) -> Result<Vec<WriteRow>, Fault> {
        Ok(vec![WriteRow {
            digest: digest('b'),
            time: Timestamp::parse("2026-11-23T09:30:00Z")?,
            expires: 0,
        }])
    }
    async fn claim(&self, event: &str, _: &str, _: Timestamp) -> Result<Option<String>, Fault> {
        if event == "delivered-before" {
            return Ok(Some("arn:aws:states:eu-west-1:123456789012:execution:tidegate:first".to_owned()));
        }
        self.write("claim").map(|()| None)
    }
    async fn order(&self, _: &EnvironmentName, _: &ServiceName, _: &OrderKey) -> Result<(), Fault> {
        self.write("order")
    }
    async fn open(&self, _: &ReleaseId, head: &HeadRow) -> Result<(), Fault> {
        *self.head.borrow_mut() = Some(head.clone());
        self.write("open")
    }
    async fn head(&self, _: &ReleaseId) -> Result<Option<HeadRow>, Fault> {
        Ok(self.head.borrow().clone())
    }
    async fn ask(&self, _: &ReleaseId, _: &str) -> Result<(), Fault> {
        self.write("ask")
    }
    async fn replan(&self, _: &ReleaseId, _: &str, _: Vec<ServiceName>, _: Timestamp) -> Result<(), Fault> {
        self.write("replan")
    }
    async fn take(
        &self,
        _: &EnvironmentName,
        service: &ServiceName,
        _: &Run,
        _: Option<&LeaseRow>,
        _: Timestamp,
    ) -> Result<Taken, Fault> {
        match self.lease.borrow().clone() {
            Some((held, by)) if held == *service => Ok(Taken::Held(by)),
            _ => Notebook::write(self, "take").map(|()| Taken::Yes(1)),
        }
    }
    async fn free(&self, _: &EnvironmentName, _: &ServiceName, _: &Run, _: Timestamp) -> Result<(), Fault> {
        self.write("free")
    }
    async fn write(&self, release: &ReleaseId, wave: u32, n: u32, row: &MoveRow) -> Result<(), Fault> {
        self.moves.borrow_mut().push((MoveKey::new(release.clone(), wave, n), row.clone()));
        Notebook::write(self, "move")
    }
    async fn moves(&self, _: &ReleaseId) -> Result<Vec<(MoveKey, MoveRow)>, Fault> {
        Ok(self.moves.borrow().clone())
    }
    async fn undo(&self, _: &ReleaseId, _: Undo) -> Result<(), Fault> {
        Notebook::write(self, "undo")
    }
    async fn verified(&self, row: &MoveRow, known: &Known, hold: Option<&Hold>) -> Result<(), Fault> {
        Notebook::write(
            self,
            format!(
                "verified {} {}{}",
                row.service,
                known.digest.short(),
                if hold.is_some() { ", hold" } else { "" }
            ),
        )
    }
    async fn close(&self, _: &ReleaseId, outcome: Outcome) -> Result<(), Fault> {
        Notebook::write(self, format!("close {outcome:?}"))
    }
}
