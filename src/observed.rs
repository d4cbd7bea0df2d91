//! What is there: one complete read of an account.
