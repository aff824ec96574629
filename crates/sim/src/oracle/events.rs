//! Checks the recorded events against the changes that they record, and that none is lost. The checks are pure
//! functions of what the store and the process have.

use ttm_market::{Token, TokenStatus};
use ttm_perf::Event;
use ttm_service::OutboxCounts;

/// The store's counts of the events that one process sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EventLedger {
    /// Events of batches that were acknowledged to their writer.
    pub acknowledged: u64,
    /// Events of batches that were sent and have no answer yet.
    pub in_flight: u64,
}

/// Checks that every event of the process is stored, in flight, waiting or counted as dropped.
///
/// # Errors
/// The counts, if they do not add up.
pub fn none_lost(counts: &OutboxCounts, ledger: &EventLedger) -> Result<(), String> {
    let found = ledger.acknowledged + ledger.in_flight + counts.waiting + counts.dropped;
    if found == counts.produced {
        return Ok(());
    }
    Err(format!("{} events produced, {found} found: {counts:?} {ledger:?}", counts.produced))
}

/// Checks that every stored token that the process activated or archived has the event that explains it.
///
/// # Errors
/// The first token without one.
pub fn every_change_has_its_event(before: &[Token], after: &[Token], stored: &[Event]) -> Result<(), String> {
    for token in after {
        let kind = match token.status {
            TokenStatus::Monitored => continue,
            TokenStatus::Active => "token.activated",
            TokenStatus::Archived => "token.archived",
        };
        let was = before.iter().find(|was| was.mint == token.mint).map(|was| was.status);
        if was == Some(token.status) {
            continue;
        }
        let mint = token.mint.to_string();
        let explains = |event: &Event| event.kind().as_str() == kind && event.subject().as_str() == mint;
        if !stored.iter().any(explains) {
            return Err(format!("{mint} is stored as {} without an event that explains it", token.status));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use ttm_kernel::Severity;
    use ttm_market::Mint;
    use ttm_perf::EventId;

    use super::*;

    #[test]
    fn a_lost_event_is_detected() {
        let counts = OutboxCounts { waiting: 1, in_flight: 2, produced: 10, dropped: 3 };
        let ledger = EventLedger { acknowledged: 4, in_flight: 2 };
        assert_eq!(none_lost(&counts, &ledger), Ok(()));
        assert!(none_lost(&OutboxCounts { dropped: 2, ..counts }, &ledger).is_err());
    }

    #[test]
    fn an_activation_without_its_event_is_detected() {
        let before = [Token::new(Mint::WSOL, Timestamp::UNIX_EPOCH)];
        let after = [Token { status: TokenStatus::Active, ..before[0].clone() }];
        assert!(every_change_has_its_event(&before, &after, &[]).is_err());
        assert_eq!(every_change_has_its_event(&after, &after, &[]), Ok(()));
        let event = Event::new(
            EventId::from_bits(1),
            Timestamp::UNIX_EPOCH,
            "token.activated".parse().expect("a kind"),
            Mint::WSOL.to_string().parse().expect("a subject"),
            Severity::Info,
            "{}".parse().expect("JSON"),
        );
        assert_eq!(every_change_has_its_event(&before, &after, &[event]), Ok(()));
    }
}
