//! Several processes migrate one database: one does, all end well, and whoever died on the way keeps nobody.

use rustix::process::Signal;
use ttm_e2e::{Database, Outcome, Program, Proxy, ttm};

/// A process that migrates.
fn migrate(store: &str) -> Program {
    let folder = tempfile::tempdir().expect("a folder");
    Program::start(ttm(folder.path()).arg("migrate").env("TTM_STORE__URL", store))
}

fn succeeds(program: Program) {
    let outcome = program.end();
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    assert!(outcome.stdout.ends_with(": the schema is up to date\n"), "{outcome:?}");
}

/// Four processes at once. One of them is the only one that writes each schema.
fn four_migrate(database: &Database) {
    let four: Vec<Program> = (0..4).map(|_| migrate(&database.url())).collect();
    four.into_iter().for_each(succeeds);
}

const LAST: &str = "SELECT max(version) FROM _ttm_state_migrations";

#[test]
fn four_processes_that_migrate_at_once_all_end_well_and_one_of_them_does_it() {
    let database = Database::create();
    four_migrate(&database);
    for history in ["_ttm_state_migrations", "_ttm_metrics_migrations"] {
        let writers = database.ask(&format!("SELECT count(DISTINCT xmin::text) FROM {history}"));
        assert_eq!(writers, "1", "{history}");
    }
    let newest = database.ask(LAST);
    // A version behind.
    let drop = database.ask(
        "SELECT 'DROP TABLE ' || string_agg(relname, ', ') FROM pg_class \
         WHERE relname LIKE 'alert%' AND relkind = 'r' AND relnamespace = 'public'::regnamespace",
    );
    database.ask(&format!("{drop}; DELETE FROM _ttm_state_migrations WHERE version = {newest}"));
    four_migrate(&database);
    assert_eq!(database.ask(LAST), newest);
    let writers = database.ask("SELECT count(DISTINCT xmin::text) FROM _ttm_state_migrations");
    assert_eq!(writers, "2", "one before, and one now");
}

#[test]
fn a_process_that_is_killed_with_its_turn_keeps_nobody_waiting_beyond_it() {
    let database = Database::create();
    let proxy = Proxy::to(database.host());
    // It has its turn, which is committed, and gets no answer to what comes next.
    proxy.freeze_at("FOR UPDATE");
    let dies = migrate(&database.url_at(&proxy.address().to_string()));
    let pid = dies.pid();
    let has_turn = "SELECT holder FROM _ttm_migration_lease";
    let is_there = "SELECT to_regclass('_ttm_migration_lease') IS NOT NULL";
    let holder = (0..1_000).find_map(|_| {
        let holder = (database.ask(is_there) == "t").then(|| database.ask(has_turn))?;
        (!holder.is_empty()).then_some(holder)
    });
    let holder = holder.expect("it takes its turn");
    assert!(holder.starts_with(&format!("process {pid} on ")), "{holder}");
    dies.signal(Signal::KILL);
    assert_eq!(dies.end().code, None);
    succeeds(migrate(&database.url()));
}

fn refused_as_newer(outcome: &Outcome, database: &Database, known: &str) {
    let (host, name) = (database.host(), database.name());
    let expected = format!(
        "error: PostgreSQL at {host}/{name} has schema version 99, this program knows versions up to {known}: \
         start a newer one"
    );
    assert_eq!(outcome.code, Some(1), "{outcome:?}");
    let told: Vec<&str> = outcome.stderr.lines().filter(|line| !line.starts_with('{')).collect();
    assert_eq!(told, [expected], "{outcome:?}");
}

#[test]
fn a_schema_of_a_newer_program_is_refused_in_one_line_by_every_command() {
    for history in ["_ttm_state_migrations", "_ttm_metrics_migrations"] {
        let database = Database::create();
        succeeds(migrate(&database.url()));
        let known = database.ask(&format!("SELECT max(version) FROM {history}"));
        database.ask(&format!(
            "INSERT INTO {history} SELECT version, 'new', now(), true, '', 0 FROM unnest(ARRAY[98, 99]) AS new (version)"
        ));
        refused_as_newer(&migrate(&database.url()).end(), &database, &known);
        let folder = tempfile::tempdir().expect("a folder");
        let mut run = ttm(folder.path());
        run.args(["run", "--log", "off"]).env("TTM_API__LISTEN", "127.0.0.1:0");
        run.env("TTM_STORE__URL", database.url());
        refused_as_newer(&Program::start(&mut run).end(), &database, &known);
        // It has not changed the lease of the program that works there, nor anything else.
        assert_eq!(database.ask(&format!("SELECT max(version) FROM {history}")), "99");
    }
}
