//! How far a release is: that it has started, and that it rolls back.
//!
//! It is good to know, and soon old.  It is told to whom a route names for it, and to nobody else: most want to hear of
//! the end alone.  Nobody waits for the call, so that it may come late, twice, or after what followed.  Whatever fails
//! here is dropped, and neither tried again nor kept: more will be told of the release, and Lambda would call again, and
//! then have a person look.

use std::collections::BTreeMap;

use futures_util::future::join;
use pipeline::Fault;
use pipeline::clock::Timestamp;
use tokio::time::timeout;

use crate::channel::Channel;
use crate::delivery::{Delivery, Place};
use crate::kind::AlertKind;
use crate::port::Port;
use crate::report::Report;
use crate::send::{PATIENCE, Sent, Told};
use crate::{Alert, Request, Response, named, route};

impl<P: Port> Alert<P> {
    /// Tells it to whom a route names, unless something newer is known of the release.
    pub(crate) async fn tell_progress(&self, request: &Request, now: Timestamp) -> Response {
        let (document, unread) = self.document().await;
        if let Some(why) = unread {
            return dropped(request, &why);
        }
        // Most releases end here: nothing is read of a release of which nobody wants to know.
        if !route::may_ask_for(&document, request.outcome, request.environment.as_deref()) {
            return Response::default();
        }
        let (context, before) = join(self.context(request), self.told_before(request)).await;
        let before = match (&context.unread, before) {
            (None, Ok(before)) => before,
            (Some(why), _) => return dropped(request, why),
            (None, Err(fault)) => return dropped(request, &fault.to_string()),
        };
        if is_old(request, &context.report, &before, now) {
            return Response::default();
        }
        let Sent { delivered, later, failed } =
            self.send_by(&document, before, Told::of(request, &context, now), now).await;
        if !later.is_empty() || !failed.is_empty() {
            dropped(request, &named(&failed, &later));
        }
        Response { delivered, ..Response::default() }
    }

    /// Reads what was told before; where that cannot be read, nothing is told, since it may be old.
    async fn told_before(&self, request: &Request) -> Result<BTreeMap<String, Delivery>, Fault> {
        if !request.is_recorded() {
            return Ok(BTreeMap::new());
        }
        let place = Place::Release(request.release.clone());
        timeout(PATIENCE, self.port.deliveries(&place)).await.unwrap_or_else(|_| Err(late()))
    }

    /// Records a delivery in the place of what was there before; tells whether it was still there.
    pub(crate) async fn replaces(
        &self,
        place: &Place,
        channel: &Channel,
        before: Option<&Delivery>,
        delivery: &Delivery,
    ) -> bool {
        let replacing = self.port.replace(place, &channel.name, before, delivery);
        timeout(PATIENCE, replacing).await.unwrap_or_else(|_| Err(late())).unwrap_or_else(|fault| {
            tracing::warn!(channel = channel.name, fault = fault.name(), "it is not recorded: {fault}");
            false
        })
    }
}

/// Tells whether something newer is known: that the release has ended, or goes back already.
fn is_old(request: &Request, report: &Report, before: &BTreeMap<String, Delivery>, now: Timestamp) -> bool {
    let at = request.at.unwrap_or(now);
    let goes_back = report.head.as_ref().is_some_and(|head| head.rollback.is_some());
    report.has_ended()
        || (request.outcome == AlertKind::Started && goes_back)
        // An end may be told of a release that could not be closed.
        || before.values().any(|told| told.outcome.is_end() && told.time >= at)
}

fn late() -> Fault {
    Fault::Unavailable("the ledger did not answer in time".to_owned())
}

fn dropped(request: &Request, why: &str) -> Response {
    let (release, outcome) = (request.release.as_str(), request.outcome.name());
    tracing::warn!(release, outcome, "how far the release is was not told: {why}");
    Response::default()
}
