//! The API asks itself, as a probe would: that its task runs says little about whether anybody is answered.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use ttm_kernel::{Runtime, within};
use ttm_service::Vital;

/// How often it is asked.
const EVERY: Duration = Duration::from_secs(10);
/// An answer that takes longer is none.
const PATIENCE: Duration = Duration::from_secs(5);

/// Asks again and again; each answer is a sign of life. What is answered does not matter.
pub(super) async fn ask(address: SocketAddr, runtime: Arc<dyn Runtime>, vital: Vital) {
    let mut was_answered = false;
    loop {
        let asked = within(&*runtime, runtime.now() + PATIENCE, once(address)).await;
        match asked {
            Ok(Ok(())) => {
                was_answered = true;
                vital.got_on();
            }
            // A firewall may be in the way of this, and of nobody else: what never worked shows nothing.
            _ if !was_answered => vital.got_on(),
            Ok(Err(error)) => tracing::debug!(%error, "the API does not answer itself"),
            Err(_) => tracing::debug!("the API does not answer itself in time"),
        }
        runtime.sleep_until(runtime.now() + EVERY).await;
    }
}

async fn once(address: SocketAddr) -> io::Result<()> {
    let mut connection = TcpStream::connect(reachable(address)).await?;
    connection.write_all(b"GET /health/live HTTP/1.0\r\n\r\n").await?;
    let mut begin = [0; 5];
    connection.read_exact(&mut begin).await?;
    if &begin == b"HTTP/" { Ok(()) } else { Err(io::ErrorKind::InvalidData.into()) }
}

/// Where a listener on all addresses is reached from here.
fn reachable(mut address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        address.set_ip(match address {
            SocketAddr::V4(_) => IpAddr::V4(Ipv4Addr::LOCALHOST),
            SocketAddr::V6(_) => IpAddr::V6(Ipv6Addr::LOCALHOST),
        });
    }
    address
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    #[test]
    fn a_listener_on_all_addresses_is_asked_on_loopback() {
        let of = |address: &str| reachable(address.parse().expect("an address")).to_string();
        assert_eq!(of("0.0.0.0:8080"), "127.0.0.1:8080");
        assert_eq!(of("[::]:8080"), "[::1]:8080");
        assert_eq!(of("192.0.2.1:80"), "192.0.2.1:80");
    }

    #[tokio::test]
    async fn only_an_http_answer_counts() {
        for (answer, counts) in [("HTTP/1.0 503 \r\n", true), ("SSH-2.0", false), ("", false)] {
            let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
            let address = listener.local_addr().expect("it is bound");
            let serve = async {
                let (mut connection, _) = listener.accept().await.expect("it connects");
                let mut request = [0; 29];
                connection.read_exact(&mut request).await.expect("a request");
                connection.write_all(answer.as_bytes()).await.expect("it listens");
            };
            let (asked, ()) = tokio::join!(once(address), serve);
            assert_eq!(asked.is_ok(), counts, "{answer:?}: {asked:?}");
        }
    }
}
