//! ECS: clusters of services, their task definitions, and the calls about them.

mod rollout;
mod runs;
mod shift;

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::ecr::Ecr;
use super::expression::wrong;
use super::{ACCOUNT, Answer, REGION, Refusal, unknown};
use rollout::Task;
pub use rollout::{End, Pointed, Service};
pub use runs::{RunEnd, RunTask};
pub use shift::Shifting;

/// How much one call may ask for.
const SERVICES_PER_CALL: usize = 10;
const TASKS_PER_CALL: usize = 100;
const PER_PAGE: usize = 100;

/// All that the pipeline may send to update a service.
const UPDATED: [&str; 3] = ["cluster", "service", "taskDefinition"];

/// The clusters.
#[derive(Clone, Debug, Default)]
pub struct Ecs {
    /// Their services, by cluster and name as ARNs have them: `fleet/users`.
    pub services: BTreeMap<String, Service>,
    /// Calls that are denied: the operation, and the service, the family or the revision.
    pub denied: Vec<(&'static str, String)>,
    /// The tasks that were run beside services.
    pub runs: Vec<RunTask>,
    /// How runs of images end that do not just pass, by digest.
    pub run_ends: BTreeMap<String, RunEnd>,
    revisions: BTreeMap<String, Value>,
    newest: BTreeMap<String, u32>,
    deployments: u32,
}

impl Ecs {
    /// Registers a revision that runs each of some images in a container of its own; returns its ARN.
    pub fn register(&mut self, family: &str, images: &[String]) -> String {
        let container = |(n, image): (usize, &String)| {
            let port = 8080 + n;
            let name = if n == 0 { "app".to_owned() } else { format!("side-{n}") };
            json!({"name": name, "image": image, "essential": true, "cpu": 0,
                   "portMappings": [{"containerPort": port, "hostPort": port, "protocol": "tcp"}]})
        };
        let containers: Vec<Value> = images.iter().enumerate().map(container).collect();
        let registration = json!({
            "family": family, "networkMode": "awsvpc", "cpu": "256", "memory": "512", "volumes": [],
            "requiresCompatibilities": ["FARGATE"], "executionRoleArn": format!("arn:aws:iam::{ACCOUNT}:role/run"),
            "containerDefinitions": containers,
        });
        self.revision(registration)
    }

    /// Returns the ARN of a revision, whether there is one or not.
    pub fn arn(&self, family: &str, number: u32) -> String {
        format!("arn:aws:ecs:{REGION}:{ACCOUNT}:task-definition/{family}:{number}")
    }

    /// Creates a service that runs a revision, stable.
    pub fn create(&mut self, name: &str, revision: &str, ecr: &Ecr) {
        let digests = self.digests_of(revision, ecr);
        self.deployments += 1;
        self.services.insert(name.to_owned(), Service::stable(self.deployments, revision, digests));
    }

    /// Points a service at a revision, whoever does so.
    pub fn point(&mut self, name: &str, revision: &str, ecr: &Ecr, now: i64) -> Result<(), Refusal> {
        let digests = self.digests_of(revision, ecr);
        let missing = self.images_of(revision).iter().any(|image| !ecr.has(image));
        let service = self.services.get_mut(name).ok_or_else(|| no_service(name))?;
        self.deployments += 1;
        service.settle(name, now);
        service.start(name, self.deployments, revision, digests, now);
        if missing {
            service.cannot_start();
        }
        Ok(())
    }

    /// Returns a service as it is at a moment.
    pub fn at(&mut self, name: &str, now: i64) -> Option<&Service> {
        let service = self.services.get_mut(name)?;
        service.settle(name, now);
        Some(service)
    }

    /// Forgets the revisions that no service lists.
    pub fn forget_revisions(&mut self) {
        let services = &self.services;
        self.revisions.retain(|arn, _| services.values().any(|service| service.lists(arn)));
    }

    /// Answers one call; what has happened within the last `stale` milliseconds is not seen by some of them yet.
    pub(super) fn answer(&mut self, name: &str, input: &Value, ecr: &Ecr, now: i64, stale: i64) -> Answer {
        let named = ["service", "family", "taskDefinition"].into_iter().find_map(|key| input[key].as_str());
        let subject = named.unwrap_or_default();
        if self.denied.iter().any(|(operation, of)| *operation == name && of == subject) {
            return Err(Refusal::new(
                "AccessDeniedException",
                format!("not authorized to perform: ecs:{name}"),
            ));
        }
        match name {
            "ListServices" => {
                let within = within(input);
                let names = self.services.keys().filter(|name| name.starts_with(&within));
                let arns: Vec<String> = names.map(|name| service_arn(name)).collect();
                page("serviceArns", &arns, input)
            }
            "DescribeServices" => self.describe(input, now, stale),
            "UpdateService" => {
                let revision = input["taskDefinition"].as_str().unwrap_or_default();
                let mut sent = input.as_object().into_iter().flat_map(Map::keys);
                // Counts belong to auto scaling, and the rest to whoever configured the service.
                if let Some(other) = sent.find(|key| !UPDATED.contains(&key.as_str())) {
                    return Err(Refusal::new("ValidationException", format!("an update changes {other}")));
                }
                let name = named_in(input, subject);
                // What changes nothing starts no deployment.
                if self.at(&name, now).is_none_or(|service| !service.is_pointed_at(revision)) {
                    self.point(&name, revision, ecr, now)?;
                }
                Ok(json!({"service": self.services.get(&name).map(|one| one.described(&name, now))}))
            }
            "DescribeTaskDefinition" => {
                let named = input["taskDefinition"].as_str().unwrap_or_default();
                let found = self.revision_of(named).and_then(|arn| self.revisions.get(&arn).cloned());
                found.ok_or_else(|| Refusal::new("ClientException", "Unable to describe task definition."))
            }
            "RegisterTaskDefinition" => {
                let arn = self.revision(input.clone());
                Ok(self.revisions.get(&arn).cloned().unwrap_or_default())
            }
            "ListServiceDeployments" => Ok(self.shifts(&named_in(input, subject), &input["status"], now)),
            "DescribeServiceDeployments" => Ok(self.described_shifts(&input["serviceDeploymentArns"], now)),
            "ContinueServiceDeployment" | "StopServiceDeployment" => self.turn(name, input, now),
            "ListTasks" => self.list_tasks(input, now),
            "DescribeTasks" => self.describe_tasks(input, now),
            "RunTask" => self.run_task(input, ecr, now),
            "StopTask" => self.stop_task(input, now),
            _ => Err(unknown(name)),
        }
    }

    /// Lists the service deployments of a service, the newest first.
    fn shifts(&mut self, name: &str, status: &Value, now: i64) -> Value {
        let wanted = strings(status);
        let is_wanted =
            |one: &Value| wanted.is_empty() || wanted.iter().any(|status| one["status"] == status.as_str());
        let shifts = self.at(name, now).map(|service| service.shifts.as_slice()).unwrap_or_default();
        let listed: Vec<Value> = shifts.iter().rev().map(|one| one.listed(now)).filter(is_wanted).collect();
        json!({"serviceDeployments": listed})
    }

    fn described_shifts(&mut self, arns: &Value, now: i64) -> Value {
        let found = strings(arns).into_iter().filter_map(|arn| {
            let service = self.at(&service_of(&arn), now)?;
            let shift = service.shifts.iter().find(|one| one.arn == arn)?;
            Some(shift.described(service.desired, now))
        });
        json!({"serviceDeployments": found.collect::<Vec<_>>(), "failures": []})
    }

    /// Answers the gate of a service deployment, or has ECS go back from it.
    fn turn(&mut self, name: &str, input: &Value, now: i64) -> Answer {
        let arn = input["serviceDeploymentArn"].as_str().unwrap_or_default();
        let (hook, action) = (input["hookId"].as_str(), input["action"].as_str().unwrap_or("CONTINUE"));
        let shifts = self.services.get_mut(&service_of(arn)).map(|service| &mut service.shifts);
        let shift = shifts.into_iter().flatten().find(|one| one.arn == arn);
        let shift = shift.ok_or_else(|| Refusal::new("ServiceDeploymentNotFoundException", arn))?;
        let done = match name {
            "StopServiceDeployment" => shift.stop(now),
            _ => shift.answered(hook.unwrap_or_default(), action, now),
        };
        let refused = Refusal::new("InvalidParameterException", "it does not wait");
        if done { Ok(json!({"serviceDeploymentArn": arn})) } else { Err(refused) }
    }

    fn revision(&mut self, mut registration: Value) -> String {
        let family = registration["family"].as_str().unwrap_or_default().to_owned();
        let number = self.newest.entry(family.clone()).or_default();
        *number += 1;
        let number = *number;
        let arn = self.arn(&family, number);
        let tags = registration.as_object_mut().and_then(|fields| fields.remove("tags"));
        for (key, value) in
            [("taskDefinitionArn", json!(arn)), ("revision", json!(number)), ("status", json!("ACTIVE"))]
        {
            registration[key] = value;
        }
        let tags = tags.unwrap_or_else(|| json!([]));
        self.revisions.insert(arn.clone(), json!({"taskDefinition": registration, "tags": tags}));
        arn
    }

    /// Returns the images of a revision, container by container.
    pub fn images_of(&self, revision: &str) -> Vec<String> {
        let containers =
            self.revisions.get(revision).map(|one| &one["taskDefinition"]["containerDefinitions"]);
        let containers = containers.and_then(Value::as_array).into_iter().flatten();
        containers.filter_map(|one| one["image"].as_str().map(str::to_owned)).collect()
    }

    fn digests_of(&self, revision: &str, ecr: &Ecr) -> Vec<String> {
        self.images_of(revision).iter().map(|image| ecr.resolve(image).unwrap_or_default()).collect()
    }

    fn describe(&mut self, input: &Value, now: i64, stale: i64) -> Answer {
        let asked = strings(&input["services"]);
        if asked.len() > SERVICES_PER_CALL {
            return Err(wrong("more than 10 services in one call"));
        }
        let (mut services, mut failures) = (Vec::new(), Vec::new());
        for name in asked {
            let name = named_in(input, name.rsplit('/').next().unwrap_or_default());
            match self.at(&name, now) {
                Some(service) if service.is_unseen() => {
                    return Err(Refusal::new("ServerException", "Service Unavailable"));
                }
                Some(service) => services.push(service.described(&name, now - stale)),
                None => failures.push(json!({"arn": service_arn(&name), "reason": "MISSING"})),
            }
        }
        Ok(json!({"services": services, "failures": failures}))
    }

    fn list_tasks(&mut self, input: &Value, now: i64) -> Answer {
        let of = input["serviceName"].as_str().map(|name| name.rsplit('/').next().unwrap_or_default());
        let (of, within) = (of.map(|name| named_in(input, name)), within(input));
        let mut arns = Vec::new();
        // No task ends by itself here, so that ECS remembers none that has.
        if input["desiredStatus"] != "STOPPED" {
            for (name, service) in &mut self.services {
                if name.starts_with(&within) && of.as_ref().is_none_or(|of| of == name) {
                    service.settle(name, now);
                    arns.extend(service.tasks(name).into_iter().map(|task| task_arn(&task.id)));
                }
            }
            if of.is_none() {
                arns.extend(self.runs_listed(input, now));
            }
        }
        page("taskArns", &arns, input)
    }

    fn describe_tasks(&mut self, input: &Value, now: i64) -> Answer {
        let asked = strings(&input["tasks"]);
        if asked.len() > TASKS_PER_CALL {
            return Err(wrong("more than 100 tasks in one call"));
        }
        let (mut tasks, mut failures) = (Vec::new(), Vec::new());
        for arn in asked {
            if let Some(run) = self.run_described(&arn, now) {
                tasks.push(run);
                continue;
            }
            let id = named_in(input, arn.rsplit('/').next().unwrap_or_default());
            let name = id.rsplit_once('.').map_or(id.as_str(), |(name, _)| name).to_owned();
            let running = self.at(&name, now).map(|service| service.tasks(&name)).unwrap_or_default();
            match running.into_iter().find(|task| task.id == id) {
                Some(task) => tasks.push(self.described(&arn, &name, &task)),
                None => failures.push(json!({"arn": arn, "reason": "MISSING"})),
            }
        }
        Ok(json!({"tasks": tasks, "failures": failures}))
    }

    fn described(&self, arn: &str, service: &str, task: &Task) -> Value {
        let names =
            self.revisions.get(&task.revision).map(|one| &one["taskDefinition"]["containerDefinitions"]);
        let names = names.and_then(Value::as_array).into_iter().flatten().map(|one| &one["name"]);
        let images = self.images_of(&task.revision);
        let containers = names.zip(&images).zip(&task.digests).map(|((name, image), digest)| {
            let interfaces = task.address.iter().map(|address| json!({"privateIpv4Address": address}));
            json!({"name": name, "lastStatus": "RUNNING", "imageDigest": digest, "image": image,
                   "networkInterfaces": interfaces.collect::<Vec<_>>()})
        });
        let service = service.rsplit('/').next().unwrap_or_default();
        json!({
            "taskArn": arn, "lastStatus": "RUNNING", "desiredStatus": "RUNNING", "startedBy": task.deployment,
            "group": format!("service:{service}"), "taskDefinitionArn": task.revision,
            "containers": containers.collect::<Vec<_>>(),
        })
    }
}

/// Returns what the names of a cluster's services begin with.
fn within(input: &Value) -> String {
    format!("{}/", input["cluster"].as_str().unwrap_or_default())
}

/// Returns the name of something in the cluster that a call is about.
fn named_in(input: &Value, name: &str) -> String {
    format!("{}{name}", within(input))
}

fn strings(value: &Value) -> Vec<String> {
    value.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

/// Returns one page of a list.
fn page(key: &str, all: &[String], input: &Value) -> Answer {
    let from = input["nextToken"].as_str().and_then(|token| token.parse().ok()).unwrap_or(0);
    let most = input["maxResults"].as_u64().and_then(|most| usize::try_from(most).ok()).unwrap_or(PER_PAGE);
    if most > PER_PAGE {
        return Err(wrong("maxResults is above 100"));
    }
    let some: Vec<&String> = all.iter().skip(from).take(most).collect();
    let mut answer = json!({ key: some });
    if from + most < all.len() {
        answer["nextToken"] = json!((from + most).to_string());
    }
    Ok(answer)
}

fn service_arn(name: &str) -> String {
    format!("arn:aws:ecs:{REGION}:{ACCOUNT}:service/{name}")
}

/// Returns the name of the service of a service deployment.
fn service_of(arn: &str) -> String {
    let name = arn.split_once(":service-deployment/").map_or(arn, |(_, name)| name);
    name.rsplit_once('/').map_or(name, |(name, _)| name).to_owned()
}

fn task_arn(id: &str) -> String {
    format!("arn:aws:ecs:{REGION}:{ACCOUNT}:task/{id}")
}

fn no_service(name: &str) -> Refusal {
    Refusal::new("ServiceNotFoundException", format!("Service not found: {name}"))
}
