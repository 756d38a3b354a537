//! A world in memory: a few environments, the services of two clusters, a few images.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};

use pipeline::Fault;
use pipeline::alarm::Alarm;
use pipeline::clock::Timestamp;
use pipeline::environment::{Environments, PATH, ServiceDocuments};
use pipeline::ids::{
    DeploymentId, Digest, Registry, ReleaseId, Repository, ServiceName, Tag, TaskDefinitionArn,
};
use pipeline::image::{ImageReference, RepositoryRef};
use pipeline::service::{Deployment, Rollout};
use pipeline::task_definition::OpenPort;
use release::plan::PlanContext;
use release::ports::{
    Alarms, Child, ClusterSnapshot, Clusters, Config, Digests, Documents, Execution, Executions, ImageId,
    Images, Index, LiveTests, Mutability, Origin, Platform, Prober, Revision, Revisions, Scan, Service,
    Shifting, Signing, StoredImage, TaskImages,
};
use serde_json::{Value, json};

pub fn digest(letter: char) -> Digest {
    Digest::parse(format!("sha256:{}", letter.to_string().repeat(64))).unwrap()
}

pub fn arn(service: &str) -> TaskDefinitionArn {
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
        shifting: Shifting::default(),
        desired: 2,
        running: 2,
        deployments: vec![deployment],
        alarms: Vec::new(),
        balanced: vec![("app".to_owned(), 8080)],
        connect: Vec::new(),
        revision: Revision {
            images: vec![("app".to_owned(), ImageReference::parse(&image).unwrap())],
            roles: vec!["arn:aws:iam::123456789012:role/shop/tasks".to_owned()],
            ports: vec![OpenPort { container: "app".to_owned(), name: None, number: 8080 }],
            network_mode: Some("awsvpc".to_owned()),
            logs: [("app".to_owned(), None)].into(),
            ..Revision::default()
        },
    }
}

/// What happens outside of the ledger, by a word.
#[derive(Default)]
pub struct Shop {
    pub done: RefCell<Vec<String>>,
    pub alarms: RefCell<BTreeMap<String, Alarm>>,
    /// How often a start of an execution fails.
    pub faults: RefCell<usize>,
    /// The live tests of services, by name, or by environment and name.
    pub tests: RefCell<BTreeMap<String, String>>,
    /// What documents say instead.
    pub wrong: RefCell<BTreeMap<String, String>>,
    /// The tag that the task definition of users names, where it pins no digest.
    pub tag: Option<&'static str>,
    /// Why no lifecycle policy can be read, if so.
    pub policy_fault: RefCell<Option<Fault>>,
    /// The roles that may be handed on; unknown if absent.
    pub roles: Option<Vec<String>>,
    /// Whether the services of mall run images of one repository.
    pub shares: bool,
    /// What ECR says of the scan of every image; it has none if absent.
    pub scan: RefCell<Option<Result<Scan, Fault>>>,
    /// With which profiles ECR has signed every image.
    pub signings: RefCell<Vec<Signing>>,
    /// The images of `b` and their platforms, if it is an index.
    pub children: Vec<Child>,
    /// What was read of images, by a word.
    pub read: RefCell<Vec<String>>,
    /// How many looks find task definitions unread.
    pub unread: RefCell<usize>,
    /// What is known of other executions, if they do not run.
    pub holder: Cell<Option<Execution>>,
    /// Whether the next reader of the documents stalls, and whether one does.
    pub stalls: Cell<bool>,
    pub stalled: Cell<bool>,
}

impl Shop {
    fn all(&self, cluster: &str) -> ClusterSnapshot {
        let unread = self.unread.replace_with(|left| left.saturating_sub(1));
        if unread > 0 {
            return ClusterSnapshot { unread, ..ClusterSnapshot::default() };
        }
        if !matches!(cluster, "dev" | "test" | "locked" | "prod") {
            let mut services = ["cart", "checkout", "users"].map(|name| service(name, "ROLLING")).to_vec();
            if let (Some(tag), Some(users)) = (self.tag, services.last_mut()) {
                let image = format!("123456789012.dkr.ecr.eu-west-1.amazonaws.com/shop/users:{tag}");
                users.revision.images = vec![("app".to_owned(), ImageReference::parse(&image).unwrap())];
            }
            if self.shares {
                let images = service("users", "ROLLING").revision.images;
                services.iter_mut().for_each(|one| one.revision.images = images.clone());
            }
            return ClusterSnapshot { services, unread, ..ClusterSnapshot::default() };
        }
        let mut services =
            ["users", "legacy", "idle", "busy", "split", "newer"].map(|name| service(name, "ROLLING"));
        let [_, legacy, idle, busy, ..] = &mut services;
        legacy.controller = "CODE_DEPLOY".to_owned();
        idle.desired = 0;
        busy.deployments.iter_mut().for_each(|one| one.rollout = Rollout::InProgress);
        ClusterSnapshot {
            services: services.into_iter().chain([service("orders", "BLUE_GREEN")]).collect(),
            unread,
            ..ClusterSnapshot::default()
        }
    }
}

impl Documents for Shop {
    async fn environments(&self, _: &ReleaseId, _: Timestamp) -> Result<Environments, Fault> {
        // `make test-sam` plays the samples with the same documents.
        let documents: Value = serde_json::from_str(include_str!("environments.json")).unwrap();
        if self.stalls.take() {
            self.stalled.set(true);
            while self.stalled.get() {
                tokio::task::yield_now().await;
            }
        }
        let wrong = self.wrong.borrow();
        let texts = documents.as_object().unwrap().iter().map(|(name, document)| {
            let text = wrong.get(name).cloned().unwrap_or_else(|| document.to_string());
            (format!("{PATH}/{name}"), text)
        });
        let texts: Vec<(String, String)> = texts.collect();
        Ok(Environments::read(texts.iter().map(|(path, text)| (path.as_str(), text.as_str()))))
    }
}

impl LiveTests for Shop {
    async fn documents(
        &self,
        PlanContext { name: of, .. }: PlanContext<'_>,
        services: &[ServiceName],
    ) -> Result<ServiceDocuments, Fault> {
        let tests = self.tests.borrow();
        let here = |(name, text)| {
            let (environment, name) = String::as_str(name).split_once('/').unwrap_or((of.as_str(), name));
            (environment == of.as_str()).then(|| (format!("{PATH}/{of}/services/{name}/tests"), text))
        };
        let texts: Vec<(String, &String)> = tests.iter().filter_map(here).collect();
        let texts = texts.iter().map(|(path, text)| (path.as_str(), text.as_str()));
        Ok(ServiceDocuments::read(of, services, texts))
    }
    fn prober(&self) -> Prober {
        Prober { in_vpc: true, ..Prober::default() }
    }
}

impl Clusters for Shop {
    async fn services(&self, cluster: &str, named: Option<&[ServiceName]>) -> Result<ClusterSnapshot, Fault> {
        let all = self.all(cluster);
        let asked = |service: &Service| named.is_none_or(|named| named.contains(&service.name));
        Ok(ClusterSnapshot { services: all.services.into_iter().filter(asked).collect(), ..all })
    }
    async fn pointed(&self, cluster: &str) -> Result<BTreeMap<ServiceName, TaskDefinitionArn>, Fault> {
        let all = self.all(cluster).services.into_iter();
        Ok(all.filter_map(|one| Some((one.name.clone(), one.primary()?.task_definition.clone()))).collect())
    }
    async fn revisions(&self, arns: &BTreeSet<TaskDefinitionArn>) -> Result<Revisions, Fault> {
        let all = ["dev", "mall"].into_iter().flat_map(|cluster| self.all(cluster).services);
        let read = all.filter_map(|one| Some((one.primary()?.task_definition.clone(), one.revision.clone())));
        Ok(Revisions { read: read.filter(|(arn, _)| arns.contains(arn)).collect(), unread: 0 })
    }
    async fn running(
        &self,
        _: &str,
        services: &BTreeMap<ServiceName, TaskDefinitionArn>,
    ) -> Result<BTreeMap<ServiceName, TaskImages>, Fault> {
        let other = |name: &ServiceName| if name.as_str() == "split" { 'c' } else { 'a' };
        let seen = |name| Digests { seen: [digest('a'), digest(other(name))].into(), unknown: false };
        Ok(services.keys().map(|name| (name.clone(), [("app".to_owned(), seen(name))].into())).collect())
    }
    async fn loss(&self, arn: &TaskDefinitionArn, _: &[String], _: &Digest) -> Result<Option<String>, Fault> {
        let lost = format!("the task definition {arn} has brandNew.mode, which a copy would lose");
        Ok(arn.as_str().contains("newer").then_some(lost))
    }
    async fn record(&self, arn: &TaskDefinitionArn) -> Result<(), Fault> {
        self.done.borrow_mut().push(format!("record {arn}"));
        Ok(())
    }
    async fn open_shifts(&self, _: &str, _: &ServiceName) -> Result<Vec<String>, Fault> {
        Ok(Vec::new())
    }
    fn roles(&self) -> Option<&[String]> {
        self.roles.as_deref()
    }
}

impl Images for Shop {
    async fn images(&self, _: &RepositoryRef, images: &[ImageId]) -> Result<BTreeMap<String, Digest>, Fault> {
        let there = |image: &ImageId| match image {
            ImageId::Digest(one) => ('a'..='d').map(digest).find(|known| known == one),
            ImageId::Tag(tag) => (tag.as_str() == "main-1a2b3c").then(|| digest('b')),
        };
        Ok(images.iter().filter_map(|image| Some((String::from(image.clone()), there(image)?))).collect())
    }
    async fn present(
        &self,
        _: PlanContext<'_>,
        from: &RepositoryRef,
        images: &BTreeSet<&Digest>,
    ) -> Result<BTreeSet<Digest>, Fault> {
        let asked: Vec<ImageId> = images.iter().map(|digest| ImageId::Digest((*digest).clone())).collect();
        Ok(self.images(from, &asked).await?.into_values().collect())
    }
    async fn stored(&self, of: &RepositoryRef) -> Result<Vec<StoredImage>, Fault> {
        let pushed = Timestamp::parse("2026-11-23T09:00:00Z")?;
        let tags = vec!["main-7".to_owned()];
        let (manifest_type, artifact_type) = (None, None);
        let image =
            StoredImage { digest: digest('b'), tags, pushed: Some(pushed), manifest_type, artifact_type };
        Ok(if of.repository.as_str() == "shop/users" { vec![image] } else { Vec::new() })
    }
    async fn index(&self, _: &RepositoryRef, tag: &Tag) -> Result<Option<Index>, Fault> {
        let index = Index { digest: digest('f'), images: vec![digest('a')] };
        Ok(Some(index).filter(|_| tag.as_str() == "multi-arch"))
    }
    async fn origin(&self, _: &RepositoryRef, image: &Digest) -> Origin {
        let commit = (*image == digest('b')).then(|| "1a2b3c4d5e6f".to_owned());
        Origin { commit, built: None }
    }
    async fn mutability(
        &self,
        _: &Registry,
        of: &[&Repository],
    ) -> Result<BTreeMap<Repository, Mutability>, Fault> {
        let mutability = Mutability { movable: true, except: vec!["locked".to_owned()] };
        Ok(of.iter().map(|repository| ((*repository).clone(), mutability.clone())).collect())
    }
    async fn lifecycle(&self, of: &RepositoryRef) -> Result<Option<String>, Fault> {
        if let Some(fault) = self.policy_fault.borrow().clone() {
            return Err(fault);
        }
        let selection = json!({"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": 10});
        let rule = json!({"rulePriority": 5, "selection": selection, "action": {"type": "expire"}});
        Ok((of.repository.as_str() == "shop/checkout").then(|| json!({"rules": [rule]}).to_string()))
    }
    async fn children(&self, _: &RepositoryRef, image: &Digest) -> Result<Vec<Child>, Fault> {
        self.read.borrow_mut().push(format!("children {}", image.short()));
        Ok(if *image == digest('b') { self.children.clone() } else { Vec::new() })
    }
    async fn config(&self, _: &RepositoryRef, image: &Digest) -> Result<Config, Fault> {
        self.read.borrow_mut().push(format!("config {}", image.short()));
        let labels = [("team".to_owned(), "shop".to_owned())].into();
        Ok(Config {
            platform: Platform::default(),
            labels,
            env: vec!["DB_PASSWORD".to_owned()],
            created: None,
        })
    }
    async fn scan(&self, _: &RepositoryRef, image: &Digest) -> Result<Scan, Fault> {
        self.read.borrow_mut().push(format!("scan {}", image.short()));
        let known = self.scan.borrow().clone();
        known.unwrap_or_else(|| Ok(Scan::Missing("ECR has no scan of it".to_owned())))
    }

    async fn signings(&self, _: &RepositoryRef, image: &Digest) -> Result<Vec<Signing>, Fault> {
        self.read.borrow_mut().push(format!("signings {}", image.short()));
        Ok(self.signings.borrow().clone())
    }
}

impl Alarms for Shop {
    async fn alarms(&self, names: &BTreeSet<String>) -> Result<BTreeMap<String, Alarm>, Fault> {
        let known = self.alarms.borrow();
        Ok(names.iter().filter_map(|name| Some((name.clone(), *known.get(name)?))).collect())
    }
}

impl Executions for Shop {
    async fn execution(&self, _: &str) -> Result<Execution, Fault> {
        Ok(self.holder.get().unwrap_or(Execution::Running))
    }
    async fn answer(&self, token: &str, answer: &Value) -> Result<bool, Fault> {
        self.done.borrow_mut().push(format!("answer {}", answer["next"].as_str().unwrap()));
        Ok(token != "stale")
    }
    async fn start(&self, _: &str, name: &str, input: &Value) -> Result<(), Fault> {
        if self.faults.replace_with(|left| left.saturating_sub(1)) > 0 {
            return Err(Fault::Throttled("too many starts".to_owned()));
        }
        self.done.borrow_mut().push(format!("start {name} {input}"));
        Ok(())
    }
}
