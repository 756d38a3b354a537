//! Decides what to answer; touches neither socket nor clock.

use serde_json::json;

use crate::behaviour::{Baked, Behaviour};

/// Holds one answer, before it is put on the wire.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) content_type: &'static str,
    pub(crate) body: String,
}

/// Returns what this version answers to a path.
///
/// `/health` is for the load balancer, `/version` for a live test, `/` for people.
pub(crate) fn answer(baked: &Baked, path: &str) -> Answer {
    let version = &baked.version;
    match (path, baked.behaviour) {
        ("/health", Behaviour::NeverReady) => status(503, "starting", version),
        // A bad version still passes its health check here, or no live test would be needed to find it.
        ("/health", _) => status(200, "ok", version),
        ("/version", Behaviour::Answers500) => status(500, "error", version),
        ("/version", Behaviour::WrongContent) => status(200, "wrong", version),
        ("/version", _) => status(200, "ok", version),
        ("/", Behaviour::Answers500) => text(500, format!("error in {version}")),
        ("/", Behaviour::WrongContent) => text(200, format!("goodbye from {version}")),
        ("/", _) => text(200, format!("hello from {version}")),
        (path, _) => text(404, format!("nothing at {path}")),
    }
}

fn status(code: u16, status: &str, version: &str) -> Answer {
    let body = json!({ "status": status, "version": version }).to_string();
    Answer { status: code, content_type: "application/json", body }
}

fn text(status: u16, body: String) -> Answer {
    Answer { status, content_type: "text/plain; charset=utf-8", body }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(behaviour: Behaviour, path: &str, status: u16, body: &str) {
        let seen = answer(&Baked { version: "v2".to_owned(), behaviour }, path);
        assert_eq!((seen.status, seen.body.as_str()), (status, body), "{behaviour:?} {path}");
    }

    const OK: &str = r#"{"status":"ok","version":"v2"}"#;

    #[test]
    fn good_answers_everything() {
        check(Behaviour::Good, "/health", 200, OK);
        check(Behaviour::Good, "/version", 200, OK);
        check(Behaviour::Good, "/", 200, "hello from v2");
        check(Behaviour::Good, "/favicon.ico", 404, "nothing at /favicon.ico");
    }

    #[test]
    fn answers_500_is_healthy_to_the_load_balancer_only() {
        check(Behaviour::Answers500, "/health", 200, OK);
        check(Behaviour::Answers500, "/version", 500, r#"{"status":"error","version":"v2"}"#);
        check(Behaviour::Answers500, "/", 500, "error in v2");
    }

    #[test]
    fn wrong_content_differs_in_bodies_only() {
        check(Behaviour::WrongContent, "/health", 200, OK);
        check(Behaviour::WrongContent, "/version", 200, r#"{"status":"wrong","version":"v2"}"#);
        check(Behaviour::WrongContent, "/", 200, "goodbye from v2");
    }

    #[test]
    fn crashing_version_answers_well_until_it_dies() {
        check(Behaviour::Crashes, "/health", 200, OK);
        check(Behaviour::Crashes, "/", 200, "hello from v2");
    }

    #[test]
    fn never_ready_fails_its_health_check_only() {
        check(Behaviour::NeverReady, "/health", 503, r#"{"status":"starting","version":"v2"}"#);
        check(Behaviour::NeverReady, "/", 200, "hello from v2");
    }
}
