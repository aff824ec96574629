//! The MetricStore port on PostgreSQL.
