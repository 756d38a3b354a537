//! How every function talks to AWS: one configuration, and one place that names what went wrong.

use std::time::Duration;

use aws_config::environment::EnvironmentVariableCredentialsProvider;
use aws_config::identity::IdentityCache;
use aws_config::timeout::TimeoutConfig;
use aws_config::{AppName, BehaviorVersion, Region, SdkConfig};
use aws_smithy_async::rt::sleep::TokioSleep;
use aws_smithy_async::time::SystemTimeSource;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use aws_smithy_types::retry::RetryConfig;
use aws_types::sdk_config::SharedCredentialsProvider;
use aws_types::service_config::{LoadServiceConfig, ServiceConfigKey};

use crate::http::{CONNECT_TIMEOUT, Http};
use crate::text::{LONGEST_SENTENCE, line};
use crate::{Fault, settings};

/// How long one call may take, all attempts together.  A function's own time-out is at least 3 s longer.
pub const OPERATION_TIMEOUT: Duration = Duration::from_secs(15);

/// How often a call is tried on the wire; the state machine retries above that.
const ATTEMPTS: u32 = 3;

/// Makes the configuration that all clients of a function share, from what Lambda tells it: its variables.
///
/// The function's name goes into the user agent, so that CloudTrail tells who called.  The SDK would look in files, in
/// containers and instances, too: a function has none of them, and need not carry what reads them.
pub fn config(function: &str) -> SdkConfig {
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .operation_attempt_timeout(Duration::from_secs(5))
        .operation_timeout(OPERATION_TIMEOUT)
        .build();
    let mut config = SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .http_client(Http::new())
        .retry_config(RetryConfig::standard().with_max_attempts(ATTEMPTS))
        .timeout_config(timeouts)
        .region(settings::optional("AWS_REGION").map(Region::new))
        .credentials_provider(SharedCredentialsProvider::new(EnvironmentVariableCredentialsProvider::new()))
        .identity_cache(IdentityCache::lazy().build())
        .sleep_impl(TokioSleep::new())
        .time_source(SystemTimeSource::new())
        .service_config(Endpoints);
    config.set_app_name(AppName::new(format!("tidegate-{function}")).ok());
    config.set_endpoint_url(settings::optional("AWS_ENDPOINT_URL"));
    let is_on = |name| settings::optional(name).map(|value| value.eq_ignore_ascii_case("true"));
    config
        .set_use_fips(is_on("AWS_USE_FIPS_ENDPOINT"))
        .set_use_dual_stack(is_on("AWS_USE_DUALSTACK_ENDPOINT"));
    config.build()
}

/// The endpoints of single services, as in `AWS_ENDPOINT_URL_DYNAMODB`.
#[derive(Debug)]
struct Endpoints;

impl LoadServiceConfig for Endpoints {
    fn load_config(&self, key: ServiceConfigKey<'_>) -> Option<String> {
        let service = key.service_id().replace(' ', "_").to_uppercase();
        settings::optional(&format!("{}_{service}", key.env()))
    }
}

/// Names a failed call by its code, and says what was attempted.
pub fn fault_of<E>(attempted: &str, error: &SdkError<E, HttpResponse>) -> Fault
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    let Some(service_error) = error.as_service_error() else {
        return Fault::Unavailable(in_one_line(attempted, &cause_of(error)));
    };
    let code = service_error.code().unwrap_or("an error without a code");
    let message = service_error.message().unwrap_or("no message");
    let sentence = in_one_line(attempted, &format!("{code}: {message}"));
    match code {
        // None of these is modelled by the SDK for every service, so their names are compared.
        "ThrottlingException"
        | "Throttling"
        | "TooManyRequestsException"
        | "RequestLimitExceeded"
        | "ProvisionedThroughputExceededException"
        | "ThrottledException"
        // A row is part of a transaction that is not done yet.
        | "TransactionConflictException" => Fault::Throttled(sentence),
        // ECS says it of two registrations in one family; the same code stands for what is wrong for good.
        "ClientException" if message.contains("Too many concurrent attempts") => Fault::Throttled(sentence),
        "ServerException"
        | "InternalServerError"
        | "InternalFailure"
        | "ServiceUnavailable"
        | "ServiceUnavailableException"
        | "InternalServerException"
        | "TransactionInProgressException" => Fault::Unavailable(sentence),
        code if code.contains("NotFound") || code == "ServiceNotActiveException" => {
            Fault::NotFound(format!("what was asked for ({sentence})"))
        }
        _ if error.raw_response().is_some_and(|answer| answer.status().is_server_error()) => {
            Fault::Unavailable(sentence)
        }
        _ => Fault::Denied(sentence),
    }
}

/// Says that a call failed; what was asked for, and so what AWS says of it, may hold anything.
fn in_one_line(attempted: &str, why: &str) -> String {
    format!("could not {}: {}", line(attempted, LONGEST_SENTENCE), line(why, LONGEST_SENTENCE))
}

/// Returns the innermost reason of a call that got no answer; the outer layers only say that it failed.
pub(crate) fn cause_of(error: &dyn std::error::Error) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_ecs::operation::register_task_definition::RegisterTaskDefinitionError;
    use aws_smithy_runtime_api::http::StatusCode;
    use aws_smithy_types::body::SdkBody;
    use aws_smithy_types::error::ErrorMetadata;

    fn check(status: u16, code: Option<&str>, message: &str, expected: &str) {
        let mut metadata = ErrorMetadata::builder().message(message);
        if let Some(code) = code {
            metadata = metadata.code(code);
        }
        let answer = HttpResponse::new(StatusCode::try_from(status).unwrap(), SdkBody::empty());
        let error = SdkError::service_error(RegisterTaskDefinitionError::generic(metadata.build()), answer);
        assert_eq!(fault_of("register", &error).name(), expected, "{status} {code:?} {message}");
    }

    #[test]
    fn a_failed_call_is_told_on_one_line_whatever_was_asked_for() {
        let asked = "a\n".repeat(5000);
        let answer = HttpResponse::new(StatusCode::try_from(400).unwrap(), SdkBody::empty());
        let metadata = ErrorMetadata::builder().code("ClientException").message(&asked).build();
        let error = SdkError::service_error(RegisterTaskDefinitionError::generic(metadata), answer);
        let said = fault_of(&format!("describe {asked}"), &error).to_string();
        assert!(said.len() < 2200 && !said.contains('\n'), "{said}");
        assert!(
            said.starts_with("could not describe a a ") && said.contains(": ClientException: a a "),
            "{said}"
        );
    }

    #[test]
    fn a_failed_call_is_named_by_whether_it_may_be_tried_again() {
        let revision = "Too many concurrent attempts to create a new revision of the specified family.";
        check(400, Some("ClientException"), revision, "Throttled");
        check(400, Some("ClientException"), "The container definitions are wrong.", "Denied");
        check(400, Some("ThrottlingException"), "Rate exceeded", "Throttled");
        check(400, Some("TransactionConflictException"), "", "Throttled");
        check(400, Some("AccessDeniedException"), "no", "Denied");
        check(500, Some("ServerException"), "", "Unavailable");
        check(503, None, "", "Unavailable");
        check(502, Some("SomethingNew"), "", "Unavailable");
        check(403, None, "", "Denied");
        check(400, Some("ClusterNotFoundException"), "", "NotFound");
    }
}
