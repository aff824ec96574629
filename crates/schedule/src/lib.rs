//! Schedule: when each group runs, without overlap, and what it runs first.
