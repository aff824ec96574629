//! The TokenStore port on PostgreSQL.
