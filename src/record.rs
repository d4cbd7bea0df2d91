//! What Adit knows it made: one record for each tunnel, kept in the state directory.
