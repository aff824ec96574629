//! Under which name a request asks. It knows the names of this machine and the address that is listened on.
//!
//! A web page may point a name of its own at 127.0.0.1 and have its visitor's browser ask there (DNS rebinding). The
//! browser then names that host, so a listener that is open to whoever can reach it answers to its own names alone. A
//! listener with a token needs no such care: the page does not have the token.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, StatusCode, Version, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::ApiConfig;
use crate::problem::{Problem, quoted};

/// Turns away what names no host or a wrong one.
pub(crate) async fn named(State(config): State<Arc<ApiConfig>>, request: Request, next: Next) -> Response {
    match asked_host(&request) {
        Err(problem) => problem.into_response(),
        Ok(Some(host)) if !config.is_guarded() && !config.answers_to(&host) => {
            let host = quoted(&host);
            let detail = format!(
                "this listener answers to localhost, to loopback addresses and to the address it is configured to \
                 listen on, not to {host}; to be asked under another name it needs a token (api.token_file)"
            );
            Problem::new(StatusCode::MISDIRECTED_REQUEST, detail).into_response()
        }
        Ok(_) => next.run(request).await,
    }
}

/// The host that is asked, without its port; none where HTTP/1.0 names none (RFC 9112, 3.2).
fn asked_host(request: &Request) -> Result<Option<String>, Problem> {
    let header = host_header(request.headers())?;
    if header.is_none() && request.version() > Version::HTTP_10 {
        return Err(Problem::bad_request("the header Host is missing; HTTP/1.1 requires it"));
    }
    // The target's own authority wins.
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
        // Names under localhost lead to this machine and nowhere else (RFC 6761, 6.3).
        name == "localhost" || name.ends_with(".localhost")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_this_machine_are_known_and_those_that_only_look_like_one_are_not() {
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
