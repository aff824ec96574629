//! What was probably meant by a key, a section or a variable that is unknown.

use super::key::{ENV_PREFIX, KEYS, Key, NTH, filled, is_below, not_a_name, variable_of};

/// The largest edit distance of a suggestion.
const NEAR: usize = 3;
/// The most keys of a section that are listed.
const LISTED: usize = 12;
/// The most characters of a name that are shown where it is too long to be one.
const SHOWN: usize = 64;

/// Whether a variable has our prefix, in any case, and is not one that another program sets.
pub(super) fn is_ours(name: &str) -> bool {
    let upper = name.to_uppercase();
    let Some(rest) = upper.strip_prefix(ENV_PREFIX) else { return false };
    // Those of the tests, and those that Kubernetes sets for a service named ttm.
    let others = rest.starts_with("TEST_")
        || rest == "SERVICE_HOST"
        || rest.starts_with("SERVICE_PORT")
        || rest == "PORT"
        || rest.strip_prefix("PORT_").is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
    !others
}

/// The message for an unknown variable with our prefix.
pub(super) fn unknown_variable(name: &str) -> String {
    let of_ours = name.strip_prefix(ENV_PREFIX).filter(|rest| rest.contains("__"));
    let of_ours = of_ours.map(|rest| rest.to_lowercase().replace("__", "."));
    if of_ours.as_deref().and_then(Key::find).is_some_and(|key| key.name.contains(NTH)) {
        return "a list of tables, which is set in the file alone".to_owned();
    }
    let is_named = of_ours.as_deref().is_none_or(|full| not_a_name(full).is_none());
    let meant = KEYS.iter().filter_map(|key| meant(key, name)).max_by_key(|(length, _)| *length);
    match (meant.filter(|_| is_named), of_ours) {
        (Some((_, meant)), _) => return format!("unknown variable; did you mean {meant}?"),
        (None, Some(full)) => return unknown_key(&full),
        (None, None) => {}
    }
    let distance = |variable: &String| strsim::levenshtein(&squeezed(variable), &squeezed(name));
    let near = KEYS.iter().filter_map(Key::variable).min_by_key(distance);
    match near.filter(|near| distance(near) <= NEAR) {
        Some(near) => format!("unknown variable; did you mean {near}?"),
        None => "unknown variable; `ttm config schema` lists the known ones".to_owned(),
    }
}

fn squeezed(name: &str) -> String {
    name.to_uppercase().replace("__", "_")
}

/// The variable of this key that differs from `name` in case and underscores alone, and how much of it is not the user's choice.
fn meant(key: &Key, name: &str) -> Option<(usize, String)> {
    let (variable, name) = (key.variable()?, squeezed(name));
    let Some((before, after)) = variable.split_once('*') else {
        return (squeezed(&variable) == name).then_some((variable.len(), variable));
    };
    let chosen = name.strip_prefix(&squeezed(before))?.strip_suffix(&squeezed(after))?;
    let meant = format!("{before}{chosen}{after}");
    variable_of(&Key::of_variable(&meant)?).map(|meant| (variable.len(), meant))
}

/// The message for an unknown key, with the key or section that was probably meant.
pub fn unknown_key(name: &str) -> String {
    if let Some((section, segment)) = not_a_name(name) {
        let shown: String = segment.chars().take(SHOWN).collect();
        return format!(
            "{section} has the name {shown:?}, expected 1 to 64 lower-case letters, digits and single underscores between them"
        );
    }
    let lower = name.to_lowercase();
    // A variable means the key that it sets.
    let lower = lower.strip_prefix("ttm_").map_or(lower.clone(), |rest| rest.replace("__", "."));
    let keys: Vec<String> =
        KEYS.iter().filter(|key| is_below(key.name, &lower)).map(|key| filled(key.name, &lower)).collect();
    if !keys.is_empty() && lower != name {
        return format!("unknown key {name}; did you mean {lower}?");
    }
    if !keys.is_empty() {
        let more = keys.len().saturating_sub(LISTED);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        let listed = keys[..keys.len().min(LISTED)].join(", ");
        return format!("{name} is a section, not a key; its keys are {listed}{more}");
    }
    let last = |name: &str| name.rsplit('.').next().unwrap_or_default().to_owned();
    let sections = KEYS.iter().map(|key| key.split().0);
    let names = KEYS.iter().map(|key| key.name).chain(sections).map(|known| filled(known, &lower));
    // What stays open at the end of a section is no part of its name.
    let names = names.map(|known| known.trim_end_matches(['.', '*', '#']).to_owned());
    let near = names.map(|known| (strsim::levenshtein(&known, &lower), known)).min();
    let same_end = KEYS.iter().map(|key| key.name).find(|key| last(key) == last(&lower));
    match (near, same_end) {
        // Every name is close to one of three letters.
        (Some((distance, near)), _) if distance <= NEAR && distance * 2 < lower.len() => {
            format!("unknown key {name}; did you mean {near}?")
        }
        (_, Some(near)) => format!("unknown key {name}; did you mean {near}?"),
        _ => format!("unknown key {name}; `ttm config schema` lists the keys"),
    }
}

/// What was meant by a name that is none of these, as the end of a message; empty if nothing is like it.
pub(super) fn did_you_mean<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    let distance = |known: &str| match strsim::osa_distance(known, name) {
        distance if distance <= NEAR && distance * 2 < name.len() => Some(distance),
        _ if !name.is_empty() && known.starts_with(name) => Some(NEAR + 1),
        _ => None,
    };
    let near = known.into_iter().filter_map(|known| Some((distance(known)?, known))).min();
    near.map_or_else(String::new, |(_, near)| format!("; did you mean {near}?"))
}
