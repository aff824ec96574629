//! Retry: when to try a failed call again, and when to give up.
