//! The check of the `Host` header against DNS rebinding.
//!
//! A web page can point its own host name at 127.0.0.1 and make the visitor's browser send requests there. The browser
//! sends that host name, so a listener without a token accepts only names of this machine and the address it listens on.
//! A listener with a token does not need the check: the page does not have the token.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, StatusCode, Version, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::ApiConfig;
use crate::access::is_signed;
use crate::problem::{Problem, quoted};

/// Refuses a request with a missing or wrong host.
pub(crate) async fn check_host(
    State(config): State<Arc<ApiConfig>>,
    request: Request,
    next: Next,
) -> Response {
    match requested_host(&request) {
        Err(problem) => problem.into_response(),
        // A signed link is valid under whatever name people reach the service; a page that knows none gets nothing from there.
        Ok(_) if is_signed(request.uri().path()) => next.run(request).await,
        Ok(Some(host)) if !config.is_guarded() && !config.answers_to(&host) => {
            let host = quoted(&host);
            let detail = format!(
                "this listener accepts the hosts localhost, loopback addresses and the address it listens on, not \
                 {host}; set a token (api.token_file) to accept other hosts"
            );
            Problem::new(StatusCode::MISDIRECTED_REQUEST, detail).into_response()
        }
        Ok(_) => next.run(request).await,
    }
}

/// The requested host, without its port; `None` if an HTTP/1.0 request has none (RFC 9112, 3.2).
fn requested_host(request: &Request) -> Result<Option<String>, Problem> {
    let header = host_header(request.headers())?;
    if header.is_none() && request.version() > Version::HTTP_10 {
        return Err(Problem::bad_request("the header Host is missing; HTTP/1.1 requires it"));
    }
    // The authority of the request target takes precedence.
    let target = request.uri().authority().map(|authority| authority.host().to_owned());
    Ok(target.or(header))
}

fn host_header(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let mut given = headers.get_all(header::HOST).into_iter();
    let Some(host) = given.next() else { return Ok(None) };
    if given.next().is_some() {
        return Err(Problem::bad_request("the header Host is given twice"));
    }
    let authority = host.to_str().ok().and_then(|text| text.parse::<Authority>().ok());
    match authority {
        Some(authority) if !authority.as_str().contains('@') => Ok(Some(authority.host().to_owned())),
        _ => {
            let host = quoted(&String::from_utf8_lossy(host.as_bytes()));
            Err(Problem::bad_request(format!("the header Host is {host}, expected a host or host:port")))
        }
    }
}

impl ApiConfig {
    fn answers_to(&self, host: &str) -> bool {
        let host = host.to_ascii_lowercase();
        let address = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(&host);
        if let Ok(address) = address.parse::<IpAddr>() {
            let address = address.to_canonical();
            return address.is_loopback() || address == self.listen;
        }
        let name = host.strip_suffix('.').unwrap_or(&host);
        // Names under localhost always resolve to this machine (RFC 6761, 6.3).
        name == "localhost" || name.ends_with(".localhost")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_this_machine_are_accepted_and_similar_ones_are_not() {
        let config = ApiConfig::new(([127, 0, 0, 1], 8080).into(), None);
        for host in [
            "localhost",
            "LocalHost.",
            "ttm.localhost",
            "127.0.0.1",
            "127.8.9.1",
            "[::1]",
            "[::ffff:127.0.0.1]",
        ] {
            assert!(config.answers_to(host), "{host}");
        }
        for host in [
            "evil.example",
            "localhost.evil.example",
            "notlocalhost",
            "127.0.0.1.evil.example",
            "10.0.0.1",
            "::1x",
            "",
        ] {
            assert!(!config.answers_to(host), "{host}");
        }
    }
}
