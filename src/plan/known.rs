//! A tunnel's record as the rest of a plan finds it.

use std::{ops::Deref, rc::Rc};

use crate::record::TunnelRecord;

/// A record as it is, or as steps of this plan leave it. Clones share it.
#[derive(Debug, Clone)]
pub(super) enum Known<'a> {
    /// No step before has changed it.
    Untouched(&'a TunnelRecord),
    /// One has.
    Changed(Rc<TunnelRecord>),
}

impl Known<'_> {
    /// The record, to be changed.
    pub(super) fn change(&mut self) -> &mut TunnelRecord {
        if let Self::Untouched(record) = self {
            *self = Self::Changed(Rc::new(record.clone()));
        }
        match self {
            Self::Changed(record) => Rc::make_mut(record),
            Self::Untouched(_) => unreachable!("it is changed"),
        }
    }
}

impl Deref for Known<'_> {
    type Target = TunnelRecord;

    fn deref(&self) -> &TunnelRecord {
        match self {
            Self::Untouched(record) => record,
            Self::Changed(record) => record,
        }
    }
}
