//! The request that an engineer types.

use std::collections::{BTreeMap, BTreeSet};

use pipeline::ids::{EnvironmentName, ReleaseId, Repository, ServiceName};
use pipeline::text::readable;
use pipeline::{Fault, document};
use serde::Deserialize;
use serde_json::Value;

use crate::plan::draft::MOST_MOVES;
use crate::ports::ImageId;

/// How many characters a reason may have.
const LONGEST_REASON: usize = 1000;

/// A typed request; only the environment is required.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Request {
    /// Which environment.
    pub environment: EnvironmentName,
    /// Which repository.
    #[serde(default)]
    pub repository: Option<Repository>,
    /// Which image: a digest, or a tag that is looked up now.
    #[serde(default)]
    pub image: Option<ImageId>,
    /// Which images, by repository, where there are several.
    #[serde(default)]
    pub images: Option<BTreeMap<Repository, ImageId>>,
    /// Which services; all that run the repository if absent.
    #[serde(default)]
    pub services: Option<Vec<ServiceName>>,
    /// How wide it reaches.
    #[serde(default)]
    pub scope: Option<Scope>,
    /// What to do.
    #[serde(default)]
    pub mode: Mode,
    /// The release that an answer, its end, or its rollback is about.
    #[serde(default)]
    pub release: Option<ReleaseId>,
    /// Whether a release that is stopped rolls back what it touched; yes if absent.
    #[serde(default)]
    pub rollback: Option<bool>,
    /// Whether to go on where a rule that may be overridden says no.
    #[serde(default)]
    pub force: bool,
    /// Why; required with `force`, to stop a release, and to roll back past the freeze of a person.
    #[serde(default)]
    pub reason: Option<String>,
    /// The release of another environment that has led to this one by itself: an image that is too young is waited
    /// for, and nothing to do is no mistake.
    #[serde(default)]
    pub promoted_by: Option<ReleaseId>,
}

/// How wide a request reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// Every service that runs the repository.
    Image,
    /// The services named.
    Service,
    /// Every service of the environment.
    Cluster,
}

/// What a request wants done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Move services to an image.
    #[default]
    Deploy,
    /// Say what that would do.
    Plan,
    /// Move them back to what was verified before.
    Rollback,
    /// Agree to a waiting release.
    Approve,
    /// Turn a waiting release down.
    Reject,
    /// Refuse from now on what goes forward, and hold what has begun before its next wave.
    Freeze,
    /// Let them in again.
    Resume,
    /// Stop a release where it is.
    Abort,
    /// Find lost pushes, and what is not as it should be.
    Reconcile,
}

impl Request {
    /// Tells whether a plan is all that is asked for.
    pub fn plans(&self) -> bool {
        self.mode == Mode::Plan
    }

    /// Reads a request, and checks what the keys mean together.
    pub fn read(input: Value) -> Result<Self, Fault> {
        let mut request: Request = document::read("the request", input)?;
        if let Some(services) = &mut request.services {
            // A service that is named twice is meant once.
            let mut seen = BTreeSet::new();
            services.retain(|service| seen.insert(service.clone()));
        }
        if let Some(reason) = &mut request.reason {
            // It is kept in rows, and told in answers and messages.
            *reason = reason.chars().map(readable).collect();
        }
        match request.mistake() {
            Some(mistake) => Err(Fault::InvalidInput(format!("the request {mistake}"))),
            None => Ok(request),
        }
    }

    /// Says what is wrong with the keys together, and what was expected.
    fn mistake(&self) -> Option<&'static str> {
        if self.reason.as_ref().is_some_and(|reason| reason.chars().count() > LONGEST_REASON) {
            return Some("has a \"reason\" that is too long: expected 1000 characters at most");
        }
        // Each is looked up, before it is known how many move.
        let named = self.services.as_ref().map(Vec::len);
        if named.max(self.images.as_ref().map(BTreeMap::len)).is_some_and(|count| count > MOST_MOVES) {
            return Some("names too many \"services\" or \"images\": expected 2000 at most");
        }
        let reasoned = self.reason.as_ref().is_some_and(|reason| !reason.trim().is_empty());
        if self.force && !reasoned {
            return Some("has \"force\" without a \"reason\": expected why the rule does not apply");
        }
        if self.scope == Some(Scope::Service) && self.services.is_none() {
            return Some("has the scope \"service\" without \"services\": expected their names");
        }
        if self.scope == Some(Scope::Image) && self.repository.is_none() {
            return Some("has the scope \"image\" without \"repository\": expected its name");
        }
        if self.image.is_some() && self.repository.is_none() {
            return Some("has \"image\" without \"repository\": expected the repository that holds it");
        }
        if self.images.is_some() && self.repository.is_some() {
            return Some("has \"images\" and \"repository\": expected one of them");
        }
        if self.images.as_ref().is_some_and(BTreeMap::is_empty) {
            return Some("has no image in \"images\": expected a digest or a tag for each repository");
        }
        if self.scope == Some(Scope::Cluster) && (self.repository.is_some() || self.services.is_some()) {
            return Some(
                "has the scope \"cluster\" with \"repository\" or \"services\", which narrow it: expected \"images\"",
            );
        }
        if self.mode == Mode::Rollback && (self.image.is_some() || self.images.is_some()) {
            return Some(
                "has an image with the mode \"rollback\": expected either; to an image of choice, deploy it",
            );
        }
        if self.mode == Mode::Abort && self.release.is_none() {
            return Some("has the mode \"abort\" without \"release\": expected the release to abort");
        }
        if self.mode == Mode::Abort && !reasoned {
            return Some("has the mode \"abort\" without a \"reason\": expected why the release is aborted");
        }
        if self.mode != Mode::Abort && self.rollback.is_some() {
            return Some("has \"rollback\" without the mode \"abort\": remove it, or ask for that mode");
        }
        if matches!(self.mode, Mode::Approve | Mode::Reject) && self.release.is_none() {
            return Some("answers without \"release\": expected the release that waits");
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn refusal(input: Value) -> String {
        Request::read(input).unwrap_err().to_string()
    }

    #[test]
    fn the_environment_alone_suffices() {
        let request = Request::read(json!({"environment": "staging"})).unwrap();
        assert_eq!((request.mode, request.force), (Mode::Deploy, false));
    }

    #[test]
    fn a_service_that_is_named_twice_is_meant_once() {
        let request = Request::read(json!({"environment": "dev", "services": ["b", "a", "b"]})).unwrap();
        let names: Vec<String> = request.services.unwrap().iter().map(ToString::to_string).collect();
        assert_eq!(names, ["b", "a"]);
    }

    #[test]
    fn keys_that_need_each_other_are_checked() {
        assert_eq!(
            refusal(json!({"environment": "dev", "force": true})),
            "the request has \"force\" without a \"reason\": expected why the rule does not apply"
        );
        assert!(refusal(json!({"environment": "dev", "image": "main-1"})).contains("without \"repository\""));
        assert!(refusal(json!({"environment": "dev", "scope": "service"})).contains("without \"services\""));
        assert!(refusal(json!({"environment": "dev", "scope": "image"})).contains("without \"repository\""));
        let images = json!({"shop/users": "main-1"});
        let both = json!({"environment": "dev", "images": images, "repository": "shop/users"});
        assert!(refusal(both).contains("\"images\" and \"repository\""));
        assert!(refusal(json!({"environment": "dev", "images": {}})).contains("no image in"));
        let narrowed = json!({"environment": "dev", "scope": "cluster", "services": ["users"]});
        assert!(refusal(narrowed).contains("which narrow it"));
        assert!(refusal(json!({"environment": "dev", "mode": "approve"})).contains("without \"release\""));
        let abort = |more: Value| {
            let mut request = json!({"environment": "dev", "mode": "abort"});
            request.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            refusal(request)
        };
        assert!(abort(json!({"reason": "bad"})).contains("without \"release\""));
        for reason in [json!({}), json!({"reason": " "})] {
            let mut more = json!({"release": "r1"});
            more.as_object_mut().unwrap().extend(reason.as_object().unwrap().clone());
            assert!(abort(more).contains("without a \"reason\""));
        }
        assert!(refusal(json!({"environment": "dev", "rollback": true})).contains("\"rollback\" without"));
    }

    #[test]
    fn no_more_services_or_images_are_named_than_can_move() {
        let names = |count: usize| (0..count).map(|n| format!("s{n}")).collect::<Vec<_>>();
        let images = |count: usize| names(count).into_iter().map(|name| (name, json!("main-1")));
        let request = |key: &str, value: Value| json!({"environment": "dev", key: value});
        let said = "the request names too many \"services\" or \"images\": expected 2000 at most";
        assert!(Request::read(request("services", json!(names(MOST_MOVES)))).is_ok());
        assert_eq!(refusal(request("services", json!(names(MOST_MOVES + 1)))), said);
        assert!(Request::read(request("images", images(MOST_MOVES).collect())).is_ok());
        assert_eq!(refusal(request("images", images(MOST_MOVES + 1).collect())), said);
    }

    #[test]
    fn a_reason_is_one_line_and_bounded() {
        let with = |reason: &str| json!({"environment": "dev", "mode": "freeze", "reason": reason});
        let read = Request::read(with("the sale\nof the year\u{1b}")).unwrap();
        assert_eq!(read.reason.as_deref(), Some("the sale of the year "));
        assert!(Request::read(with(&"ü".repeat(1000))).is_ok());
        assert_eq!(
            refusal(with(&"ü".repeat(1001))),
            "the request has a \"reason\" that is too long: expected 1000 characters at most"
        );
    }

    #[test]
    fn an_unknown_mode_is_refused_with_the_valid_ones() {
        assert!(
            refusal(json!({"environment": "dev", "mode": "rolback"})).ends_with("did you mean `rollback`?")
        );
    }
}
