//! Where a load balancer sends requests while ECS shifts its traffic.

use pipeline::clock::Timestamp;

/// The two target groups of a load balancer between which ECS shifts its traffic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pair {
    /// Their ARNs.
    pub groups: [String; 2],
    /// The load balancer, as its metrics name it; empty if ECS does not show it.
    pub balancer: String,
}

impl Pair {
    /// Returns where its requests go, by the one of its target groups that has the new tasks.
    pub fn route(&self, new: &str) -> Route {
        let [one, two] = &self.groups;
        let old = if one == new { two } else { one };
        Route { balancer: self.balancer.clone(), old: old.clone(), new: new.to_owned() }
    }
}

/// The same, once it is known which of the two has the new tasks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// The load balancer, as its metrics name it: `app/shop/50dc6c495c0c9188`; empty if ECS does not show it.
    pub balancer: String,
    /// The target group of the old tasks, by its ARN.
    pub old: String,
    /// The one of the new tasks.
    pub new: String,
}

/// A span of whole minutes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// When the first one begins.
    pub from: Timestamp,
    /// When the last one is over.
    pub until: Timestamp,
}

/// How many requests came in a span; what was not counted is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Requests {
    /// To the old tasks.
    pub old: u64,
    /// To the new ones.
    pub new: u64,
}

/// Reads from the ARN of a listener, or of one of its rules, how metrics name the load balancer; empty if it is neither.
pub(super) fn balancer_of(arn: &str) -> String {
    let named = arn.rsplit(':').next().and_then(|resource| resource.split_once('/'));
    let path = match named {
        Some(("listener" | "listener-rule", path)) => path,
        _ => "",
    };
    path.split('/').take(3).collect::<Vec<_>>().join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listener_and_its_rules_name_their_load_balancer() {
        let arn = |resource: &str| format!("arn:aws:elasticloadbalancing:eu-west-1:123456789012:{resource}");
        for (resource, balancer) in [
            (
                "listener-rule/app/shop/50dc6c495c0c9188/f2f7dc8efc522ab2/9683b2d02a6cabee",
                "app/shop/50dc6c495c0c9188",
            ),
            ("listener/net/shop/50dc6c495c0c9188/f2f7dc8efc522ab2", "net/shop/50dc6c495c0c9188"),
            ("targetgroup/shop/50dc6c495c0c9188", ""),
        ] {
            assert_eq!(balancer_of(&arn(resource)), balancer);
        }
        assert_eq!(balancer_of(""), "");
    }
}
