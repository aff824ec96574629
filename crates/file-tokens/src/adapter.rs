//! The source: reads the file until two reads are equal, then parses it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::{Semaphore, TryAcquireError};
use ttm_kernel::Runtime;
use ttm_market::{Listing, Origin, TokenSource, TokenSourceError, parse_mints};

use crate::read::{Text, read_file};

/// The pause between two reads: longer than an editor takes between truncating a file and writing it.
const PAUSE: Duration = Duration::from_millis(100);
/// The number of reads before a file that keeps changing is given up until the next poll.
const READS: usize = 10;

/// The mints in a file.
pub struct FileTokenSource {
    path: Arc<Path>,
    runtime: Arc<dyn Runtime>,
    /// Limits a file system that hangs to one blocked thread, however often it is polled.
    reading: Arc<Semaphore>,
}

impl FileTokenSource {
    /// The origin of the tokens of this source.
    pub const ORIGIN: Origin = Origin::new("file");

    /// A source for the file at this path, which is read only when listed.
    pub fn new(path: PathBuf, runtime: Arc<dyn Runtime>) -> Self {
        Self { path: path.into(), runtime, reading: Arc::new(Semaphore::new(1)) }
    }

    /// Checks that the file is usable now; blocks, and needs no runtime.
    ///
    /// # Errors
    /// Its errors, as lines for a person.
    pub fn check(path: &Path) -> Result<(), String> {
        read_file(path).and_then(|text| parse(path, &text)).map(drop).map_err(|error| error.to_string())
    }

    async fn read(&self) -> Text {
        let permit = match self.reading.clone().try_acquire_owned() {
            Ok(permit) => permit,
            Err(TryAcquireError::NoPermits | TryAcquireError::Closed) => {
                return Err(self.transient("the previous read is still blocked"));
            }
        };
        let path = self.path.clone();
        let read = move || {
            let text = read_file(&path);
            drop(permit);
            text
        };
        #[expect(clippy::disallowed_methods, reason = "reading a file may block")]
        let text = tokio::task::spawn_blocking(read).await;
        text.unwrap_or_else(|error| Err(self.transient(&error.to_string())))
    }

    fn transient(&self, what: &str) -> TokenSourceError {
        TokenSourceError::Transient { message: format!("{}: {what}", self.path.display()) }
    }

    async fn read_until_stable(&self) -> Text {
        let mut text = self.read().await;
        for _ in 1..READS {
            self.runtime.sleep_until(self.runtime.now() + PAUSE).await;
            let again = self.read().await;
            if again == text {
                return text;
            }
            text = again;
        }
        Err(self.transient("keeps changing while it is read"))
    }
}

#[async_trait]
impl TokenSource for FileTokenSource {
    fn origin(&self) -> Origin {
        Self::ORIGIN
    }

    async fn list(&self) -> Result<Listing, TokenSourceError> {
        parse(&self.path, &self.read_until_stable().await?)
    }
}

/// Parses the text of the file.
fn parse(path: &Path, text: &str) -> Result<Listing, TokenSourceError> {
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
