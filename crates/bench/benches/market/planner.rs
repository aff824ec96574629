//! Planning the requests: for a million tokens, compared with a thousand.

use std::hint::black_box;
use std::sync::Mutex;
use std::time::Duration;

use ttm_bench::{Row, Subject};
use ttm_dispatch::{Ask, DispatchConfig, Dispatcher, End, Place, Seen, Value};
use ttm_kernel::{Lane, Moment};
use ttm_market::Mint;
use ttm_market::synthetic::SyntheticMarket;

/// A call takes a batch of thirty tokens and puts them back into the queue.
pub(crate) fn row() -> Row {
    let thousand = Subject::each("of a thousand", planner(1_000));
    Row::new("ask 30 of a million", 1, Subject::each("ours", planner(1_000_000)))
        .peers([thousand])
        .target(1.2, "of a thousand")
}

fn planner(tokens: usize) -> impl Fn(u64) -> bool + Send + Sync + 'static {
    let mut dispatcher = Dispatcher::new(DispatchConfig::default());
    for mint in SyntheticMarket::new(1, tokens).mints() {
        dispatcher.put(mint, place(&mint), None);
    }
    let state = Mutex::new((dispatcher, Moment::from_origin(Duration::from_hours(1))));
    move |_| {
        let (dispatcher, now) = &mut *state.lock().expect("nothing panics while it holds the lock");
        // When the queue is exhausted, the next tick is late enough for all tokens to be due again.
        if !dispatcher.is_ready(*now) {
            *now += Duration::from_mins(1);
            for lane in Lane::ALL {
                dispatcher.tick(lane, *now);
            }
            *now += Duration::from_millis(200);
        }
        ask(dispatcher, *now)
    }
}

/// A constant place for each token, so that the queues are the same in every round.
fn place(mint: &Mint) -> Place {
    let chance = usize::from(mint.as_bytes()[0]);
    Place { lane: Lane::ALL[chance % 2], value: Value::ALL[chance / 2 % 4] }
}

fn ask(dispatcher: &mut Dispatcher<Mint>, now: Moment) -> bool {
    let Some(request) = dispatcher.poll(now) else { return false };
    dispatcher.handle_done(&request, End::Answered, now);
    let Ask::Batch(asked) = black_box(request).ask else { return false };
    for asked in asked {
        dispatcher.put(asked.key, place(&asked.key), Some(Seen::at(now)));
    }
    true
}
