//! Edits of the set of tokens, on their way from the watch over the store to the work.
//!
//! The newest set is kept until the work says that it has applied it, so that one which is replaced in between leaves it to
//! the next: a set names all tokens, and applying one twice changes nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use tokio::sync::watch;
use ttm_kernel::Incarnation;
use ttm_market::Token;

/// Where the set waits.
#[derive(Debug)]
pub(crate) struct Edits {
    newest: watch::Sender<Option<Edit>>,
    /// The incarnation of the work that may say what is applied.
    reader: AtomicU32,
}

/// All tokens of the store, as of an edit.
#[derive(Clone, Debug)]
pub(crate) struct Edit {
    /// Counts the edits of the store.
    pub(crate) revision: u64,
    pub(crate) tokens: Arc<Vec<Token>>,
}

/// Takes the sets.
pub(crate) struct EditReader(watch::Receiver<Option<Edit>>);

impl Edits {
    pub(crate) fn new() -> Self {
        Self { newest: watch::Sender::new(None), reader: AtomicU32::new(0) }
    }

    /// The set was edited; one that was not applied yet is superseded by this one.
    pub(crate) fn post(&self, edit: Edit) {
        self.newest.send_replace(Some(edit));
    }

    /// The set as of this edit is on the board: it need not be kept any more. What a work says that was replaced is ignored:
    /// the next one may have begun with the board as it was before.
    pub(crate) fn applied(&self, revision: u64, by: Incarnation) {
        self.newest.send_if_modified(|edit| {
            if by.number() == self.reader.load(Ordering::Acquire) {
                edit.take_if(|edit| edit.revision == revision);
            }
            // Readers that wait have nothing to see.
            false
        });
    }

    /// A reader that has seen none, for this incarnation of the work. To be made before that looks at the board.
    pub(crate) fn reader(&self, of: Incarnation) -> EditReader {
        self.reader.fetch_max(of.number(), Ordering::AcqRel);
        let mut reader = self.newest.subscribe();
        reader.mark_changed();
        EditReader(reader)
    }
}

impl EditReader {
    /// The next edit. Never completes once the edits are gone.
    pub(crate) async fn next(&mut self) -> Edit {
        loop {
            if self.0.changed().await.is_err() {
                return std::future::pending().await;
            }
            if let Some(edit) = self.0.borrow_and_update().clone() {
                return edit;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use super::*;

    fn next(reader: &mut EditReader) -> Option<u64> {
        match pin!(reader.next()).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(edit) => Some(edit.revision),
            Poll::Pending => None,
        }
    }

    fn edit(revision: u64) -> Edit {
        Edit { revision, tokens: Arc::default() }
    }

    #[test]
    fn an_edit_that_was_not_applied_is_left_to_the_next_reader() {
        let edits = Edits::new();
        let (first, second) = (Incarnation::FIRST, Incarnation::FIRST.next());
        let mut lost = edits.reader(first);
        assert_eq!(next(&mut lost), None);
        edits.post(edit(1));
        edits.post(edit(2));
        assert_eq!((next(&mut lost), next(&mut lost)), (Some(2), None), "the newest is all there is");
        let mut reader = edits.reader(second);
        edits.applied(2, first);
        assert_eq!(next(&mut reader), Some(2), "the one that said so was replaced");
        edits.applied(1, second);
        assert_eq!(next(&mut edits.reader(second)), Some(2), "another one was applied");
        edits.applied(2, second);
        assert_eq!((next(&mut edits.reader(second)), next(&mut reader)), (None, None));
        edits.post(edit(3));
        assert_eq!(next(&mut reader), Some(3));
    }
}
