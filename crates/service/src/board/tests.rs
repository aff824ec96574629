//! What the board reports of what was posted, and of the time since.

use ttm_health::Status;
use ttm_kernel::Clock as _;
use ttm_market::{Mint, Token};
use ttm_testkit::ManualRuntime;

use super::*;
use crate::fakes;

#[test]
fn the_board_obeys_the_laws_of_a_view_of_health() {
    let runtime = ManualRuntime::new(1);
    let board = fakes::board(&runtime);
    ttm_health::testing::view_conformance::check(&*board, |report| drop(board.post_report(report)));
}

#[test]
fn tokens_per_minute_counts_the_last_minute_from_the_first_second_on() {
    let runtime = ManualRuntime::new(1);
    let board = fakes::board(&runtime);
    let is = |tokens: u32| board.tokens_per_minute().to_bits() == f64::from(tokens).to_bits();
    assert!(is(0));
    board.post_scored(30);
    assert!(is(30), "the minute before the start had none");
    runtime.clock().advance(Duration::from_secs(45));
    board.post_scored(12);
    assert!(is(42));
    runtime.clock().advance(Duration::from_secs(30));
    assert!(is(12));
}

#[test]
fn tokens_imported_hours_ago_are_overdue_only_once_the_process_had_time_to_request_them() {
    let runtime = ManualRuntime::new(1);
    let board = fakes::board(&runtime);
    let imported = runtime.wall() - Duration::from_hours(3);
    board.post_tokens(Author::RESIDENT, vec![Arc::new(Token::new(Mint::WSOL, imported))]);
    let overdue = || board.data_facts().cold.overdue;
    runtime.clock().advance(Duration::from_mins(10));
    assert_eq!(overdue(), 0, "the store was down, and nothing could be requested");
    board.enter_running();
    runtime.clock().advance(board.market.stale_after(Some(Lane::Cold)));
    assert_eq!(overdue(), 0);
    runtime.clock().advance(Duration::from_millis(1));
    assert_eq!(overdue(), 1);
}

#[test]
fn a_process_that_ends_by_itself_reports_so_at_once_and_in_every_later_report() {
    let board = fakes::board(&ManualRuntime::new(1));
    let made = Report {
        ready: true,
        status: Status::Healthy,
        phase: Phase::Running,
        ..Report::clone(&board.report())
    };
    board.post_report(made.clone());
    assert_eq!(*board.report(), made);
    for again in [false, true] {
        board.ends_because("the lease on the store is lost");
        if again {
            board.post_report(made.clone());
        }
        let report = board.report();
        assert_eq!((report.status, report.ready, report.phase), (Status::Critical, false, Phase::Stopping));
        let reasons = report.reasons();
        let stopping =
            reasons.iter().filter(|each| **each == "stopping because the lease on the store is lost");
        assert_eq!(stopping.count(), 1, "{reasons:?}");
    }
}

#[test]
fn a_report_that_nobody_makes_anew_is_critical_and_a_start_that_waits_is_not() {
    let runtime = ManualRuntime::new(1);
    let board = fakes::board(&runtime);
    runtime.clock().advance(Duration::from_hours(1));
    assert_eq!(board.report().status, Status::Unknown, "the start waits for its store");
    board.post_parts(Vec::new(), None);
    let made = Report {
        ready: true,
        status: Status::Healthy,
        phase: Phase::Running,
        ..Report::clone(&board.report())
    };
    board.post_report(made.clone());
    runtime.clock().advance(Duration::from_secs(30));
    assert_eq!(*board.report(), made);
    runtime.clock().advance(Duration::from_secs(1));
    let report = board.report();
    assert_eq!((report.status, report.ready, report.live), (Status::Critical, false, made.live));
    assert_eq!(report.reasons()[0], "there has been no report for 31 s: the part monitor does not get on");
    board.post_report(made.clone());
    assert_eq!(*board.report(), made);
}

#[test]
fn a_part_that_never_makes_its_first_report_is_told_of() {
    let runtime = ManualRuntime::new(1);
    let board = fakes::board(&runtime);
    board.post_parts(Vec::new(), None);
    runtime.clock().advance(Duration::from_mins(1));
    board.post_parts(Vec::new(), None);
    assert_eq!(board.report().status, Status::Critical);
}

#[test]
fn a_start_that_ends_during_a_stop_does_not_hide_the_stop() {
    let runtime = ManualRuntime::new(1);
    let board = fakes::board(&runtime);
    board.enter_running();
    board.enter_stopping();
    board.enter_running();
    assert_eq!(board.phase(), Phase::Stopping);
}

#[test]
fn what_a_replaced_work_still_posts_is_not_seen() {
    let runtime = ManualRuntime::new(1);
    let board = fakes::board(&runtime);
    let work = |number| Author { part: "work", incarnation: Incarnation::new(number) };
    let token = |symbol: &str| {
        let symbol = Some(symbol.into());
        Arc::new(Token { symbol, ..Token::new(Mint::WSOL, runtime.wall()) })
    };
    let seen = || board.token(&Mint::WSOL).and_then(|token| token.symbol.clone());
    let status = |runs| LaneStatus { runs, ..LaneStatus::default() };
    board.admit(work(0));
    board.post_tokens(work(0), vec![token("old")]);
    board.post_group(work(0), Lane::Hot, status(1));
    board.admit(work(1));
    board.post_tokens(work(1), vec![token("new")]);
    board.post_group(work(1), Lane::Hot, status(2));
    board.post_tokens(work(0), vec![token("stale")]);
    board.forget_tokens(work(0), [Mint::WSOL]);
    board.post_group(work(0), Lane::Hot, status(9));
    assert_eq!(seen().as_deref(), Some("new"));
    assert_eq!(board.group(Lane::Hot).map(|status| status.runs), Some(2));
    board.forget_tokens(work(1), [Mint::WSOL]);
    board.post_tokens(work(0), vec![token("stale")]);
    assert_eq!(seen(), None, "nor are the first ones of all");
    board.post_tokens(Author::RESIDENT, vec![token("loaded")]);
    assert_eq!(seen().as_deref(), Some("loaded"), "others are not affected");
}
