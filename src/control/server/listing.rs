//! Every tunnel as JSON, made once for everybody who asks while nothing changes.
//!
//! The list of a thousand tunnels takes longer to make and to hash than to send, and is a mebibyte: clients that take their time with
//! it share one.

use tokio::sync::Mutex;

use super::answer::{self, Tagged};
use crate::control::backend::Backend;

/// The list that was made last, and of which revision.
#[derive(Default)]
pub(super) struct Listing(Mutex<Option<(u64, Tagged)>>);

impl Listing {
    /// Every tunnel that `backend` has, as a JSON list. Whoever comes while it is made waits for it.
    pub(super) async fn of(&self, backend: &impl Backend) -> Tagged {
        let mut made = self.0.lock().await;
        // Read before the tunnels are: what changes meanwhile makes another revision, and at worst one more list.
        let revision = backend.revision();
        if let Some((of, list)) = made.as_ref()
            && *of == revision
        {
            return list.clone();
        }
        let list = Tagged::new(answer::list(|each| backend.tunnels(&mut |tunnel| each(tunnel))));
        *made = Some((revision, list.clone()));
        list
    }
}
