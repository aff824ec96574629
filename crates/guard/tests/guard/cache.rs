//! Calls behind a cache: what is served, how it is marked, and who asks when many want the same.

use std::sync::Arc;
use std::time::Duration;

use ttm_guard::{Answer, Cache, CacheConfig, CacheSettings, Freshness, GuardError, Source};
use ttm_kernel::{Moment, Runtime, Task, TaskEnd};
use ttm_testkit::Recorder;

use crate::rig::{DOWN, Failed, Reply, Rig, at_ms};

type Kept = Cache<&'static str, u64, Failed>;
type End = Result<Answer<u64>, Arc<GuardError<Failed>>>;

const FRESHNESS: Freshness =
    Freshness { max_age: Duration::from_secs(5), stale_if_error: Duration::from_mins(15) };

fn cache(max_weight: u64) -> Arc<Kept> {
    let settings = CacheSettings { max_weight, expected_entries: 100 };
    Arc::new(Cache::new(CacheConfig::try_new(settings).expect("valid settings"), |_, _| 1))
}

/// A call for `key` whose answer is the time at which it came, in milliseconds.
fn ask(
    rig: &Rig,
    cache: &Arc<Kept>,
    key: &'static str,
    reply: Reply,
) -> impl Future<Output = End> + Send + use<> {
    ask_until(rig, cache, key, reply, Moment::MAX)
}

fn ask_until(
    rig: &Rig,
    cache: &Arc<Kept>,
    key: &'static str,
    reply: Reply,
    deadline: Moment,
) -> impl Future<Output = End> + Send + use<> {
    let (guard, cache, operation) = (Arc::clone(&rig.guard), Arc::clone(cache), rig.operation(&[reply]));
    let runtime = rig.runtime.clone();
    async move {
        let mut operation = operation;
        let timed = |attempt| {
            let (answer, runtime) = (operation(attempt), runtime.clone());
            async move {
                answer.await?;
                let now = ttm_kernel::Clock::now(&runtime).since_origin().as_millis();
                Ok(u64::try_from(now).expect("tests are short"))
            }
        };
        guard.call_cached(&cache, key, FRESHNESS, deadline, |Failed(disposition)| *disposition, timed).await
    }
}

fn run(rig: &Rig, cache: &Arc<Kept>, reply: Reply) -> End {
    rig.runtime.block_on(ask(rig, cache, "key", reply))
}

fn source(end: &End) -> Source {
    end.as_ref().expect("an answer").source
}

#[test]
fn a_young_answer_is_served_without_asking_and_an_older_one_is_asked_for_again() {
    let (rig, cache) = (Rig::new(), cache(10));
    assert_eq!(source(&run(&rig, &cache, Reply::Ok(100))), Source::Fresh { attempts: 1 });
    rig.runtime.clock().set(at_ms(5_099));
    let end = run(&rig, &cache, DOWN).expect("kept");
    assert_eq!(end, Answer { value: 100, source: Source::Cached { age: Duration::from_millis(4_999) } });
    rig.runtime.clock().set(at_ms(5_100));
    assert_eq!(source(&run(&rig, &cache, Reply::Ok(0))), Source::Fresh { attempts: 1 });
    assert_eq!(rig.attempts.events().len(), 2);
}

#[test]
fn when_the_far_side_gives_none_a_stale_answer_is_served_and_says_its_age() {
    let (rig, cache) = (Rig::new(), cache(10));
    run(&rig, &cache, Reply::Ok(0)).expect("fresh");
    rig.runtime.clock().set(at_ms(60_000));
    rig.guard.breaker().force_open(rig.now());
    let end = run(&rig, &cache, Reply::Ok(0)).expect("stale");
    assert_eq!(end, Answer { value: 0, source: Source::Stale { age: Duration::from_mins(1) } });
    // Too old is no answer.
    rig.runtime.clock().set(at_ms(15 * 60_000));
    let end = run(&rig, &cache, Reply::Ok(0)).expect_err("too old");
    assert!(matches!(*end, GuardError::Rejected(_)), "{end}");
}

#[test]
fn a_failure_is_never_kept() {
    let (rig, cache) = (Rig::new(), cache(10));
    run(&rig, &cache, DOWN).expect_err("it fails");
    assert!(cache.is_empty());
    assert_eq!(source(&run(&rig, &cache, Reply::Ok(0))), Source::Fresh { attempts: 1 });
}

#[test]
fn what_is_forgotten_is_asked_for_again_and_weight_is_bounded() {
    let (rig, cache) = (Rig::new(), cache(3));
    for key in ["a", "b", "c", "d", "e"] {
        rig.runtime.block_on(ask(&rig, &cache, key, Reply::Ok(0))).expect("fresh");
        assert!(cache.weight() <= 3);
    }
    assert_eq!(cache.len(), 3);
    rig.runtime.block_on(ask(&rig, &cache, "e", Reply::Ok(0))).expect("kept or fresh");
    cache.forget(&"e");
    let end = rig.runtime.block_on(ask(&rig, &cache, "e", Reply::Ok(0)));
    assert_eq!(source(&end), Source::Fresh { attempts: 1 });
}

#[test]
fn an_answer_weighs_what_its_owner_says_and_never_nothing() {
    let settings = CacheSettings { max_weight: 10, expected_entries: 100 };
    let config = CacheConfig::try_new(settings).expect("valid settings");
    let (rig, cache) = (Rig::new(), Arc::new(Cache::new(config, |key: &&str, _| key.len() as u64)));
    for (key, together) in [("", 1), ("three", 6), ("four", 10)] {
        rig.runtime.block_on(ask(&rig, &cache, key, Reply::Ok(0))).expect("fresh");
        assert_eq!((cache.weight(), cache.is_empty()), (together, false));
    }
    rig.runtime.block_on(ask(&rig, &cache, "more", Reply::Ok(0))).expect("fresh");
    assert!(cache.weight() <= 10, "{}", cache.weight());
}

/// Starts calls for one key at these times, and gives their handles and where their ends will be.
fn start(rig: &Rig, cache: &Arc<Kept>, calls: &[(u64, Reply)]) -> (Vec<Task>, Arc<Recorder<(usize, End)>>) {
    let ends = Arc::new(Recorder::default());
    let tasks = calls.iter().enumerate().map(|(number, &(comes_ms, reply))| {
        let (call, told, runtime) = (ask(rig, cache, "key", reply), Arc::clone(&ends), rig.runtime.clone());
        let body = async move {
            runtime.sleep_until(at_ms(comes_ms)).await;
            told.record((number, call.await));
        };
        rig.runtime.spawn("caller", Box::pin(body))
    });
    (tasks.collect(), ends)
}

#[test]
fn calls_for_one_key_at_one_time_are_made_once_and_all_get_the_answer() {
    let (rig, cache) = (Rig::new(), cache(10));
    let (tasks, ends) = start(&rig, &cache, &[(0, Reply::Ok(1_000)), (1, Reply::Hangs), (999, Reply::Hangs)]);
    rig.runtime.block_on(async {
        for task in tasks {
            assert_eq!(task.await, TaskEnd::Finished);
        }
    });
    assert_eq!(rig.attempts.events().len(), 1);
    for (_, end) in ends.events() {
        assert_eq!(end.expect("the answer"), Answer { value: 1_000, source: Source::Fresh { attempts: 1 } });
    }
}

#[test]
fn all_who_joined_share_a_failure_too() {
    let (rig, cache) = (Rig::new(), cache(10));
    let invalid = Reply::Fails(100, ttm_guard::Disposition::Invalid);
    let (tasks, ends) = start(&rig, &cache, &[(0, invalid), (50, Reply::Ok(0))]);
    rig.runtime.block_on(async {
        for task in tasks {
            assert_eq!(task.await, TaskEnd::Finished);
        }
    });
    assert_eq!(rig.attempts.events().len(), 1);
    for (_, end) in ends.events() {
        assert!(matches!(*end.expect_err("shared"), GuardError::Failed { attempts: 1, .. }));
    }
}

#[test]
fn when_the_one_who_asks_is_cancelled_another_goes_on_in_its_place() {
    let (rig, cache) = (Rig::new(), cache(10));
    let (mut tasks, ends) = start(
        &rig,
        &cache,
        &[(0, Reply::Hangs), (10, Reply::Ok(100)), (20, Reply::Hangs), (550, Reply::Hangs)],
    );
    rig.runtime.block_on(rig.runtime.sleep_until(at_ms(500)));
    let asking = tasks.remove(0);
    asking.abort();
    rig.runtime.block_on(async {
        assert_eq!(asking.await, TaskEnd::Aborted);
        for task in tasks {
            assert_eq!(task.await, TaskEnd::Finished);
        }
    });
    // The second attempt had its turn long before, and was made when the first was cancelled.
    assert_eq!(rig.attempts.events().len(), 2);
    let values: Vec<_> = ends.events().into_iter().map(|(_, end)| end.expect("an answer").value).collect();
    assert_eq!(values, [600; 3], "also whoever came since");
}

#[test]
fn whoever_joins_waits_no_longer_than_its_own_deadline_and_leaves_no_trace() {
    let (rig, cache) = (Rig::new(), cache(10));
    let (tasks, _) = start(&rig, &cache, &[(0, Reply::Ok(2_000))]);
    rig.runtime.block_on(rig.runtime.sleep_until(at_ms(100)));
    let joined = ask_until(&rig, &cache, "key", Reply::Ok(0), at_ms(600));
    let end = rig.runtime.block_on(joined).expect_err("too late");
    assert!(matches!(*end, GuardError::TimedOut { attempts: 0 }), "{end}");
    assert_eq!(rig.now(), at_ms(600));
    rig.runtime.block_on(async {
        for task in tasks {
            task.await;
        }
    });
    assert_eq!(Arc::strong_count(&cache), 1);
    assert!(format!("{cache:?}").contains("flights: 0"), "{cache:?}");
}

#[test]
fn a_flight_that_everybody_left_is_cleared_away() {
    for calls in [&[(0, Reply::Hangs)][..], &[(0, Reply::Hangs), (1, Reply::Hangs)]] {
        let (rig, cache) = (Rig::new(), cache(10));
        let (tasks, _) = start(&rig, &cache, calls);
        rig.runtime.block_on(rig.runtime.sleep_until(at_ms(100)));
        tasks.iter().for_each(Task::abort);
        rig.runtime.block_on(async {
            for task in tasks {
                assert_eq!(task.await, TaskEnd::Aborted);
            }
        });
        assert!(format!("{cache:?}").contains("flights: 0"), "{cache:?}");
        assert_eq!(source(&run(&rig, &cache, Reply::Ok(0))), Source::Fresh { attempts: 1 });
    }
}

#[test]
fn impossible_settings_are_refused() {
    let errors =
        CacheConfig::try_new(CacheSettings { max_weight: 0, expected_entries: 0 }).expect_err("both");
    let keys: Vec<_> = errors.iter().map(|error| error.key).collect();
    assert_eq!(keys, ["max_weight", "expected_entries"]);
}
