//! Asking a connector how it is: `/ready` and `/config` on its metrics address.
