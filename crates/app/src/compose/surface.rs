//! The HTTP API as the surface of the service.

use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, OnceLock};

use metrics_exporter_prometheus::PrometheusHandle;
use parking_lot::Mutex;
use serde_json::Value;
use ttm_axum_api::dto::RecoveriesDto;
use ttm_axum_api::{ApiConfig, ApiState, Bound, Stores};
use ttm_kernel::{BoxFuture, Runtime};
use ttm_recovery::Recovery;
use ttm_service::{Board, Controls, Ports, Stop, Surface, Vital};

use super::managed::Listening;
use super::{descriptors, self_check};
use crate::config::ApiSettings;

/// Recoveries as the API shows them.
pub fn recoveries_as_json(recoveries: Vec<Recovery>) -> Value {
    serde_json::to_value(RecoveriesDto::from(recoveries)).unwrap_or_default()
}

pub(super) struct HttpSurface {
    address: SocketAddr,
    config: ApiConfig,
    state: ApiState,
    /// Bound before anything is started; once that one has ended the address is bound anew, unless the listener is kept.
    listener: Mutex<Option<Bound>>,
    kept: Option<TcpListener>,
}

impl HttpSurface {
    pub(super) fn new(
        Listening { bound, kept }: Listening,
        settings: &ApiSettings,
        board: &Arc<Board>,
        runtime: &Arc<dyn Runtime>,
        prometheus: PrometheusHandle,
    ) -> Self {
        let address = bound.address();
        let config = ApiConfig::new(address, settings.token.clone());
        let state = ApiState {
            health: board.clone(),
            tokens: board.clone(),
            stores: Arc::new(OnceLock::new()),
            controls: Arc::new(OnceLock::new()),
            event_kinds: ttm_service::EVENT_KINDS,
            runtime: runtime.clone(),
            metrics: Arc::new(move || {
                prometheus.run_upkeep();
                prometheus.render()
            }),
        };
        Self { address, config, state, listener: Mutex::new(Some(bound)), kept }
    }
}

impl Surface for HttpSurface {
    fn serve(&self, stop: Stop, vital: Vital) -> BoxFuture<'static, ()> {
        let (address, bound) = (self.address, self.listener.lock().take());
        let kept = self.kept.as_ref().map(TcpListener::try_clone);
        let runtime = self.state.runtime.clone();
        let router = ttm_axum_api::router(self.state.clone(), self.config.clone());
        Box::pin(async move {
            let listener = match (bound, kept) {
                (Some(listener), _) => Ok(listener),
                (None, Some(kept)) => kept.and_then(Bound::adopt).map_err(|error| error.to_string()),
                (None, None) => Bound::bind(address).await.map_err(|error| error.to_string()),
            };
            let listener = match listener {
                Ok(listener) => listener,
                Err(error) => return tracing::error!(error, "the API cannot listen"),
            };
            let stopped = async {
                stop.ordered().await;
            };
            let serve = listener.telling(descriptors::tell).serve(router, stopped);
            tokio::select! {
                biased;
                served = serve => {
                    if let Err(error) = served {
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
        let Controls { breakers, recovery } = controls;
        // A service starts once.
        drop(self.state.controls.set(ttm_axum_api::Controls { breakers, recovery }));
    }
}
