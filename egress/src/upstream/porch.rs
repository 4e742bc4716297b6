//! Where an h1 connection's sender waits until the connection can take another request. The connection's own task looks: the end
//! of the bodies wakes it anyway, and no other task is needed for it.
use super::connection::H1;
use super::pool::Home;
use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

/// Shared by a connection's task and who sends on it. Whoever waits here knows no way back to it: there is no circle.
#[derive(Clone, Default)]
pub(super) struct Porch(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    waits: Option<(H1, Home)>,
    /// The connection has ended: nobody looks any more.
    over: bool,
}

impl Porch {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The sender goes home once both bodies have come to their end; never when one was dropped before.
    pub(super) fn leave(&self, sender: H1, home: Home) {
        let mut state = self.state();
        // Looked at under the lock: what becomes ready later is seen by the task, which takes it after that.
        if sender.is_ready() {
            drop(state);
            return home.welcome(sender, self.clone());
        }
        if !state.over {
            state.waits = Some((sender, home));
        }
    }

    /// Drives the connection to its end. Errors reach whoever sends or reads.
    pub(super) async fn drive<T>(self, connection: impl Future<Output = T>) {
        let mut connection = pin!(connection);
        std::future::poll_fn(|cx| {
            let driven = connection.as_mut().poll(cx).map(drop);
            self.look(cx, driven.is_ready());
            driven
        })
        .await;
    }

    fn look(&self, cx: &mut Context<'_>, over: bool) {
        let mut state = self.state();
        state.over = over;
        let Some((mut sender, home)) = state.waits.take() else { return };
        match sender.poll_ready(cx) {
            _ if over => {}
            Poll::Pending => state.waits = Some((sender, home)),
            Poll::Ready(Err(_)) => {}
            Poll::Ready(Ok(())) => {
                drop(state);
                home.welcome(sender, self.clone());
            }
        }
    }
}
