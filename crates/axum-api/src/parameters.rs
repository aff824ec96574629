//! The query string of a request: known names only, each at most once, so that a typo is an error instead of a default.

use axum::extract::Query;
use axum::http::Uri;

use crate::problem::{Problem, quoted};

/// What is expected of `cursor`, for a message.
pub(crate) const CURSOR: &str = "the value of next from the previous page";

/// Parameters whose names are all known, each given at most once.
#[derive(Debug)]
pub(crate) struct Parameters(Vec<(String, String)>);

impl Parameters {
    /// Reads the query of `uri`; any name that is not in `known` is an error.
    pub(crate) fn of(uri: &Uri, known: &[&str]) -> Result<Self, Problem> {
        let Query(pairs) = Query::<Vec<(String, String)>>::try_from_uri(uri)
            .map_err(|_| Problem::bad_request("the query is not of the form name=value&name=value"))?;
        for (at, (name, _)) in pairs.iter().enumerate() {
            if !known.contains(&name.as_str()) {
                let expected = match known {
                    [] => "expected none".to_owned(),
                    _ => format!("expected one of: {}", known.join(", ")),
                };
                return Err(Problem::bad_request(format!("unknown parameter {}, {expected}", quoted(name))));
            }
            if pairs[..at].iter().any(|(earlier, _)| earlier == name) {
                return Err(Problem::bad_request(format!("the parameter {name} is given twice")));
            }
        }
        Ok(Self(pairs))
    }

    /// The text of a parameter.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The parsed value of a parameter, if it is given.
    pub(crate) fn read<T>(
        &self,
        name: &str,
        expected: &str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Result<Option<T>, Problem> {
        let Some(text) = self.text(name) else { return Ok(None) };
        parse(text).map(Some).ok_or_else(|| {
            Problem::bad_request(format!("the parameter {name} is {}, expected {expected}", quoted(text)))
        })
    }

    /// The size of a page: `limit`, by default 100.
    pub(crate) fn limit(&self) -> Result<usize, Problem> {
        self.limit_up_to(1000)
    }

    /// The same where a page has at most so many.
    pub(crate) fn limit_up_to(&self, most: usize) -> Result<usize, Problem> {
        let limit = self.read("limit", &format!("a whole number from 1 to {most}"), |text| {
            text.parse().ok().filter(|limit| (1..=most).contains(limit))
        })?;
        Ok(limit.unwrap_or(100))
    }
}
