//! How often ECS and ECR may be called: token buckets per account, as their documentation gives them.

use std::collections::BTreeMap;

/// Operations that share a bucket: its size, and how much comes back each second.
const DOCUMENTED: [(&[&str], f64, f64); 6] = [
    (&["ecs.RegisterTaskDefinition", "ecs.DeregisterTaskDefinition"], 20.0, 1.0),
    (&["ecs.DescribeTaskDefinition", "ecs.ListTaskDefinitions"], 50.0, 20.0),
    (&["ecs.UpdateService", "ecs.CreateService"], 50.0, 5.0),
    (&["ecs.DescribeServices", "ecs.ListServices"], 100.0, 20.0),
    (&["ecs.DescribeTasks", "ecs.ListTasks"], 100.0, 20.0),
    (&["ecr.PutImage"], 10.0, 10.0),
];

/// What is left in each bucket, and since when.
#[derive(Clone, Debug, Default)]
pub struct Buckets(BTreeMap<usize, (f64, i64)>);

impl Buckets {
    /// Takes one token, if there is one.
    pub fn take(&mut self, operation: &str, now: i64) -> bool {
        let Some((n, (_, size, refill))) =
            DOCUMENTED.iter().enumerate().find(|(_, (names, ..))| names.contains(&operation))
        else {
            return true;
        };
        let (left, since) = self.0.entry(n).or_insert((*size, now));
        // Functions that work at the same time are played one after the other: time that came back is not counted twice.
        *left = (*left + (now - *since).max(0) as f64 / 1000.0 * refill).min(*size);
        *since = now.max(*since);
        let enough = *left >= 1.0;
        if enough {
            *left -= 1.0;
        }
        enough
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_empties_and_fills_again() {
        let mut buckets = Buckets::default();
        let mut taken = |operation, now, wanted| (0..wanted).filter(|_| buckets.take(operation, now)).count();
        assert_eq!(taken("ecs.RegisterTaskDefinition", 0, 30), 20);
        assert_eq!(taken("ecs.RegisterTaskDefinition", 2_500, 30), 2);
        assert_eq!(taken("ecs.RegisterTaskDefinition", 3_000, 30), 1);
        assert_eq!(taken("ecs.RegisterTaskDefinition", 1_000_000, 30), 20);
        assert_eq!(taken("ecs.ListServices", 0, 60) + taken("ecs.DescribeServices", 0, 60), 100);
        assert_eq!(taken("ssm.GetParameter", 0, 500), 500);
    }
}
