//! `[[alerts.routes]]`: which alerts go to channels of their own. A route that no alert ever takes is a mistake, which would be
//! noticed when the alert that it is for goes elsewhere.

use ttm_alert::defaults::check_labels;
use ttm_alert::{Labels, Matcher, Route};

use crate::config::Origin;
use crate::config::settings::reader::{Reader, Reported};
use crate::config::suggest::did_you_mean;

const SECTION: &str = "alerts.routes";

impl Reader<'_> {
    pub(super) fn routes(&mut self) -> Option<Vec<Route>> {
        let mut routes: Vec<Option<Route>> = Vec::new();
        for (nth, origin) in self.values.chosen(SECTION) {
            let section = format!("{SECTION}.{nth}");
            let route = self.route(&section, origin.clone());
            let first = route.as_ref().and_then(|route| {
                let covers =
                    |it: &Option<Route>| it.as_ref().is_some_and(|it| it.matcher.covers(&route.matcher));
                routes.iter().position(covers)
            });
            if let Some(first) = first {
                let message = format!(
                    "{section} is never reached: {SECTION}.{} matches all that it does, and the first that matches counts",
                    first + 1
                );
                self.refuse(origin, message);
            }
            routes.push(route);
        }
        routes.into_iter().collect()
    }

    fn route(&mut self, section: &str, origin: Origin) -> Option<Route> {
        let rule = self.if_set(&format!("{section}.match.rule"), None, |reader, name| {
            let rule = reader.text(name);
            if reader.is_rule(&rule) {
                return Some(Some(rule));
            }
            let near = did_you_mean(&rule, reader.rule_names());
            reader.refuse(reader.place(name), format!("{name} is {rule:?}, and there is no such rule{near}"));
            None
        });
        let severity = self.if_set(&format!("{section}.match.severity"), None, |reader, name| {
            reader.severity(name).map(Some)
        });
        let labels = self.labels(&format!("{section}.match.labels"));
        let labels = match (&rule, labels) {
            (Some(rule), Ok(Some(labels))) => self.possible(section, rule.as_deref(), labels).map(Some),
            (_, labels) => labels,
        };
        let name = format!("{section}.channels");
        let channels = if self.values.get(&name).is_some() {
            self.told(&name)
        } else {
            if !self.is_told(&name) {
                self.refuse(origin, format!("{name} is not set, expected names of channels"));
            }
            None
        };
        let matcher = Matcher { rule: rule?, severity: severity?, labels: labels.ok()? };
        Some(Route { matcher, channels: channels? })
    }

    /// The labels of a section, if there are any.
    fn labels(&mut self, section: &str) -> Result<Option<Labels>, Reported> {
        let pairs: Vec<(&str, &str)> = self
            .values
            .keys_in(section)
            .map(|label| (label, self.raw(&format!("{section}.{label}")).1))
            .collect();
        if pairs.is_empty() {
            return Ok(None);
        }
        // One by one first, to know which of them is wrong.
        let one = |pair: &&(&str, &str)| Labels::try_new([**pair]).is_err();
        let wrong = pairs.iter().find(one).or(pairs.first()).map(|(label, _)| format!("{section}.{label}"));
        match Labels::try_new(pairs) {
            Ok(labels) => Ok(Some(labels)),
            Err(error) => {
                let name = wrong.unwrap_or_default();
                self.refuse(self.place(&name), format!("{name}: {error}"));
                Err(Reported)
            }
        }
    }

    /// Labels that an alert of the rule can have, or of any rule if none is named.
    fn possible(&mut self, section: &str, rule: Option<&str>, labels: Labels) -> Result<Labels, Reported> {
        let series = rule.and_then(|rule| self.series_of(rule));
        let checked = check_labels(rule.map(|rule| (rule, series.as_deref())), &labels);
        checked.map(|()| labels).map_err(|wrong| {
            let name = format!("{section}.match.labels.{}", wrong.key);
            self.refuse(self.place(&name), format!("{name}: {wrong}"));
            Reported
        })
    }
}
