//! The HTTP API as the surface of the service.

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};

use metrics_exporter_prometheus::PrometheusHandle;
use parking_lot::Mutex;
use serde_json::Value;
use ttm_alert::Item;
use ttm_axum_api::dto::RecoveriesDto;
use ttm_axum_api::{AckLinks, ApiConfig, ApiState, Bound, Stores};
use ttm_health::Phase;
use ttm_kernel::{BoxFuture, Clock, Instance, Runtime};
use ttm_recovery::Recovery;
use ttm_service::{AcknowledgeLink, Board, Controls, Links, Ports, Stop, Surface, Vital, series};

use super::{descriptors, self_check};
use crate::config::{ApiSettings, Settings};

/// Recoveries as the API shows them.
pub fn recoveries_as_json(recoveries: Vec<Recovery>) -> Value {
    serde_json::to_value(RecoveriesDto::new(recoveries, None)).unwrap_or_default()
}

/// The links that this service's API takes: every process with the token takes those of every other. Without a token it takes
/// no order, and so none by a link.
fn ack_links(settings: &ApiSettings) -> Option<AckLinks> {
    settings.token.as_ref().map(AckLinks::new)
}

/// Where links in messages point.
pub(super) fn links(settings: &Settings, clock: &Arc<dyn Clock>) -> Links {
    let (public_url, clock) = (settings.alerts.public_url.clone(), clock.clone());
    let of_alert = public_url.zip(ack_links(&settings.api)).map(|(url, links)| {
        let link = move |item: &Item| links.link(&url, item.key.identity(), item.episode.id, clock.wall());
        Arc::new(link) as AcknowledgeLink
    });
    Links { acknowledge: of_alert, ..Links::default() }
}

pub(super) struct HttpSurface {
    address: SocketAddr,
    config: ApiConfig,
    state: ApiState,
    board: Arc<Board>,
    /// Bound before anything is started, and kept while the part is restarted: who connects meanwhile waits, and is not refused.
    listener: Arc<Mutex<Option<Bound>>>,
}

impl HttpSurface {
    pub(super) fn new(
        bound: Bound,
        settings: &ApiSettings,
        instance: &Instance,
        board: &Arc<Board>,
        runtime: &Arc<dyn Runtime>,
        prometheus: PrometheusHandle,
    ) -> Self {
        let (address, instance, served_by) = (bound.address(), instance.clone(), board.clone());
        let config = ApiConfig::new(address, settings.token.clone()).with_ack_links(ack_links(settings));
        let state = ApiState {
            health: board.clone(),
            tokens: board.clone(),
            stores: Arc::new(OnceLock::new()),
            controls: Arc::new(OnceLock::new()),
            own_series: Arc::new(move |asked| series::of_instance(asked, &instance)),
            served: Arc::new(move |route, took| served_by.post_served(route, took)),
            event_kinds: ttm_service::EVENT_KINDS,
            runtime: runtime.clone(),
            metrics: Arc::new(move || {
                prometheus.run_upkeep();
                prometheus.render()
            }),
        };
        let listener = Arc::new(Mutex::new(Some(bound)));
        Self { address, config, state, board: board.clone(), listener }
    }
}

impl Surface for HttpSurface {
    fn serve(&self, stop: Stop, vital: Vital) -> BoxFuture<'static, ()> {
        let (address, board, kept) = (self.address, self.board.clone(), self.listener.clone());
        let runtime = self.state.runtime.clone();
        let router = ttm_axum_api::router(self.state.clone(), self.config.clone());
        Box::pin(async move {
            let again = kept.lock().as_ref().map(Bound::again);
            let listener = match again {
                Some(again) => again.map_err(|error| error.to_string()),
                None => Bound::bind(address).await.map_err(|error| error.to_string()),
            };
            let listener = match listener {
                Ok(listener) => listener,
                Err(error) => return tracing::error!(error, "the API cannot listen"),
            };
            let stopped = async {
                stop.ordered().await;
                if board.phase() != Phase::Running {
                    // Nothing serves after this one. Whoever connects now is refused at once.
                    drop(kept.lock().take());
                }
            };
            let serve = listener.telling(descriptors::tell).serve(router, stopped);
            tokio::select! {
                biased;
                served = serve => {
                    if let Err(error) = served {
                        // It is of no use to the next incarnation, either.
                        drop(kept.lock().take());
                        tracing::error!(%error, "the API stopped answering");
                    }
                }
                () = self_check::ask(address, runtime, vital) => {}
            }
        })
    }

    fn opened(&self, ports: &Ports) {
        // A start opens them once.
        drop(self.state.stores.set(Stores { history: ports.history.clone(), events: ports.events.clone() }));
    }

    fn started(&self, controls: Controls) {
        let Controls { breakers, recovery, alerts } = controls;
        // A service starts once.
        drop(self.state.controls.set(ttm_axum_api::Controls { breakers, recovery, alerts }));
    }

    fn ended(&self) {
        // If the stop came while this part was being restarted, nothing has dropped it. Who waits in it would wait for the process to end.
        drop(self.listener.lock().take());
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpStream;

    use metrics_exporter_prometheus::PrometheusBuilder;
    use ttm_service::ServiceSettings;

    use super::*;
    use crate::planes::Threads;

    #[test]
    fn nobody_waits_in_the_listener_of_a_service_that_has_ended() {
        let threads = Threads::start().expect("there is room for them");
        let planes = threads.planes();
        let board = Board::starting(&ServiceSettings::default(), &*planes);
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let bound = threads.block_on(Bound::bind(any)).expect("a free port");
        let settings = ApiSettings { listen: bound.address(), token: None };
        let prometheus = PrometheusBuilder::new().build_recorder().handle();
        let surface = HttpSurface::new(
            bound,
            &settings,
            &Instance::default(),
            &board,
            &planes.supervision(),
            prometheus,
        );
        TcpStream::connect(settings.listen).expect("the part that is started again would answer");
        surface.ended();
        TcpStream::connect(settings.listen).expect_err("nothing would");
    }
}
