//! What the documents of services cost to read.

use fleet::fake::Fake;
use pipeline::environment::{PATH, read_services};
use pipeline::ids::{EnvironmentName, ServiceName};

/// Makes an environment in which so many services have settings and live tests, beside one of a similar name.
fn account(services: usize) -> Fake {
    let fake = Fake::default();
    let mut account = fake.open();
    for n in 0..services {
        for (environment, kind, text) in
            [("dev", "settings", "{}"), ("dev", "tests", "{}"), ("dev-2", "settings", "{}")]
        {
            account.parameters.insert(format!("{PATH}/{environment}/services/s{n}/{kind}"), text.to_owned());
        }
    }
    drop(account);
    fake
}

#[tokio::test(start_paused = true)]
async fn services_are_asked_for_by_name_or_the_environment_is_read_whichever_is_cheaper() {
    for (exist, asked, settings, calls) in [
        (1_000, 1_000, 1_000, 201),
        (1_000, 1, 1, 1),
        (1_000, 6, 6, 2),
        (3, 20, 3, 2),
        (0, 1_000, 0, 2),
        (50, 1_000, 50, 11),
        (1_000, 40, 40, 26),
    ] {
        let fake = account(exist);
        let ssm = aws_sdk_ssm::Client::new(&fake.config());
        let dev = EnvironmentName::parse("dev").unwrap();
        let services: Vec<ServiceName> =
            (0..asked).map(|n| ServiceName::parse(format!("s{n}")).unwrap()).collect();
        let read = read_services(&ssm, &dev, &services).await.unwrap();
        assert_eq!((read.settings.len(), read.tests.len()), (settings, settings), "{asked} of {exist}");
        let account = fake.open();
        assert!(account.strange.is_empty(), "{:?}", account.strange);
        assert_eq!(account.calls.values().sum::<u64>(), calls, "{asked} of {exist}");
    }
}
