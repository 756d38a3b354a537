//! The payloads of the functions, by the door that Lambda uses, on an account in memory.

use fleet::functions::Function;

use super::{Body, Outcome, outcome};
use crate::{World, promises, samples};

/// The payload of `release`: events, requests, and the steps of the machine.
pub const RELEASE: Body = Body {
    name: "release",
    share: 20,
    samples: || samples::events("release"),
    play: |world, text| play(world, Function::Release, text),
};

/// The payload of `retag`.
pub const RETAG: Body = Body {
    name: "retag",
    share: 40,
    samples: || samples::events("retag"),
    play: |world, text| play(world, Function::Retag, text),
};

/// The payload of `deploy`.
pub const DEPLOY: Body = Body {
    name: "deploy",
    share: 40,
    samples: || samples::events("deploy"),
    play: |world, text| play(world, Function::Deploy, text),
};

/// The payload of `health-test`.
pub const HEALTH_TEST: Body = Body {
    name: "health-test",
    share: 40,
    samples: || samples::events("health-test"),
    play: |world, text| play(world, Function::HealthTest, text),
};

/// The payload of `rollback`.
pub const ROLLBACK: Body = Body {
    name: "rollback",
    share: 40,
    samples: || samples::events("rollback"),
    play: |world, text| play(world, Function::Rollback, text),
};

/// A call ends in an answer that fits, or in a named fault; one whose payload does not fit calls nobody, and no call
/// of another one is such that AWS would refuse its form.
fn play(world: &World, function: Function, text: &str) -> Outcome {
    let Ok(payload) = serde_json::from_str(text) else { return Outcome::Refused };
    world.reset();
    let answered = world.call(function, payload);
    let account = world.fake.open();
    match &answered {
        Ok(answer) => promises::answer(answer),
        Err(fault) => {
            promises::fault(fault);
            let unfit = fault.name() == "InvalidInput" && fault.to_string().starts_with("the payload");
            assert!(!unfit || account.calls.is_empty(), "{fault}: it called {:?}", account.calls);
        }
    }
    assert!(account.strange.is_empty(), "{:?}", account.strange);
    outcome(&answered)
}
