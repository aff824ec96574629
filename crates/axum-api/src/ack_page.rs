//! The page that a link in a message opens. To open it changes nothing, since mail filters and chats open links by themselves;
//! its button acknowledges the alert, if nobody else has. It has no script, and everything in it that is not its own is escaped.

use axum::Form;
use axum::extract::rejection::FormRejection;
use axum::extract::{FromRequest as _, Request, State};
use axum::http::{StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use ttm_alert::{Ack, AlertView, Case, EpisodeId, Identity, OrderRefused};

use crate::ack_links::BadLink;
use crate::alerts::name;
use crate::app::App;
use crate::dto::AcknowledgeFormDto;

/// Who acknowledges without a name.
const NOBODY: &str = "somebody with the link";

pub(crate) async fn show(State(app): State<App>, uri: Uri) -> Page {
    match linked(&app, &uri).await {
        Ok((view, _)) => about(&view),
        Err(page) => page,
    }
}

pub(crate) async fn acknowledge(State(app): State<App>, request: Request) -> Page {
    let uri = request.uri().clone();
    let (view, episode) = match linked(&app, &uri).await {
        Ok(linked) => linked,
        Err(page) => return page,
    };
    if seen_by(&view).is_some() {
        return about(&view);
    }
    // Not before: who has no link could otherwise keep many requests waiting for their bodies.
    let by = match Form::<AcknowledgeFormDto>::from_request(request, &app).await {
        Ok(Form(AcknowledgeFormDto { by })) => by,
        // A program that follows the link, and fills in no form.
        Err(FormRejection::InvalidFormContentType(_)) => String::new(),
        Err(refused) => {
            return Page::new(refused.status(), "Nothing was changed", "The form cannot be read.");
        }
    };
    let by = if by.trim().is_empty() { NOBODY } else { &by };
    let by = match name(by) {
        Ok(by) => by,
        Err(wrong) => return Page::new(StatusCode::BAD_REQUEST, "Nothing was changed", &wrong),
    };
    let Some(controls) = app.state.controls.get() else { return Page::starting() };
    match controls.alerts.acknowledge(view.id, Some(episode), by).await {
        // Somebody else was faster.
        Ok(ordered) if seen_by(&ordered.done).is_some_and(|seen| seen.by != by) => about(&ordered.done),
        Ok(ordered) => {
            let page = Page::new(
                if ordered.stored { StatusCode::OK } else { StatusCode::ACCEPTED },
                &format!("Acknowledged: {}", title(&view)),
                &format!("By {by}. It escalates no further unless it gets worse; its end is told."),
            );
            if ordered.stored {
                return page;
            }
            page.paragraph(
                "The store does not have that yet. It goes on being stored; if the process ends before that is done, the next \
                 one does not know of it.",
            )
        }
        // Its episode may have ended while the form was read.
        Err(error) => linked(&app, &uri).await.err().unwrap_or_else(|| Page::refused(view.id, &error)),
    }
}

/// The alert that a link is about, if its episode still lasts.
async fn linked(app: &App, uri: &Uri) -> Result<(AlertView, EpisodeId), Page> {
    let now = app.state.runtime.wall();
    let checked = app.config.ack_links.as_ref().ok_or(BadLink::Wrong).and_then(|links| links.check(uri, now));
    let (id, episode) = checked.map_err(Page::bad)?;
    let controls = app.state.controls.get().ok_or_else(Page::starting)?;
    let view = controls.alerts.alert(id).await.map_err(|error| Page::refused(id, &error))?;
    let newest = view.record.cases.last();
    match newest.filter(|case| case.episode.id == episode) {
        Some(Case { ended: None, .. }) => Ok((view, episode)),
        Some(Case { ended: Some((at, _)), .. }) => {
            Err(Page::over(&title(&view), &format!("It is over since {}.", time(*at))))
        }
        None => {
            let what =
                "What this link is about is over. If it fires anew, the next message has a link of its own.";
            Err(Page::over(&title(&view), what))
        }
    }
}

fn about(view: &AlertView) -> Page {
    let page = Page::new(StatusCode::OK, &title(view), "");
    let Some(case) = view.record.cases.last() else { return page };
    let page = page.paragraph(&format!("It fires since {}.", time(case.episode.started)));
    let page = match &case.ack {
        Some(ack) => page.paragraph(&format!("{} has acknowledged it, {}.", ack.by, time(ack.at))),
        None => page.paragraph("Nobody has acknowledged it."),
    };
    if seen_by(view).is_some() {
        return page.command("This takes it over:", &format!("ttm alerts ack {}", view.id));
    }
    page.button()
}

/// Who has acknowledged it as severe as it is: whoever follows a link takes nothing over.
fn seen_by(view: &AlertView) -> Option<&Ack> {
    let ack = view.record.cases.last().and_then(|case| case.ack.as_ref());
    ack.filter(|ack| ack.severity >= view.severity)
}

/// As `CRITICAL: store_down{store=state}`.
fn title(view: &AlertView) -> String {
    format!("{}: {}", view.severity, view.record.key)
}

fn time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// A small page.
#[derive(Debug)]
pub(crate) struct Page {
    status: StatusCode,
    title: String,
    /// HTML.
    body: String,
}

impl Page {
    fn new(status: StatusCode, title: &str, text: &str) -> Self {
        let page = Self { status, title: escaped(title), body: String::new() };
        if text.is_empty() { page } else { page.paragraph(text) }
    }

    fn with(self, html: &str) -> Self {
        Self { body: self.body + html, ..self }
    }

    fn paragraph(self, text: &str) -> Self {
        self.with(&format!("<p>{}</p>\n", escaped(text)))
    }

    fn command(self, text: &str, command: &str) -> Self {
        self.paragraph(text).with(&format!("<pre>{}</pre>\n", escaped(command)))
    }

    /// The form goes to the address of the page, which has the signature.
    fn button(self) -> Self {
        self.with(
            "<form method=\"post\">\n\
             <p><label>Your name (optional) <input name=\"by\" maxlength=\"100\" autocomplete=\"name\"></label></p>\n\
             <p><button>Acknowledge</button></p>\n\
             </form>\n",
        )
        .paragraph("It then escalates no further unless it gets worse; its end is told all the same.")
    }

    fn bad(link: BadLink) -> Self {
        match link {
            BadLink::Wrong => Self::new(
                StatusCode::FORBIDDEN,
                "This link is not valid",
                "It was not made by this service, or with another secret, or it is not complete.",
            )
            .command("This lists the alerts, with their ids:", "ttm alerts list"),
            BadLink::Expired(id) => {
                Self::new(StatusCode::FORBIDDEN, "This link has expired", "It was valid for some days.")
                    .command("This acknowledges the alert:", &format!("ttm alerts ack {id}"))
            }
        }
    }

    fn starting() -> Self {
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "Not yet",
            "The service is starting. Try again in a moment.",
        )
    }

    fn over(title: &str, text: &str) -> Self {
        Self::new(StatusCode::GONE, title, text)
    }

    fn refused(id: Identity, error: &OrderRefused) -> Self {
        match error {
            OrderRefused::Unknown { .. } => {
                Self::over("It is over", "What this link is about is over, and everybody knows.")
            }
            OrderRefused::Impossible(why) => Self::new(StatusCode::CONFLICT, "Nothing was changed", why),
            OrderRefused::NotNow(_) | OrderRefused::Store(_) => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "Nothing was changed", &error.to_string())
                    .command("Try again in a moment, or with this:", &format!("ttm alerts ack {id}"))
            }
        }
    }
}

impl IntoResponse for Page {
    fn into_response(self) -> Response {
        let Self { status, title, body } = self;
        let html = format!(
            "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width\">\n\
             <meta name=\"color-scheme\" content=\"light dark\">\n<title>{title}</title>\n</head>\n<body>\n\
             <h1>{title}</h1>\n{body}</body>\n</html>\n"
        );
        (status, [(header::CONTENT_TYPE, "text/html; charset=utf-8")], html).into_response()
    }
}

/// Text as HTML.
fn escaped(text: &str) -> String {
    let mut html = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            '\'' => html.push_str("&#39;"),
            c if c.is_control() => html.push(' '),
            c => html.push(c),
        }
    }
    html
}
