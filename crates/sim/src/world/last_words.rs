//! The file beside the store of a simulated host: it survives every process of that host, and every fault of the store.

use std::io;
use std::sync::Arc;

use parking_lot::Mutex;
use ttm_recovery::{Entry, LastWords};

/// The file.
#[derive(Clone, Debug, Default)]
pub struct SimLastWords(Arc<Mutex<Vec<Entry>>>);

impl LastWords for SimLastWords {
    fn write(&self, entries: &[Entry]) -> io::Result<()> {
        let mut kept = self.0.lock();
        for entry in entries {
            entry.check().map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
            if kept.iter().all(|known| known.key != entry.key) {
                kept.push(entry.clone());
            }
        }
        kept.sort_by_key(|entry| entry.key);
        Ok(())
    }

    fn read(&self) -> io::Result<Vec<Entry>> {
        Ok(self.0.lock().clone())
    }

    fn clear(&self) -> io::Result<()> {
        self.0.lock().clear();
        Ok(())
    }

    fn set_aside(&self) -> io::Result<()> {
        self.clear()
    }
}
