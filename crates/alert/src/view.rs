//! An alert, as operators see it.

use ttm_kernel::Severity;

use crate::{AlertKey, AlertRecord, Identity, QuietId};

/// Why nobody is told of an alert.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hidden {
    /// A silence or a maintenance window.
    Quiet(QuietId),
    /// It is a consequence of this one, in whose message it is listed.
    Consequence(AlertKey),
    /// It keeps changing, and that has been told.
    Flapping,
    /// One of these kept it from being told until it was left; now it is over, unless that changes.
    Recovering,
}

/// An alert that is not inactive, or whose end has not been told everywhere.
#[derive(Clone, Debug, PartialEq)]
pub struct AlertView {
    /// Its id.
    pub id: Identity,
    /// Its life, its episodes and who knows of them.
    pub record: AlertRecord,
    /// How severe it is now; that of its last episode if it does not fire.
    pub severity: Severity,
    /// The limit of that severity; `None` for what has none.
    pub limit: Option<f64>,
    /// Why nobody is told of it; `None` if nothing keeps it from being told.
    pub hidden: Option<Hidden>,
}
