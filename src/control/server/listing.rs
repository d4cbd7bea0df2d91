//! Every tunnel as JSON, made once for everybody who asks while nothing changes.
//!
//! The list of a thousand tunnels takes longer to make than to send, and is a mebibyte: clients that take their time with it share
//! one.

use axum::body::Bytes;
use tokio::sync::Mutex;

use super::answer;
use crate::control::backend::Backend;

/// The list that was made last, and of which revision.
#[derive(Default)]
pub(super) struct Listing(Mutex<Option<(u64, Bytes)>>);

impl Listing {
    /// Every tunnel that `backend` has, as a JSON list. Whoever comes while it is made waits for it.
    pub(super) async fn of(&self, backend: &impl Backend) -> Bytes {
        let mut made = self.0.lock().await;
        // Read before the tunnels are: what changes meanwhile makes another revision, and at worst one more list.
        let revision = backend.revision();
        if let Some((of, list)) = made.as_ref()
            && *of == revision
        {
            return list.clone();
        }
        let list = Bytes::from(answer::list(|each| backend.tunnels(&mut |tunnel| each(tunnel))));
        *made = Some((revision, list.clone()));
        list
    }
}
