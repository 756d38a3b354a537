//! Container instances, and their addresses as Systems Manager knows them.

use std::collections::BTreeMap;
use std::net::IpAddr;

use aws_sdk_ssm::types::InstanceInformationStringFilter as Filter;
use pipeline::Fault;
use pipeline::aws::fault_of;

/// How many container instances ECS describes in one call, and how many instances Systems Manager does.
const INSTANCES_PER_CALL: usize = 100;
const ADDRESSES_PER_CALL: usize = 50;
const ADDRESSES_PER_PAGE: i32 = 50;

/// Returns which instances some container instances are; what ECS no longer knows is left out.
pub(super) async fn ids(
    ecs: &aws_sdk_ecs::Client,
    cluster: &str,
    instances: &[String],
) -> Result<BTreeMap<String, String>, Fault> {
    let mut ids = BTreeMap::new();
    for some in instances.chunks(INSTANCES_PER_CALL) {
        let call = ecs.describe_container_instances().cluster(cluster);
        let answer = call.set_container_instances(Some(some.to_vec())).send().await;
        let what = || format!("describe the container instances of {cluster}");
        let answer = answer.map_err(|error| fault_of(&what(), &error))?;
        ids.extend(answer.container_instances().iter().filter_map(|one| {
            Some((one.container_instance_arn()?.to_owned(), one.ec2_instance_id()?.to_owned()))
        }));
    }
    Ok(ids)
}

/// Returns the addresses of instances; those that Systems Manager does not manage are left out.
pub(super) async fn addresses(
    ssm: &aws_sdk_ssm::Client,
    instances: &[String],
) -> Result<BTreeMap<String, IpAddr>, Fault> {
    let mut addresses = BTreeMap::new();
    for some in instances.chunks(ADDRESSES_PER_CALL) {
        let filter = Filter::builder().key("InstanceIds").set_values(Some(some.to_vec())).build();
        let filter = filter.map_err(|error| Fault::Defect(error.to_string()))?;
        let call = ssm.describe_instance_information().filters(filter).max_results(ADDRESSES_PER_PAGE);
        let mut pages = call.into_paginator().send();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| fault_of("look up the addresses of instances", &error))?;
            addresses.extend(
                page.instance_information_list()
                    .iter()
                    .filter_map(|one| Some((one.instance_id()?.to_owned(), one.ip_address()?.parse().ok()?))),
            );
        }
    }
    Ok(addresses)
}
