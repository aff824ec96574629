//! The labels that alerts of this service can have, so that what is to match some of them is known to match nothing.

use std::collections::BTreeSet;

use ttm_kernel::Lane;

use super::{HEALTH, RESOURCES, SERIES};
use crate::Labels;

const LANES: &[&str] = &[Lane::Hot.as_str(), Lane::Cold.as_str()];
const STORES: &[&str] = &["store", "metrics store"];
/// That nothing is measured is told of who measures.
const OF_ABSENCE: &[&str] = &["collector"];

/// The labels whose values are known here. All others have what their owner calls its parts, APIs and the like.
const CLOSED: [(&str, &[&str]); 5] = [
    ("by", STORES),
    ("collector", &[HEALTH, RESOURCES]),
    ("group", LANES),
    ("lane", LANES),
    ("store", STORES),
];

/// A label that no alert can have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{told}")]
pub struct ImpossibleLabel {
    /// Its key.
    pub key: String,
    told: String,
}

/// Checks that there can be an alert with these labels: one of the rule with this name about this series, or of no series if it is
/// about absence; of any rule if none is named.
///
/// # Errors
/// The first label that none can have.
pub fn check_labels(rule: Option<(&str, Option<&str>)>, labels: &Labels) -> Result<(), ImpossibleLabel> {
    let of_series = |name: Option<&str>| match name {
        Some(name) => SERIES.iter().find(|series| series.name == name).map(|series| series.labels),
        None => Some(OF_ABSENCE),
    };
    let wrong = |key: &str, told| Err(ImpossibleLabel { key: key.to_owned(), told });
    // What is about a series that there is not is wrong in another way.
    let mut possible: Vec<&[&str]> = match rule {
        Some((_, series)) => of_series(series).into_iter().collect(),
        None => SERIES.iter().map(|series| series.labels).chain([OF_ABSENCE]).collect(),
    };
    if possible.is_empty() {
        return Ok(());
    }
    let known: BTreeSet<&str> = possible.concat().into_iter().collect();
    let list = known.iter().copied().collect::<Vec<_>>().join(", ");
    for (place, (key, value)) in labels.iter().enumerate() {
        if !known.contains(key) {
            let list = if list.is_empty() { "none" } else { &list };
            return wrong(
                key,
                match rule {
                    Some((rule, _)) => format!("alerts of {rule} have no label {key:?}; they have {list}"),
                    None => format!("no alert has the label {key:?}; there are {list}"),
                },
            );
        }
        possible.retain(|keys| keys.contains(&key));
        if possible.is_empty() {
            let beside: Vec<&str> = labels.iter().take(place).map(|(key, _)| key).collect();
            return wrong(key, format!("no alert has the label {key:?} beside {}", beside.join(" and ")));
        }
        let closed = CLOSED.iter().find(|(of, _)| *of == key);
        if let Some((_, values)) = closed.filter(|(_, values)| !values.contains(&value)) {
            let values = values.join(" or ");
            return wrong(key, format!("no alert has {value:?} as its {key}, expected {values}"));
        }
    }
    Ok(())
}
