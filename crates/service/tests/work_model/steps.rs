//! What may happen to the machine.

use proptest::prelude::*;
use ttm_kernel::Lane;
use ttm_service::machine::WorkSettings;

use crate::world::{BATCH, Says, other_settings};

/// Tokens that there may be.
pub(crate) const TOKENS: u32 = 14;

#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// Time passes, in milliseconds.
    Wait(u64),
    Upstream(State),
    /// The turn comes that the machine waits for.
    Turn,
    /// It is refused, for so many milliseconds.
    NoTurn(u64),
    /// One of the requests in flight ends.
    Answer(prop::sample::Index, Ending),
    /// The set of tokens is edited: those whose bit is set are in it.
    Edit(u32),
    Reset(Lane),
    /// A reset by an incarnation that is not newer.
    StaleReset(Lane),
    /// The machine is lost and replaced.
    Replace,
    /// So many of a hundred calls failed.
    Calls(u64),
    Reconfigure(Box<WorkSettings>),
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum State {
    Up,
    Away,
    Paused,
}

#[derive(Clone, Debug)]
pub(crate) enum Ending {
    /// With what upstream says of each token, in the order in which they were asked for.
    Found([Says; BATCH]),
    /// Upstream lists nothing at all.
    Nothing,
    Failed {
        may_be_the_tokens: bool,
    },
    Panicked,
}

fn says() -> impl Strategy<Value = Says> {
    prop_oneof![
        3 => Just(Says::Hot),
        3 => Just(Says::Cold),
        2 => Just(Says::Thin),
        2 => Just(Says::Missing),
        1 => Just(Says::Unreadable),
    ]
}

fn ending() -> impl Strategy<Value = Ending> {
    prop_oneof![
        8 => prop::array::uniform4(says()).prop_map(Ending::Found),
        2 => Just(Ending::Nothing),
        2 => prop::bool::weighted(0.3).prop_map(|may_be_the_tokens| Ending::Failed { may_be_the_tokens }),
        1 => Just(Ending::Panicked),
    ]
}

fn lane() -> impl Strategy<Value = Lane> {
    prop::sample::select(Lane::ALL.to_vec())
}

pub(crate) fn step() -> impl Strategy<Value = Step> {
    let wait = prop_oneof![4 => 0_u64..400, 4 => 0_u64..20_000, 1 => 0_u64..5_000_000];
    let state = prop_oneof![4 => Just(State::Up), 1 => Just(State::Away), 1 => Just(State::Paused)];
    prop_oneof![
        10 => wait.prop_map(Step::Wait),
        1 => state.prop_map(Step::Upstream),
        14 => Just(Step::Turn),
        1 => (0_u64..30_000).prop_map(Step::NoTurn),
        14 => (any::<prop::sample::Index>(), ending()).prop_map(|(which, ending)| Step::Answer(which, ending)),
        1 => any::<u32>().prop_map(Step::Edit),
        1 => lane().prop_map(Step::Reset),
        1 => lane().prop_map(Step::StaleReset),
        1 => Just(Step::Replace),
        1 => (0_u64..100).prop_map(Step::Calls),
        1 => other_settings().prop_map(|settings| Step::Reconfigure(Box::new(settings))),
    ]
}
