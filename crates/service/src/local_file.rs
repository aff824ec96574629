//! A file beside the store, used on the io plane: a disk may take its time.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;
use ttm_kernel::Runtime;

use crate::bounded::while_awake;
use crate::io::run_on;

/// The disk that all local files are on.
#[derive(Clone)]
pub(crate) struct Disk {
    /// The call that is under way has it, whichever file it is about: a disk that hangs takes one thread of the io plane, and must
    /// not take all.
    turn: Arc<Mutex<()>>,
    io: Arc<dyn Runtime>,
}

impl Disk {
    pub(crate) fn new(io: &Arc<dyn Runtime>) -> Self {
        Self { turn: Arc::default(), io: io.clone() }
    }

    /// The file behind this port, if there is one.
    pub(crate) fn file<P: ?Sized>(&self, port: Option<Arc<P>>) -> LocalFile<P> {
        LocalFile { port, disk: self.clone() }
    }
}

/// A file.
pub(crate) struct LocalFile<P: ?Sized> {
    port: Option<Arc<P>>,
    disk: Disk,
}

impl<P: ?Sized + Send + Sync + 'static> LocalFile<P> {
    /// Makes a call once the one before is over, and gives both up after this long. `None` if there is no such file.
    pub(crate) async fn call<T: Send + 'static>(
        &self,
        patience: Duration,
        call: impl FnOnce(&P) -> io::Result<T> + Send + 'static,
    ) -> Option<io::Result<T>> {
        let (port, turn) = (self.port.clone()?, self.disk.turn.clone());
        let call = async {
            let turn = turn.lock_owned().await;
            let call = async move {
                let answer = call(&*port);
                drop(turn);
                answer
            };
            run_on(&*self.disk.io, call).await
        };
        let answer = while_awake(&*self.disk.io, self.disk.io.now() + patience, call).await;
        Some(answer.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())))
    }
}

impl<P: ?Sized> Clone for LocalFile<P> {
    fn clone(&self) -> Self {
        Self { port: self.port.clone(), disk: self.disk.clone() }
    }
}
