//! Recoveries as a table: one a line if that fits the terminal. Else its cause goes to lines of its own, and if that is not enough
//! its steps do, too.

use anstyle::{AnsiColor, Style};
use jiff::Timestamp;
use serde_json::Value;
use textwrap::core::display_width;

use super::client::SENTENCE;
use super::output::{laid_out, printable};
use super::values::{duration, word};

const HEAD: [&str; 6] = ["ID", "WHEN (UTC)", "PART", "STEPS", "OUTCOME", "TOOK"];
const STEPS: usize = 3;
const OUTCOME: usize = 4;
const WITHHELD: &str = "withheld";
/// How far the lines below a row are indented.
const BELOW: &str = "    ";

/// The lines of the table, on a terminal of this width; without one a line is as long as it is.
pub(super) fn table(all: &[Value], terminal: Option<usize>) -> Vec<String> {
    let rows: Vec<([String; 6], String)> = all.iter().map(|one| (cells(one), cause(one))).collect();
    let fits = |columns: usize| terminal.is_none_or(|width| columns <= width);
    let widest = |column: usize| {
        let cells = rows.iter().map(|(cells, _)| display_width(&cells[column]));
        cells.chain([HEAD[column].len()]).max().unwrap_or_default()
    };
    let widths: [usize; 6] = std::array::from_fn(widest);
    let whole: usize = widths.iter().map(|width| width + 2).sum();
    let with_cause = rows.iter().all(|(_, cause)| fits(whole + display_width(cause)));
    let with_steps = fits(whole - 2);
    let row = |cells: &[String; 6], style: Style| {
        let cells = cells.iter().zip(widths).enumerate();
        let shown = cells.filter(|(column, _)| *column != STEPS || with_steps);
        shown.fold(String::new(), |line, (column, (cell, width))| {
            let style = if column == OUTCOME { style } else { Style::new() };
            format!("{line}{style}{cell:width$}{style:#}  ")
        })
    };
    let head = row(&HEAD.map(str::to_owned), Style::new());
    let mut lines = vec![if with_cause { format!("{head}CAUSE") } else { head.trim_end().to_owned() }];
    for (cells, cause) in &rows {
        let line = row(cells, style(&cells[OUTCOME]));
        if with_cause {
            lines.push(format!("{line}{cause}"));
            continue;
        }
        lines.push(line.trim_end().to_owned());
        // That a restart was withheld is said by the cause.
        let says_more = |steps: &&String| !with_steps && !["-", WITHHELD].contains(&steps.as_str());
        let steps = Some(&cells[STEPS]).filter(says_more);
        let below = steps.map_or_else(|| cause.clone(), |steps| format!("{steps}: {cause}"));
        lines.push(laid_out(BELOW, BELOW.len(), &below, terminal));
    }
    lines
}

fn cells(one: &Value) -> [String; 6] {
    let began = one["began_at"].as_str().and_then(|at| at.parse::<Timestamp>().ok());
    let when = began.map_or_else(|| "-".to_owned(), |at| at.strftime("%m-%d %H:%M:%S").to_string());
    let steps = one["steps"].as_array().map(Vec::as_slice).unwrap_or_default();
    let steps: Vec<String> = steps.iter().map(|step| step_word(&step["step"])).collect();
    let steps = match (steps.is_empty(), one["withheld_for"].is_null()) {
        (false, _) => steps.join(", "),
        (true, false) => WITHHELD.to_owned(),
        (true, true) => "-".to_owned(),
    };
    [word(&one["id"]), when, word(&one["subject"]), steps, outcome(one), duration(&one["duration_seconds"])]
}

pub(super) fn cause(one: &Value) -> String {
    printable(one["cause"].as_str().unwrap_or("-"), SENTENCE)
}

pub(super) fn outcome(one: &Value) -> String {
    if one["outcome"].is_null() { "under way".to_owned() } else { word(&one["outcome"]) }
}

pub(super) fn step_word(step: &Value) -> String {
    word(step).replace('_', " ")
}

pub(super) fn style(outcome: &str) -> Style {
    match outcome {
        "recovered" | "withdrawn" => AnsiColor::Green.on_default(),
        "escalated" => AnsiColor::Red.on_default(),
        _ => AnsiColor::Yellow.on_default(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn recoveries() -> [Value; 3] {
        let step = |step: &str| json!({"step": step});
        let steps = ["graceful", "emergency", "rebuild_plane", "end_process"].map(step);
        let one = json!({
            "id": "112-30", "began_at": "2026-11-29T16:00:00Z", "subject": "listing-profiles", "withheld_for": null,
            "cause": "it has not got on for 121 s", "outcome": "interrupted", "duration_seconds": 3_700.0,
            "steps": steps,
        });
        let mut withheld = one.clone();
        (withheld["steps"], withheld["withheld_for"]) = (json!([]), "dexscreener".into());
        withheld["cause"] =
            "restart withheld: parts that depend on dexscreener fail together, so it is taken to be away"
                .into();
        let mut ordered = one.clone();
        (ordered["steps"], ordered["outcome"]) = (json!([step("graceful")]), Value::Null);
        [one, withheld, ordered]
    }

    #[test]
    fn without_a_terminal_a_recovery_is_a_line() {
        let lines = table(&recoveries(), None);
        assert_eq!(lines.len(), 4, "{lines:#?}");
        assert!(lines[0].ends_with("OUTCOME      TOOK   CAUSE"), "{lines:#?}");
        assert!(
            lines[1].contains("listing-profiles  graceful, emergency, rebuild plane, end process  "),
            "{lines:#?}"
        );
        assert!(lines[1].ends_with("1h01m  it has not got on for 121 s"), "{lines:#?}");
    }

    #[test]
    fn no_line_is_wider_than_the_terminal() {
        for width in [80, 100, 120, 160, 240] {
            let lines = table(&recoveries(), Some(width));
            let widest = lines.iter().flat_map(|line| line.lines()).map(display_width).max();
            assert!(widest <= Some(width), "{width}: {lines:#?}");
            let shown = lines.join("\n");
            assert!(shown.contains("graceful, emergency, rebuild plane, end process"), "{width}: {lines:#?}");
            assert!(shown.contains("taken to be"), "{width}: {lines:#?}");
        }
        let plain: Vec<String> = table(&recoveries(), Some(80))
            .iter()
            .map(|line| anstream::adapter::strip_str(line).to_string())
            .collect();
        assert_eq!(
            plain,
            [
                "ID      WHEN (UTC)      PART              OUTCOME      TOOK",
                "112-30  11-29 16:00:00  listing-profiles  interrupted  1h01m",
                "    graceful, emergency, rebuild plane, end process: it has not got on for 121 s",
                "112-30  11-29 16:00:00  listing-profiles  interrupted  1h01m",
                "    restart withheld: parts that depend on dexscreener fail together, so it is\n    taken to be away",
                "112-30  11-29 16:00:00  listing-profiles  under way    1h01m",
                "    graceful: it has not got on for 121 s",
            ]
        );
    }

    #[test]
    fn a_row_has_the_steps_or_says_that_there_were_none_and_why() {
        let one = |steps: Value, withheld: Value, outcome: Value| {
            json!({
                "id": "12-3", "subject": "hot-group", "cause": "no progress for 2m", "began_at": "2026-11-29T03:14:07.5Z",
                "steps": steps, "withheld_for": withheld, "outcome": outcome, "duration_seconds": 34.5,
            })
        };
        let ladder = json!([{"step": "graceful"}, {"step": "rebuild_plane"}]);
        assert_eq!(
            cells(&one(ladder, Value::Null, "recovered".into())),
            ["12-3", "11-29 03:14:07", "hot-group", "graceful, rebuild plane", "recovered", "34.5s"]
        );
        let withheld = one(json!([]), "dexscreener".into(), Value::Null);
        assert_eq!((cells(&withheld)[3].as_str(), cells(&withheld)[4].as_str()), ("withheld", "under way"));
        assert_eq!(cells(&one(json!([]), Value::Null, Value::Null))[3], "-");
    }
}
