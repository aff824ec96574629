//! Where the tokens stand, and what else a work needs that replaces one that was lost: the machine publishes it, and the
//! next one begins with it. Nothing in here is judged or read by anything else.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::{Mutex, MutexGuard};
use ttm_kernel::Incarnation;
use ttm_market::{Mint, Token};

use crate::life::Author;
use crate::machine::{Boot, Carried, Standing};

/// As published last.
#[derive(Debug, Default)]
pub(crate) struct Places(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    /// The incarnations that may publish.
    admitted: BTreeMap<&'static str, Incarnation>,
    standings: BTreeMap<Mint, Standing>,
    carried: Option<Carried>,
}

impl Places {
    /// Takes what no older incarnation of this author publishes.
    pub(super) fn admit(&self, author: Author) {
        self.0.lock().admitted.insert(author.part, author.incarnation);
    }

    /// These tokens stand here now; the others stay where they are.
    pub(crate) fn post(&self, by: Author, standings: Vec<(Mint, Standing)>) {
        if let Some(mut kept) = self.of(by) {
            kept.standings.extend(standings);
        }
    }

    /// These tokens are gone.
    pub(crate) fn forget(&self, by: Author, mints: &[Mint]) {
        let Some(mut kept) = self.of(by) else { return };
        for mint in mints {
            kept.standings.remove(mint);
        }
    }

    /// What else there is to carry on.
    pub(crate) fn carry(&self, by: Author, carried: Carried) {
        if let Some(mut kept) = self.of(by) {
            kept.carried = Some(carried);
        }
    }

    /// What is kept, for an author that was not replaced.
    fn of(&self, by: Author) -> Option<MutexGuard<'_, Kept>> {
        let kept = self.0.lock();
        let newest = kept.admitted.get(by.part).copied();
        newest.is_none_or(|newest| by.incarnation >= newest).then_some(kept)
    }

    /// What the work on these tokens begins with: where the one before it was lost, if there was one.
    pub(crate) fn boot(&self, tokens: Vec<Arc<Token>>) -> Boot {
        let kept = self.0.lock();
        Boot { tokens, standings: kept.standings.clone(), carried: kept.carried.clone() }
    }
}
