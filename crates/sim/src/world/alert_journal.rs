//! What was told from memory, in a file of a simulated host: it survives every process of that host, and every fault of the
//! store.

use std::io;
use std::sync::Arc;

use parking_lot::Mutex;
use ttm_alert::{AlertJournal, Journal, Journalled};

/// The file.
#[derive(Clone, Debug, Default)]
pub struct SimAlertJournal(Arc<Mutex<Vec<Journalled>>>);

impl AlertJournal for SimAlertJournal {
    fn append(&self, sent: &Journalled) -> io::Result<()> {
        let mut kept = self.0.lock();
        let known = std::mem::take(&mut *kept);
        *kept = Journal::of(known.into_iter().chain([sent.clone()]), 0).sent;
        Ok(())
    }

    fn read(&self) -> io::Result<Journal> {
        Ok(Journal { sent: self.0.lock().clone(), torn: 0 })
    }

    fn clear(&self) -> io::Result<()> {
        self.0.lock().clear();
        Ok(())
    }

    fn set_aside(&self) -> io::Result<()> {
        self.clear()
    }
}
