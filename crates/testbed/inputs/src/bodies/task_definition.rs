//! Task definitions, as ECS has described them and the ledger keeps them.

use pipeline::ids::{Digest, TaskDefinitionArn};
use pipeline::image::ImageReference;
use pipeline::task_definition::TaskDefinition;
use serde_json::{Value, json};

use super::{Body, Outcome};
use crate::{World, promises};

/// The record of a revision.
pub const TASK_DEFINITION: Body =
    Body { name: "task-definition", share: 100, samples: records, play: task_definition };

const ARN: &str = "arn:aws:ecs:eu-west-1:123456789012:task-definition/users:7";

fn records() -> Vec<String> {
    let image = |of: &str| format!("123456789012.dkr.ecr.eu-west-1.amazonaws.com/shop/{of}:main-1");
    let definition = json!({
        "taskDefinitionArn": ARN, "family": "users", "revision": 7, "status": "ACTIVE", "networkMode": "awsvpc",
        "cpu": "256", "memory": "512", "requiresCompatibilities": ["FARGATE"], "volumes": [{"name": "data"}],
        "taskRoleArn": "arn:aws:iam::123456789012:role/shop/tasks", "registeredAt": 1_795_427_700.5,
        "requiresAttributes": [{"name": "com.amazonaws.ecs.capability.ecr-auth"}], "compatibilities": ["FARGATE"],
        "ephemeralStorage": {"sizeInGiB": 30}, "runtimePlatform": {"cpuArchitecture": "ARM64"},
        "containerDefinitions": [
            {"name": "app", "image": image("users"), "essential": true, "cpu": 0,
             "portMappings": [{"containerPort": 8080, "protocol": "tcp"}],
             "environment": [{"name": "A", "value": "b"}], "secrets": [{"name": "S", "valueFrom": "arn:aws:ssm:x"}],
             "logConfiguration": {"logDriver": "awslogs", "options": {
                 "awslogs-group": "/ecs/users", "awslogs-region": "eu-west-1", "awslogs-stream-prefix": "a/b"}},
             "healthCheck": {"command": ["CMD", "true"], "interval": 30}},
            {"name": "proxy", "image": "docker.io/library/nginx:1", "essential": false, "memory": 64}
        ]
    });
    let tags =
        json!([{"key": "team", "value": "shop"}, {"key": "aws:cloudformation:stack-name", "value": "x"}]);
    vec![
        json!({"taskDefinition": definition, "tags": tags}).to_string(),
        json!({"taskDefinition": {"family": "users", "containerDefinitions": []}}).to_string(),
    ]
}

/// A record is kept as it is, and a copy differs in the images of the named containers alone.
fn task_definition(world: &World, text: &str) -> Outcome {
    world.reset();
    let (Ok(arn), Some(digest)) = (TaskDefinitionArn::parse(ARN), Digest::any()) else {
        return Outcome::Refused;
    };
    let revision = match world.wait(TaskDefinition::recorded(&arn, text)) {
        Ok(revision) => revision,
        Err(fault) => {
            promises::fault(&fault);
            return Outcome::Refused;
        }
    };
    let record = revision.to_record();
    assert_eq!(serde_json::from_str::<Value>(&record).ok(), serde_json::from_str(text).ok(), "{record}");
    let again = world.wait(TaskDefinition::recorded(&arn, &record));
    assert!(again.is_ok_and(|again| again.images() == revision.images() && again.to_record() == record));
    assert!(revision.log_streams("t1").iter().all(|(_, stream)| stream.ends_with("/t1")));
    let app = ["app".to_owned()];
    if revision.runs(&digest, &app) {
        let images = revision.images();
        assert!(images.iter().all(|(name, image)| name != "app" || image.digest.as_ref() == Some(&digest)));
    }
    let registered = world.wait(async {
        let copy = revision.pinned(&world.ecs, &app, &digest).await?;
        revision.register(copy).await
    });
    match registered {
        Ok((_, json)) => {
            copied(
                &serde_json::from_str(&record).unwrap_or_default(),
                &serde_json::from_str(&json).unwrap_or_default(),
                &digest,
            );
            Outcome::Accepted
        }
        Err(fault) => {
            promises::fault(&fault);
            Outcome::Refused
        }
    }
}

fn copied(from: &Value, to: &Value, digest: &Digest) {
    let containers =
        |of: &Value| of["taskDefinition"]["containerDefinitions"].as_array().cloned().unwrap_or_default();
    let (before, after) = (containers(from), containers(to));
    assert_eq!(before.len(), after.len());
    let named = |name: &Value| before.iter().filter(|one| one["name"] == *name).count();
    // ECS has no two containers of one name.
    for (before, after) in before.iter().zip(&after).filter(|(before, _)| named(&before["name"]) == 1) {
        assert_eq!(before["name"], after["name"]);
        let (old, new) =
            (before["image"].as_str().unwrap_or_default(), after["image"].as_str().unwrap_or_default());
        match ImageReference::parse(old).filter(|_| before["name"] == "app") {
            Some(image) => assert_eq!(new, image.pinned(digest)),
            None => assert_eq!(new, old),
        }
    }
}
