//! The TokenStore port on SQLite.
