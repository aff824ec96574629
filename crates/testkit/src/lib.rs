//! Manual clock, seeded entropy and a recorder, for tests.
