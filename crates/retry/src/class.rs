//! What a failure means for trying again. Of all protocols it knows HTTP's status codes only.

/// What a failure means for trying again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// It may pass by itself: timeout, lost connection, 5xx.
    Transient,
    /// The upstream limits the rate (429).
    RateLimited,
    /// Trying again cannot help: 400, 401, 404.
    Permanent,
}

impl Class {
    /// The class of an HTTP response with this status, after RFC 9110 §15; none if it is no failure.
    ///
    /// | status | class | because |
    /// |---|---|---|
    /// | 100–399 | none | no failure; redirects have been followed before |
    /// | 408, 425 | transient | "repeat that request" (RFC 9110 §15.5.9), "try later" (RFC 8470 §5.2) |
    /// | 429 | rate limited | RFC 6585 §4 |
    /// | other 4xx | permanent | the same request would be as wrong the next time |
    /// | 501, 505 | permanent | the server does not know the method, or the version of HTTP, and will not learn it |
    /// | other 5xx | transient | the server "has erred or is incapable" now |
    /// | below 100, from 600 | transient | invalid: "process the response as if it had a 5xx" (§15) |
    ///
    /// It looks at the number alone. Whether a request is safe to repeat is for its caller to know, and an API that
    /// uses a status in its own way needs a classifier of its own.
    pub const fn of_http_status(status: u16) -> Option<Self> {
        match status {
            100..=399 => None,
            429 => Some(Self::RateLimited),
            408 | 425 => Some(Self::Transient),
            400..=499 | 501 | 505 => Some(Self::Permanent),
            _ => Some(Self::Transient),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(class: Option<Class>, statuses: impl IntoIterator<Item = u16>) {
        for status in statuses {
            assert_eq!(Class::of_http_status(status), class, "{status}");
        }
    }

    #[test]
    fn what_is_no_failure_has_no_class() {
        check(None, [100, 200, 204, 301, 304, 399]);
    }

    #[test]
    fn a_bad_request_a_missing_right_and_a_missing_thing_are_never_worth_another_try() {
        check(Some(Class::Permanent), [400, 401, 403, 404, 405, 409, 410, 418, 422, 451, 499, 501, 505]);
    }

    #[test]
    fn a_server_in_trouble_and_a_request_that_came_too_late_or_early_are() {
        check(Some(Class::Transient), [408, 425, 500, 502, 503, 504, 507, 520, 522, 599]);
    }

    #[test]
    fn too_many_requests_ask_for_patience() {
        check(Some(Class::RateLimited), [429]);
    }

    #[test]
    fn an_invalid_status_counts_as_a_server_in_trouble() {
        check(Some(Class::Transient), [0, 1, 99, 600, 999, u16::MAX]);
    }
}
