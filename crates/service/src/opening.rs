//! From open ports to the resident state: the steps of a start that come after the lease.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use parking_lot::Mutex;
use ttm_kernel::{FencingToken, Runtime};
use ttm_market::Token;

use crate::alerting::Alerting;
use crate::board::Board;
use crate::breakers::{self, BreakerLog, Restore};
use crate::caller::Caller;
use crate::edits::Edits;
use crate::events::EventLog;
use crate::groups::Groups;
use crate::lease::Lease;
use crate::local_file::Disk;
use crate::outbox::{Fifo, Newest, Outbox};
use crate::pause::{Excuses, Pulse};
use crate::profiles::Profiles;
use crate::resident::Resident;
use crate::sources::Sources;
use crate::stores::StoreUse;
use crate::{Ports, ServiceSettings, StartError, Starting, roster};

/// Claims an epoch, loads the tokens, which are to be posted once all is there, and restores the breaker, under the lease. A store that is away is waited for; nothing
/// runs yet, so dropping this future abandons the start.
///
/// # Errors
/// When another process took the store over, when an operator must mend it, or a source of tokens.
pub(crate) async fn restore<E>(
    ports: Ports,
    settings: &ServiceSettings,
    clock: &Arc<dyn Runtime>,
    board: &Arc<Board>,
    lease: &Arc<Lease>,
    starting: &Starting,
) -> Result<(Resident, Vec<Token>), StartError<E>> {
    let events = EventLog::new(clock);
    let runtime = starting.runtime();
    let mut sources = Sources::new(&ports, board, lease);
    let listings = starting.at("the sources of tokens", sources.first_look(starting)).await?;
    let tokens = &*ports.tokens;
    let epoch = starting.claim(lease, tokens).await?;
    sources.begin(FencingToken::first(epoch), listings, starting).await?;
    let revision = starting.store("the tokens", || roster::revision(tokens, epoch, runtime)).await?;
    let stored = starting.store("the tokens", || roster::load(tokens, runtime, || {})).await?;
    // Tables that are dropped and recreated meanwhile are empty, which is not an empty set of tokens.
    starting.store("the tokens", || roster::revision(tokens, epoch, runtime)).await?;
    tracing::info!(%epoch, tokens = stored.len(), "tokens loaded");
    board.stores.answered(StoreUse::TokenReads, clock.now());
    events.started(epoch, stored.len());
    sources.record(&events);
    let breakers = BreakerLog::new(&events, &board.tally);
    let left = breakers::left(&*ports.breakers, runtime).await;
    let restore = Restore { settings, clock, caller: runtime, log: &breakers, left: &left };
    let disk = Disk::new(clock);
    let alerting = Alerting::new(&ports, settings, epoch, clock, &disk);
    let guard = restore.pools();
    let mut guards = vec![guard.clone()];
    starting.done();
    if let Some(source) = ports.profiles.clone() {
        let guard = restore.profiles();
        guards.push(guard.clone());
        let caller = Caller::new(guard, clock, "profiles calls", board, breakers.clone());
        let profiles = Profiles::new(source, caller.under(lease), &ports, settings, board);
        sources.extend([lease.guards(Arc::new(profiles))]);
    }
    let resident = Resident {
        settings: settings.clone(),
        clock: clock.clone(),
        disk,
        board: board.clone(),
        lease: lease.clone(),
        epoch,
        guard,
        guards,
        breakers,
        tokens: Arc::new(Outbox::new(Newest::default())),
        samples: Arc::new(Outbox::new(Fifo::new(settings.sample_capacity))),
        events,
        edits: Edits::new(),
        revision: AtomicU64::new(revision),
        groups: Groups::new(),
        flights: Arc::default(),
        sources,
        pulse: Arc::new(Pulse::new(clock.now())),
        excuses: Mutex::new(Excuses::new(clock.now())),
        alerting,
        ports,
    };
    Ok((resident, stored))
}
