//! A ledger that is away at the start, and for long.

use ttm_kernel::StoreError;
use ttm_perf::testing::FakeEventStore;

use super::*;

#[test]
fn a_ledger_that_is_away_is_a_problem_until_it_is_read_and_was_not_set_aside() {
    let runtime = ManualRuntime::new(1);
    let (ledger, events) = (FakeRecoveryLedger::new(), FakeEventStore::new());
    ledger.claim();
    ledger.fail_with(|| StoreError::transient("connection refused"));
    let ports = Ports {
        ledger: Arc::new(ledger.clone()),
        events: Arc::new(events.clone()),
        ..fakes::ports(&FakeTokenStore::new())
    };
    let board = fakes::board(&runtime);
    let supervisor = fakes::supervisor(&runtime, &board).with_parts(PARTS.to_vec());
    let figures = supervisor.figures();
    let stop = async {
        figures.started().await;
        runtime.sleep_until(runtime.now() + Duration::from_mins(90)).await;
        let problem = board.set_aside().expect("it is still away");
        assert!(problem.contains("cannot be read yet"), "{problem}");
        let kinds: Vec<_> =
            events.events().into_iter().map(|event| event.kind().as_str().to_owned()).collect();
        assert!(!kinds.iter().any(|kind| kind.contains("set_aside")), "{kinds:?}");
        ledger.heal();
        runtime.sleep_until(runtime.now() + Duration::from_mins(1)).await;
        assert_eq!(board.set_aside(), None);
        runtime.now() + 10 * SECOND
    };
    let exit: Exit<Infallible> = runtime.block_on(supervisor.run(fakes::open(ports), stop));
    assert!(matches!(exit, Exit::Ended(Ended { failure: None, .. })), "{exit:?}");
    assert_eq!(ledger.entries().last().map(|entry| entry.fact.kind()), Some("closed"));
}

#[test]
fn why_budgets_are_spent_is_said_by_every_process_until_the_hour_is_over() {
    let runtime = ManualRuntime::new(1);
    let (tokens, ledger, events) = (FakeTokenStore::new(), FakeRecoveryLedger::new(), FakeEventStore::new());
    ledger.spoil("a row without a key");
    let mut said = Vec::new();
    for minutes in [1, 1, 70, 1] {
        ledger.claim();
        let ports = Ports {
            ledger: Arc::new(ledger.clone()),
            events: Arc::new(events.clone()),
            ..fakes::ports(&tokens)
        };
        let board = fakes::board(&runtime);
        let supervisor = fakes::supervisor(&runtime, &board).with_parts(PARTS.to_vec());
        let figures = supervisor.figures();
        let stop = async {
            figures.started().await;
            said.push(board.set_aside().is_some());
            runtime.sleep_until(runtime.now() + Duration::from_mins(minutes)).await;
            said.push(board.set_aside().is_some());
            runtime.now() + 10 * SECOND
        };
        let exit: Exit<Infallible> = runtime.block_on(supervisor.run(fakes::open(ports), stop));
        assert!(matches!(exit, Exit::Ended(Ended { failure: None, .. })), "{exit:?}");
    }
    assert_eq!(said, [true, true, true, true, true, false, false, false]);
    let is_loss = |kind: &str| kind.contains("set_aside");
    let losses = events.events().into_iter().filter(|event| is_loss(event.kind().as_str()));
    assert_eq!(losses.count(), 1, "it was lost once");
}
