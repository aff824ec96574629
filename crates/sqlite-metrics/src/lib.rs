//! The MetricStore port on SQLite.
