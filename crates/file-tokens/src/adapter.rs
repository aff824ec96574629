//! The source itself: looks until two looks are equal, then reads what the text says. It does not know when to look again.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::{Semaphore, TryAcquireError};
use ttm_kernel::Runtime;
use ttm_market::{Listing, Origin, TokenSource, TokenSourceError, parse_mints};

use crate::read::{Look, look};

/// Between two looks: longer than an editor takes from emptying a file to writing it.
const PAUSE: Duration = Duration::from_millis(100);
/// Looks before a file that never stays the same is given up until the next time.
const LOOKS: usize = 10;

/// The mints in a file.
pub struct FileTokenSource {
    path: Arc<Path>,
    runtime: Arc<dyn Runtime>,
    /// A file system that hangs holds one thread, however often it is asked.
    reading: Arc<Semaphore>,
}

impl FileTokenSource {
    /// The word of this kind of source.
    pub const ORIGIN: Origin = Origin::new("file");

    /// The file at this path, which is looked at only when it is listed.
    pub fn new(path: PathBuf, runtime: Arc<dyn Runtime>) -> Self {
        Self { path: path.into(), runtime, reading: Arc::new(Semaphore::new(1)) }
    }

    /// Whether the file can be used as it is now; blocks, and needs no runtime.
    ///
    /// # Errors
    /// What is wrong with it, in lines for a person.
    pub fn check(path: &Path) -> Result<(), String> {
        look(path).and_then(|text| read(path, &text)).map(drop).map_err(|error| error.to_string())
    }

    async fn look(&self) -> Look {
        let permit = match self.reading.clone().try_acquire_owned() {
            Ok(permit) => permit,
            Err(TryAcquireError::NoPermits | TryAcquireError::Closed) => {
                return Err(self.transient("the look before has not come back"));
            }
        };
        let path = self.path.clone();
        let looking = move || {
            let seen = look(&path);
            drop(permit);
            seen
        };
        #[expect(clippy::disallowed_methods, reason = "an adapter may block, and a file may")]
        let looked = tokio::task::spawn_blocking(looking).await;
        looked.unwrap_or_else(|error| Err(self.transient(&error.to_string())))
    }

    fn transient(&self, what: &str) -> TokenSourceError {
        TokenSourceError::Transient { message: format!("{}: {what}", self.path.display()) }
    }

    async fn steady(&self) -> Look {
        let mut seen = self.look().await;
        for _ in 1..LOOKS {
            self.runtime.sleep_until(self.runtime.now() + PAUSE).await;
            let again = self.look().await;
            if again == seen {
                return seen;
            }
            seen = again;
        }
        Err(self.transient("is being written all the time"))
    }
}

#[async_trait]
impl TokenSource for FileTokenSource {
    fn origin(&self) -> Origin {
        Self::ORIGIN
    }

    async fn list(&self) -> Result<Listing, TokenSourceError> {
        read(&self.path, &self.steady().await?)
    }
}

/// What the text of the file lists.
fn read(path: &Path, text: &str) -> Result<Listing, TokenSourceError> {
    let listing = parse_mints(text);
    let name = path.display().to_string();
    if let Some(message) = listing.unusable.complaint(&name, "none of it is used") {
        return Err(TokenSourceError::Unusable { message });
    }
    if listing.mints.is_empty() {
        let message = format!("{name}: contains no mints, expected at least one, one per line");
        return Err(TokenSourceError::Unusable { message });
    }
    Ok(listing)
}
