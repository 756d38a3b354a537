//! A service deployment as ECS describes it, for tests of those who answer its gate.

use pipeline::service_deployment::{Hook, ServiceDeployment, Stage, Status};

/// Returns one in the dark, without production traffic, whose hook `h1` is in a state.
#[must_use]
pub fn at_its_gate(hook: &str) -> ServiceDeployment {
    let hook = Hook { id: "h1".to_owned(), is_pause: true, status: hook.to_owned(), expires: None };
    ServiceDeployment {
        arn: "arn:aws:ecs:eu-west-1:123456789012:service-deployment/dev/users/d1".to_owned(),
        status: Status::Open,
        reason: String::new(),
        stage: Stage::of("POST_TEST_TRAFFIC_SHIFT"),
        hooks: vec![hook],
        requested: 2,
        production: 0.0,
    }
}
