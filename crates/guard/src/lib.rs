//! Guard: limiter, breaker, retry and deadline around one outside call.
