//! Where the tokens stand, and what else a work needs that replaces one that was lost: the machine publishes it, and the
//! next one begins with it. Nothing in here is judged or read by anything else.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;
use ttm_market::{Mint, Token};

use crate::machine::{Boot, Carried, Standing};

/// As published last.
#[derive(Debug, Default)]
pub(crate) struct Places(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    standings: BTreeMap<Mint, Standing>,
    carried: Option<Carried>,
}

impl Places {
    /// These tokens stand here now; the others stay where they are.
    pub(crate) fn post(&self, standings: Vec<(Mint, Standing)>) {
        self.0.lock().standings.extend(standings);
    }

    /// These tokens are gone.
    pub(crate) fn forget(&self, mints: &[Mint]) {
        let mut kept = self.0.lock();
        for mint in mints {
            kept.standings.remove(mint);
        }
    }

    /// What else there is to carry on.
    pub(crate) fn carry(&self, carried: Carried) {
        self.0.lock().carried = Some(carried);
    }

    /// What the work on these tokens begins with: where the one before it was lost, if there was one.
    pub(crate) fn boot(&self, tokens: Vec<Arc<Token>>) -> Boot {
        let kept = self.0.lock();
        Boot { tokens, standings: kept.standings.clone(), carried: kept.carried.clone() }
    }
}
