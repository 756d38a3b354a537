//! Draws what people look at: custom widgets of a CloudWatch dashboard, as HTML.
//!
//! The console calls [`Dashboard`] with the rights of whoever looks, and shows what it answers; there is no server and
//! no login of our own.  It reads the ledger and the documents of the environments, and writes nothing.  What a button
//! starts is for [`acts`], another function: who may call that one may act.  Whatever a stranger could have written is
//! escaped by the templates.

pub mod acts;
mod board;
mod describe;
mod pages;
mod places;
pub mod port;
mod request;
mod story;
mod view;

pub use places::Places;
pub use request::{Context, Request, View};

use pipeline::Fault;
use pipeline::clock::Timestamp;
use serde_json::Value;

use port::Reads;
use view::Frame;

/// The function that draws.
#[derive(Debug)]
pub struct Dashboard<P> {
    /// The ledger and the environments.
    pub port: P,
    /// Where buttons and links lead.
    pub places: Places,
}

impl<P: Reads> Dashboard<P> {
    /// Answers with a widget, or with what widgets there are.
    pub async fn handle(&self, payload: Value, now: Timestamp) -> Result<String, Fault> {
        if request::describes(&payload) {
            return Ok(describe::widgets());
        }
        let Request { view, context } = Request::read(payload)?;
        let frame = Frame::new(&context, &self.places, now);
        let drawn = match &view {
            View::Environments { after } => {
                let board = board::read(&self.port, after.as_ref()).await?;
                view::environments::draw(&frame, &board)
            }
            View::Releases { environment, outcome, before } => {
                let filter = pages::Filter { environment: environment.clone(), outcome: *outcome };
                let page = pages::read(&self.port, filter, before.as_deref()).await?;
                view::releases::draw(&frame, &page)
            }
            View::Release { release, from } => {
                let story = story::read(&self.port, release, *from).await?;
                view::release::draw(&frame, &story)
            }
        };
        Ok(frame.page(&drawn))
    }
}
