//! Adit's own metric families.
