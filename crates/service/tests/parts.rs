//! The table of parts and the one in ARCHITECTURE.md are the same.

use std::fs;

use ttm_service::{PARTS, Part, ServiceSettings};

fn row(part: &Part) -> String {
    let depends_on = if part.depends_on.is_empty() { "–".to_owned() } else { part.depends_on.join(", ") };
    // With the defaults.
    let patience = format!("{} s", part.patience(&ServiceSettings::default()).as_secs());
    let cells = [
        part.name,
        part.plane.as_str(),
        if part.critical { "yes" } else { "no" },
        &depends_on,
        &patience,
        part.stage.as_str(),
        part.on_stop.as_str(),
        part.progress.as_str(),
    ];
    format!("| {} |", cells.join(" | "))
}

#[test]
fn the_documented_table_of_parts_is_the_table() {
    // Tests run in the folder of their crate.
    let text = fs::read_to_string("../../ARCHITECTURE.md").expect("it is in the repository");
    let table = text.split("\n## Parts\n").nth(1).expect("a section `Parts`");
    let rows =
        table.lines().skip_while(|line| !line.starts_with('|')).take_while(|line| line.starts_with('|'));
    let documented: Vec<&str> = rows.skip(2).collect();
    assert_eq!(documented, PARTS.iter().map(row).collect::<Vec<_>>());
}
