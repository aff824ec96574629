//! Circuit breaker: admits, rejects and probes one outside dependency.
