//! The place of a push or a request among the others.

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::ids::Digest;

/// The order of two pushes: by the moment of the push, then by when each arrived, since ECR tells whole seconds.
///
/// `<push>#<arrival>#<digest>`, both in milliseconds.  Older keys have no arrival, `<push>#<digest>`: within one moment
/// these stay the newest.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct OrderKey(String);

impl OrderKey {
    /// Makes the key; keys compare as text, in DynamoDB too.
    pub fn new(time: Timestamp, arrived: Timestamp, digest: Option<&Digest>) -> Self {
        let digest = digest.map_or("", Digest::as_str);
        // Text knows no order of negative numbers: what is said to be older than 1970 comes first, and is one.
        let [time, arrived] = [time, arrived].map(|moment| moment.millis().max(0));
        OrderKey(format!("{time:015}#{arrived:015}#{digest}"))
    }

    /// Returns the image of this push, if it is another one than that of a push of the same moment.
    pub fn rival(&self, other: &OrderKey) -> Option<&str> {
        let another = self.time() == other.time() && self.digest() != other.digest();
        Some(self.digest()).filter(|digest| another && !digest.is_empty())
    }

    /// Tells whether it is a request that names no image.
    pub fn is_request(&self) -> bool {
        self.digest().is_empty()
    }

    fn time(&self) -> &str {
        self.0.split('#').next().unwrap_or_default()
    }

    fn digest(&self) -> &str {
        self.0.rsplit('#').next().unwrap_or_default()
    }

    /// Returns the key as it is stored.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pushes_are_ordered_by_their_moment_and_then_by_their_arrival() {
        let digest = |letter: &str| Digest::parse(format!("sha256:{}", letter.repeat(64))).unwrap();
        let key = |pushed, arrived, letter| {
            let (pushed, arrived) = (Timestamp::from_millis(pushed), Timestamp::from_millis(arrived));
            OrderKey::new(pushed, arrived, Some(&digest(letter)))
        };
        let older = |letter| OrderKey(format!("{:015}#{}", 5000, digest(letter)));
        let request = OrderKey(format!("{:015}#", 5000));
        // Each is older than the next, as text too.
        let ordered = [
            key(4000, 9000, "f"),
            request.clone(),
            key(5000, 5300, "f"),
            key(5000, 5400, "a"),
            older("a"),
            key(6000, 6000, "a"),
        ];
        assert!(ordered.is_sorted() && ordered.iter().map(OrderKey::as_str).is_sorted());

        assert_eq!(key(-5000, -1, "a").as_str(), key(0, 0, "a").as_str());
        assert_eq!(key(5000, 5400, "a").rival(&key(5000, 5300, "f")), Some(digest("a").as_str()));
        assert_eq!(older("a").rival(&key(5000, 5300, "f")), Some(digest("a").as_str()));
        assert!(request.is_request() && !older("a").is_request());
        for (one, other) in [
            (key(5000, 5400, "a"), key(5000, 5300, "a")),
            (key(6000, 6000, "a"), key(5000, 5300, "f")),
            (request, key(5000, 5300, "f")),
        ] {
            assert_eq!(one.rival(&other), None);
        }
    }
}
