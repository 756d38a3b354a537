//! Where an answer sends the client, and what it asks there.  Pure.

use pack::Method;
use pack::kind::http::Request;
use pack::policy::{Policy, Refusal};
use reqwest::Url;

use super::Answer;

/// Returns the request that follows an answer; none if it is no redirect to follow.
///
/// It has no headers and no body: whoever answers chooses where it goes.
pub(super) fn next(
    policy: Policy,
    request: &Request,
    url: &Url,
    answer: &Answer,
) -> Result<Option<(Request, Url)>, Refusal> {
    let reads = matches!(request.method, Method::Get | Method::Head);
    let is_followed = match answer.status {
        301..=303 => true,
        // The same request would have to be sent once more, with its body.
        307 | 308 => reads,
        _ => false,
    };
    let Some(location) = answer.header("location").next().filter(|_| is_followed) else { return Ok(None) };
    let to = policy.redirect(url, location)?;
    let stays = to.host() == url.host() && to.port_or_known_default() == url.port_or_known_default();
    let next = Request {
        method: if request.method == Method::Head { Method::Head } else { Method::Get },
        connect: request.connect.clone().filter(|_| stays),
        follow: request.follow,
        ca: request.ca.clone(),
        ..Request::get(to.as_str())
    };
    Ok(Some((next, to)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn check(method: Method, status: u16, location: Option<&str>, expected: Result<Option<&str>, &str>) {
        let headers = vec![("authorization".to_owned(), "Bearer hush".to_owned())];
        let from = "https://users.test/login";
        let request =
            Request { method, headers, connect: Some("lb.test:443".to_owned()), ..Request::get(from) };
        let headers = location.map(|to| ("Location".to_owned(), to.to_owned())).into_iter().collect();
        let answer = Answer { status, headers, body: String::new(), cut: false, took: Duration::ZERO };
        let next = next(Policy::default(), &request, &Url::parse(from).unwrap(), &answer);
        let found = next.as_ref().map(|next| next.as_ref().map(|(next, _)| next.url.as_str()));
        assert_eq!(found.map_err(|Refusal(why)| why.as_str()), expected, "{status} {location:?}");
        if let Ok(Some((next, to))) = next {
            assert!(next.headers.is_empty() && next.body.is_none(), "nothing of the pack goes along");
            assert_eq!(next.connect.is_some(), to.host_str() == Some("users.test"), "{to}");
        }
    }

    #[test]
    fn a_redirect_is_followed_without_what_the_pack_sends() {
        let home = Some("https://users.test/home");
        check(Method::Get, 302, Some("/home"), Ok(home));
        check(Method::Post, 303, Some("/home"), Ok(home));
        check(Method::Head, 308, Some("/home"), Ok(home));
        check(Method::Post, 307, Some("/home"), Ok(None));
        check(Method::Get, 200, Some("/home"), Ok(None));
        check(Method::Get, 302, None, Ok(None));
        check(Method::Get, 302, Some("https://other.test/"), Ok(Some("https://other.test/")));
        check(
            Method::Get,
            302,
            Some("http://users.test/"),
            Err("the policy refuses the redirect: it leaves https"),
        );
        let link = "the policy refuses the address 169.254.169.254: it is link-local";
        check(Method::Get, 302, Some("https://169.254.169.254/"), Err(link));
    }
}
