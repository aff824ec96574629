//! The section `[api]`: the HTTP server.

use std::net::SocketAddr;
use std::path::Path;

use secrecy::SecretString;

use super::reader::Reader;
use super::secret_file;
use crate::config::ConfigError;

/// The HTTP server of health, metrics and API.
#[derive(Clone, Debug)]
pub struct ApiSettings {
    /// Its address.
    pub listen: SocketAddr,
    /// The bearer token; always set if the address is not loopback.
    pub token: Option<SecretString>,
}

impl Reader<'_> {
    pub(super) fn api(&mut self, folder: &Path) -> Option<ApiSettings> {
        let listen = self.parsed::<SocketAddr>("api.listen");
        let file = self.text("api.token_file");
        if file.is_empty() {
            let listen = listen?;
            if !listen.ip().is_loopback() && self.is_told("api.token_file") {
                return None;
            }
            if !listen.ip().is_loopback() {
                let message = format!(
                    "api.listen is {listen}, which is not loopback: expected api.token_file to be set too"
                );
                let origin = self.raw("api.listen").2;
                self.errors.push(ConfigError { origin, message });
                return None;
            }
            return Some(ApiSettings { listen, token: None });
        }
        match secret_file::read_token(&folder.join(file)) {
            Ok(token) => Some(ApiSettings { listen: listen?, token: Some(token) }),
            Err(problem) => {
                let message = format!("api.token_file is {problem}");
                let origin = self.raw("api.token_file").2;
                self.errors.push(ConfigError { origin, message });
                None
            }
        }
    }
}
