//! The log filter of the command line. A misspelt level is refused: as the name of a target it would silence all others.

use std::str::FromStr;

use tracing_subscriber::filter::{LevelFilter, Targets};

/// A level, or levels by target: `info`, `info,ttm_app=debug`.
#[derive(Clone, Debug)]
pub(crate) struct LogFilter(Targets);

const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];

impl LogFilter {
    /// The default filter, at this level.
    pub(crate) fn level(level: LevelFilter) -> Self {
        Self::new(level, Vec::new())
    }

    pub(super) fn into_targets(self) -> Targets {
        self.0
    }

    /// The database driver logs notices such as that a table already exists, which are of no use unless asked for.
    fn new(level: LevelFilter, targets: Vec<(String, LevelFilter)>) -> Self {
        let driver = ("sqlx".to_owned(), level.min(LevelFilter::WARN));
        // That lines were lost is logged at every level but off: they may have been errors.
        let lost = ("ttm_app::log".to_owned(), LevelFilter::WARN);
        // It logs unknown parameters of a URL, such as a misspelt password.
        let parser = ("sqlx_postgres::options".to_owned(), LevelFilter::OFF);
        // Later targets override earlier ones.
        Self(
            Targets::new()
                .with_default(level)
                .with_targets([driver, lost])
                .with_targets(targets)
                .with_targets([parser]),
        )
    }
}

impl FromStr for LogFilter {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut level = LevelFilter::OFF;
        let mut targets = Vec::new();
        for directive in text.split(',').map(str::trim) {
            match directive.split_once('=') {
                Some((target, of_target)) if is_target(target) => {
                    targets.push((target.to_owned(), parse_level(of_target)?));
                }
                Some((target, _)) => {
                    return Err(format!("{target:?} is not a valid target; {}", expected()));
                }
                None => level = parse_level(directive)?,
            }
        }
        Ok(Self::new(level, targets))
    }
}

fn is_target(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | ':' | '-' | '.'))
}

fn parse_level(word: &str) -> Result<LevelFilter, String> {
    let lower = word.to_lowercase();
    if LEVELS.contains(&lower.as_str()) {
        return lower.parse().map_err(|_| expected());
    }
    let near = LEVELS.iter().min_by_key(|level| strsim::levenshtein(level, &lower));
    match near.filter(|near| strsim::levenshtein(near, &lower) <= 2 && !lower.is_empty()) {
        Some(near) => Err(format!("{word:?} is not a level; did you mean {near}?")),
        None => Err(format!("{word:?} is not a level; {}", expected())),
    }
}

fn expected() -> String {
    format!("expected one of {}, or a target and its level such as ttm_app=debug", LEVELS.join(", "))
}

#[cfg(test)]
mod tests {
    use tracing_subscriber::filter::LevelFilter;

    use super::*;

    #[track_caller]
    fn refused(text: &str, expected: &str) {
        let error = text.parse::<LogFilter>().expect_err("refused");
        assert!(error.contains(expected), "{error}");
    }

    #[test]
    fn an_unknown_level_is_refused_with_a_suggestion() {
        refused("infoo", "\"infoo\" is not a level; did you mean info?");
        refused("nonsense=", "\"\" is not a level; expected one of off, error, warn, info, debug, trace");
        refused("nonsense", "\"nonsense\" is not a level");
        refused("", "\"\" is not a level");
        refused("info,", "\"\" is not a level");
        refused("=debug", "\"\" is not a valid target");
        refused("ttm app=debug", "\"ttm app\" is not a valid target");
        refused("ttm_app=5", "\"5\" is not a level");
    }

    #[test]
    fn lost_lines_are_logged_at_every_level() {
        for filter in ["error", "warn", "ttm_guard=debug", "sqlx=trace"] {
            let targets = filter.parse::<LogFilter>().expect("a filter").into_targets();
            assert!(targets.would_enable("ttm_app::log::queue", &tracing::Level::WARN), "{filter}");
        }
    }

    #[test]
    fn the_driver_logs_warnings_only_unless_asked_for_more() {
        let would = |filter: &str, target: &str, level: tracing::Level| {
            filter.parse::<LogFilter>().expect("a filter").into_targets().would_enable(target, &level)
        };
        assert!(!would("info", "sqlx::postgres::notice", tracing::Level::INFO));
        assert!(would("info", "sqlx::query", tracing::Level::WARN));
        assert!(would("INFO,sqlx=info", "sqlx::postgres::notice", tracing::Level::INFO));
        assert!(!would("off", "sqlx::query", tracing::Level::WARN));
        assert!(would("ttm_app=debug", "ttm_app::service", tracing::Level::DEBUG));
        assert!(!would("ttm_app=debug", "ttm_guard", tracing::Level::ERROR));
        assert!(!LogFilter::level(LevelFilter::WARN).into_targets().would_enable("x", &tracing::Level::INFO));
    }
}
