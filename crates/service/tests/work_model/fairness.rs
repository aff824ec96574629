//! Nothing starves: how long any token waits, with turns enough and with too few.

use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::*;
use ttm_dispatch::{Ask, Single};
use ttm_kernel::{Lane, Moment, PerLane};
use ttm_market::Mint;
use ttm_service::machine::{Answer, Effect, Found, Machine};

use crate::stage::Asked;
use crate::world::{self, Says, mint, token};

/// One turn.
const TURN: Duration = Duration::from_millis(200);

/// The longest time between two requests for the same token, and the longest cycle that the plan promised, by lane.
struct Waits {
    longest: PerLane<Duration>,
    promised: PerLane<Duration>,
}

/// Works on `hot` and `cold` tokens for a quarter of an hour, with a request every [`TURN`] that is answered at once.
fn work(hot: u32, cold: u32) -> Waits {
    let says = |of: Mint| if of < mint(hot) { Says::Hot } else { Says::Cold };
    let settings = world::settings(world::dispatch());
    let mut machine =
        Machine::boot(settings, world::first((0..hot + cold).map(token)), world::at(Duration::ZERO));
    let mut asked_at: BTreeMap<Mint, Moment> = BTreeMap::new();
    let mut waits = Waits { longest: PerLane::default(), promised: PerLane::default() };
    for turn in 0..4_500 {
        let now = world::at(TURN * turn);
        machine.handle_timeout(now);
        while let Some(effect) = machine.poll_effect() {
            if let Effect::Plan { facts, .. } = effect {
                waits.promised.hot = waits.promised.hot.max(facts.hot.cycle);
                waits.promised.cold = waits.promised.cold.max(facts.cold.cycle);
            }
        }
        machine.wants_turn(now);
        let Some((id, request)) = machine.poll_request(now) else { continue };
        let asked = Asked { id, request };
        if !matches!(asked.request.ask, Ask::One(_, Single::List)) {
            for mint in asked.mints() {
                let lane = if says(mint) == Says::Hot { Lane::Hot } else { Lane::Cold };
                // In the first minutes every token is cold.
                if let Some(before) = asked_at.insert(mint, now.moment)
                    && turn > 1_500
                {
                    waits.longest[lane] = waits.longest[lane].max(now.moment - before);
                }
            }
        }
        let found = Found { seen: asked.seen(&says), ..Found::default() };
        machine.handle_answer(asked.id, Answer::Found(found), now);
    }
    // One that is not asked for at all waits, too.
    let end = world::at(TURN * 4_500).moment;
    for (of, before) in asked_at {
        let lane = if says(of) == Says::Hot { Lane::Hot } else { Lane::Cold };
        waits.longest[lane] = waits.longest[lane].max(end - before);
    }
    waits
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_token_is_asked_for_within_the_cycle_that_the_plan_promises(hot in 0_u32..300, cold in 1_u32..60) {
        let Waits { longest, promised } = work(hot, cold);
        for lane in Lane::ALL {
            // The least valuable may be a quarter older, and a round begins with a tick.
            let bound = promised[lane].mul_f64(1.25) + Duration::from_secs(11);
            prop_assert!(longest[lane] <= bound, "{lane}: {:?} of {:?}", longest[lane], promised[lane]);
        }
    }
}
