//! What a storm costs: as many statements as a single alert, and a load of everything within the time that a statement has.

use ttm_alert::testing::small::{AT, alert, letter, receipt, record, row};
use ttm_alert::{AlertRecord, Case, ChannelId, Commit, Episode, EpisodeId, Said, Told};
use ttm_kernel::Severity;
use ttm_sqlx_pool::postgres::testing::Database;

use super::example::{ask, claim, commit, load, open};

/// Counts the statements that add to the tables of alerts or take from them.
const COUNTED: &str = "CREATE TABLE $schema.statement (changes text); \
     CREATE FUNCTION $schema.count_it() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
     INSERT INTO statement VALUES (TG_OP || ' ' || TG_TABLE_NAME); RETURN NULL; END $$; \
     DO $$ DECLARE each text; BEGIN \
     FOREACH each IN ARRAY ARRAY['alert', 'alert_message', 'alert_dead_letter', 'alert_receipt'] \
     LOOP EXECUTE format('CREATE TRIGGER counted AFTER INSERT OR DELETE ON $schema.%I FOR EACH STATEMENT \
     EXECUTE FUNCTION $schema.count_it()', each); END LOOP; END $$";

/// An alert that fires, and that two channels know of.
fn firing(number: u64) -> AlertRecord {
    let id = EpisodeId::parse("1-7").expect("an id");
    let said = Said { is_over: false, severity: Severity::Error, is_flapping: false, step: 1 };
    let told = |channel: &str| Told {
        channel: ChannelId::new(channel),
        said: Some(said),
        refused: None,
        at: Some(AT),
        is_delivered: true,
        is_due: true,
        is_once: false,
        messages: 1,
        remote_id: Some("1503435956.000247".into()),
    };
    let case = Case {
        episode: Episode { id, started: AT },
        severity: Severity::Error,
        value: Some(91.5),
        ended: None,
        ack: None,
        opened: Some(AT),
        step: 0,
        is_notice: false,
        least: Severity::Info,
        told: vec![told("ops"), told("phone")],
    };
    AlertRecord { cases: vec![case], ..record(number, false) }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_of_a_storm_is_a_statement_for_each_kind_of_row() {
    let database = Database::new("alerts_storm").await;
    let store = open(&database).await;
    let under = claim(&store).await;
    database.execute(COUNTED).await;
    let many = |of: std::ops::Range<u64>| Commit {
        records: of.clone().map(firing).collect(),
        forgotten: of.clone().map(|number| alert(100_000 + number)).collect(),
        rows: of.clone().map(|number| row(number, 1)).collect(),
        settled: of.clone().map(|number| row(100_000 + number, 1).key).collect(),
        dead: of.clone().map(|number| letter(200_000 + number, 1)).collect(),
        receipts: of.map(|number| receipt(number, 1)).collect(),
        ..Commit::default()
    };
    for of in [0..1, 0..500] {
        commit(&store, under, &many(of.clone())).await;
        // With those that keep the newest dead letters and receipts.
        let statements = ask(&database, "SELECT count(*) FROM statement").await;
        assert_eq!(statements, 8, "{of:?}");
        database.execute("DELETE FROM $schema.statement").await;
    }
    database.drop_schema().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_alerts_and_messages_are_loaded_at_once() {
    let database = Database::new("alerts_many").await;
    let store = open(&database).await;
    let under = claim(&store).await;
    for first in (0..10_000).step_by(500) {
        let of = first..first + 500;
        let records = of.clone().map(firing).collect();
        let rows = of.map(|number| row(number, 1)).collect();
        commit(&store, under, &Commit { records, rows, ..Commit::default() }).await;
    }
    let loaded = load(&store).await;
    assert!(loaded.records.iter().cloned().eq((0..10_000).map(firing)));
    assert!(loaded.rows.iter().cloned().eq((0..10_000).map(|number| row(number, 1))));
    database.drop_schema().await;
}
