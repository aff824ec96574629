//! A message as HTML: no script, no image, nothing from outside, and styles on the elements, since many readers drop all others.

use ttm_alert::words::{Markup, Text};

/// The markup of HTML.
struct Html;

impl Markup for Html {
    fn text(&self, text: &str) -> String {
        text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
    }

    fn strong(&self, text: &str) -> String {
        format!("<strong>{}</strong>", self.text(text))
    }

    fn code(&self, text: &str) -> String {
        format!("<code>{}</code>", self.text(text))
    }

    fn link(&self, address: &str) -> String {
        format!("<a href=\"{0}\">{0}</a>", self.text(address))
    }
}

/// The document. `note` is one paragraph more.
pub(crate) fn document(text: &Text, note: Option<&str>) -> String {
    let paragraph = |inside: String| format!("<p>{inside}</p>\n");
    let mut body = vec![paragraph(Html.strong(&text.title))];
    body.extend((!text.summary.is_empty()).then(|| paragraph(Html.text(&text.summary))));
    for section in &text.sections {
        let lines = section.lines.iter().map(|line| format!("<li>{}</li>\n", line.render(&Html)));
        body.push(paragraph(Html.strong(&section.heading)));
        body.push(format!("<ul>\n{}</ul>\n", lines.collect::<String>()));
    }
    body.extend(note.map(|note| paragraph(Html.text(note))));
    let body = body.concat();
    let reference = Html.text(&text.reference());
    let title = Html.text(&text.title);
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\"><title>{title}</title></head>\n\
         <body style=\"font-family: sans-serif\">\n{body}<p style=\"color: #666\">{reference}</p>\n</body>\n</html>\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_from_elsewhere_is_markup() {
        assert_eq!(Html.text("<b>\"&"), "&lt;b&gt;&quot;&amp;");
        assert_eq!(Html.link("https://h/?a&b"), "<a href=\"https://h/?a&amp;b\">https://h/?a&amp;b</a>");
    }
}
