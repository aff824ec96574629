//! A file beside the store, used on the io plane: a disk may take its time.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;
use ttm_kernel::Runtime;

use crate::bounded::while_awake;
use crate::io::run_on;

/// The file behind a port, if there is one. Clones share their turn.
pub(crate) struct LocalFile<P: ?Sized> {
    port: Option<Arc<P>>,
    /// The call that is under way has it: a disk that hangs takes one thread of the io plane, and must not take all.
    turn: Arc<Mutex<()>>,
    io: Arc<dyn Runtime>,
}

impl<P: ?Sized + Send + Sync + 'static> LocalFile<P> {
    pub(crate) fn new(port: Option<Arc<P>>, io: &Arc<dyn Runtime>) -> Self {
        Self { port, turn: Arc::default(), io: io.clone() }
    }

    /// Makes a call once the one before is over, and gives both up after this long. `None` if there is no such file.
    pub(crate) async fn call<T: Send + 'static>(
        &self,
        patience: Duration,
        call: impl FnOnce(&P) -> io::Result<T> + Send + 'static,
    ) -> Option<io::Result<T>> {
        let (port, turn) = (self.port.clone()?, self.turn.clone());
        let call = async {
            let turn = turn.lock_owned().await;
            let call = async move {
                let answer = call(&*port);
                drop(turn);
                answer
            };
            run_on(&*self.io, call).await
        };
        let answer = while_awake(&*self.io, self.io.now() + patience, call).await;
        Some(answer.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())))
    }
}

impl<P: ?Sized> Clone for LocalFile<P> {
    fn clone(&self) -> Self {
        Self { port: self.port.clone(), turn: self.turn.clone(), io: self.io.clone() }
    }
}
