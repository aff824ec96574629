//! Holds the record of events against what it is a record of. It knows no store and no process: it is shown what each
//! has.

use ttm_market::{Token, TokenStatus};
use ttm_perf::Event;
use ttm_service::OutboxCounts;

/// What the store knows of the events that it was sent by the present process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EventLedger {
    /// Events of batches whose writer was told that they are stored.
    pub acknowledged: u64,
    /// Events of batches that were sent and have no answer yet.
    pub in_flight: u64,
}

/// Every event that the process made is stored, on its way, waiting or counted as given up.
///
/// # Errors
/// The figures, when they do not add up.
pub fn none_lost(counts: &OutboxCounts, ledger: &EventLedger) -> Result<(), String> {
    let found = ledger.acknowledged + ledger.in_flight + counts.waiting + counts.dropped;
    if found == counts.produced {
        return Ok(());
    }
    Err(format!("{} events produced, {found} found: {counts:?} {ledger:?}", counts.produced))
}

/// Every token that the process made active or archived, as it is stored, has the event that says why.
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
        let told = |event: &Event| event.kind().as_str() == kind && event.subject().as_str() == mint;
        if !stored.iter().any(told) {
            return Err(format!("{mint} is stored as {} and no event says why", token.status));
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
    fn an_event_that_is_nowhere_is_seen() {
        let counts = OutboxCounts { waiting: 1, in_flight: 2, produced: 10, dropped: 3 };
        let ledger = EventLedger { acknowledged: 4, in_flight: 2 };
        assert_eq!(none_lost(&counts, &ledger), Ok(()));
        assert!(none_lost(&OutboxCounts { dropped: 2, ..counts }, &ledger).is_err());
    }

    #[test]
    fn an_activation_without_its_event_is_seen() {
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
