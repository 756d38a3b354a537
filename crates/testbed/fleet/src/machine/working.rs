//! The functions that work: each goes on when what it waited for has come, and only when it is its turn.

use std::collections::BTreeMap;
use std::future::{self, Future};
use std::mem;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use pipeline::Fault;
use serde_json::Value;
use tokio::time::{Instant, sleep_until};

use super::call::Begun;

type Work = Pin<Box<dyn Future<Output = Result<Value, Fault>>>>;

#[derive(Default)]
pub struct Working {
    all: BTreeMap<u64, (Work, Waker, Begun)>,
    last: u64,
    awake: Arc<Awake>,
}

/// Those that can go on, and who waits for one.
#[derive(Default)]
struct Awake(Mutex<(Vec<u64>, Option<Waker>)>);

/// Rings for one of them.
struct Bell(u64, Arc<Awake>);

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        let Bell(id, awake) = &*self;
        let mut awake = awake.0.lock().unwrap_or_else(PoisonError::into_inner);
        awake.0.push(*id);
        if let Some(waiting) = awake.1.take() {
            waiting.wake();
        }
    }
}

impl Working {
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Begins one; returns its number.
    pub fn begin(&mut self, begun: Begun, work: impl Future<Output = Result<Value, Fault>> + 'static) -> u64 {
        self.last += 1;
        let waker = Waker::from(Arc::new(Bell(self.last, Arc::clone(&self.awake))));
        self.all.insert(self.last, (Box::pin(work), waker, begun));
        self.last
    }

    /// Lets one go on; returns what it was, and how it ended, if it did.
    pub fn poll(&mut self, id: u64) -> Option<(Begun, Result<Value, Fault>)> {
        let (work, waker, _) = self.all.get_mut(&id)?;
        match work.as_mut().poll(&mut Context::from_waker(waker)) {
            Poll::Pending => None,
            Poll::Ready(ended) => self.end(id).map(|begun| (begun, ended)),
        }
    }

    /// Ends one, whether it has done its work or not.
    pub fn end(&mut self, id: u64) -> Option<Begun> {
        self.all.remove(&id).map(|(.., begun)| begun)
    }

    /// Takes those that can go on.
    pub fn take_awake(&mut self) -> Vec<u64> {
        mem::take(&mut self.awake.0.lock().unwrap_or_else(PoisonError::into_inner).0)
    }

    /// Waits until one can go on, or for a moment.
    pub async fn wait(&self, until: Option<Instant>) {
        let mut moment = until.map(|until| Box::pin(sleep_until(until)));
        future::poll_fn(|context| {
            let mut awake = self.awake.0.lock().unwrap_or_else(PoisonError::into_inner);
            if !awake.0.is_empty() {
                return Poll::Ready(());
            }
            awake.1 = Some(context.waker().clone());
            drop(awake);
            moment.as_mut().map_or(Poll::Pending, |moment| moment.as_mut().poll(context))
        })
        .await;
    }
}
