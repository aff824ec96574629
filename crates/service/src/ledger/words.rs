//! The local file, used on the io plane: a disk may take its time.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;
use ttm_kernel::Runtime;
use ttm_recovery::LastWords;

use crate::bounded::while_awake;
use crate::io::run_on;

/// The local file, if there is one. Clones share their turn.
#[derive(Clone)]
pub(super) struct Words {
    file: Option<Arc<dyn LastWords>>,
    /// The call that is under way has it: a disk that hangs takes one thread of the io plane, and must not take all.
    turn: Arc<Mutex<()>>,
    io: Arc<dyn Runtime>,
}

impl Words {
    pub(super) fn new(file: Option<Arc<dyn LastWords>>, io: &Arc<dyn Runtime>) -> Self {
        Self { file, turn: Arc::default(), io: io.clone() }
    }

    /// Makes a call once the one before is over, and gives both up after this long. `None` if there is no such file.
    pub(super) async fn call<T: Send + 'static>(
        &self,
        patience: Duration,
        call: impl FnOnce(&dyn LastWords) -> io::Result<T> + Send + 'static,
    ) -> Option<io::Result<T>> {
        let (file, turn) = (self.file.clone()?, self.turn.clone());
        let call = async {
            let turn = turn.lock_owned().await;
            let call = async move {
                let answer = call(&*file);
                drop(turn);
                answer
            };
            run_on(&*self.io, call).await
        };
        let answer = while_awake(&*self.io, self.io.now() + patience, call).await;
        Some(answer.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())))
    }
}
