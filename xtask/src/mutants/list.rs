//! The lists of mutants, as the crates write them, and how one breaks a file. It builds and runs nothing.

use std::fmt;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};

use crate::graph::{CHECKERS, Crate};
use crate::process;

/// Where a crate lists its mutants.
const LIST: &str = "tests/mutants.toml";

/// One way to break a crate.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Mutant {
    /// The rule that it breaks, or what happens instead.
    pub(super) breaks: String,
    /// The file, relative to the crate's folder.
    pub(super) file: String,
    find: String,
    replace: String,
    /// The test program that must fail.
    pub(super) program: Program,
}

/// A test program of a crate.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Program {
    pub(super) package: String,
    /// The crate's folder, relative to the root.
    pub(super) folder: String,
    /// `lib`, or the name of one in `tests/`.
    pub(super) name: String,
}

impl Program {
    #[cfg(test)]
    pub(super) fn named(package: &str) -> Self {
        Self { package: package.to_owned(), folder: String::new(), name: "lib".to_owned() }
    }

    /// The model checker that it is built for, if it is.
    pub(super) fn checker(&self) -> Option<&'static str> {
        CHECKERS.into_iter().find(|checker| *checker == self.name)
    }
}

impl fmt::Display for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.package, self.name)
    }
}

impl fmt::Display for Mutant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.program.package, self.breaks)
    }
}

/// The mutants of all crates.
pub(crate) fn read(crates: &[Crate]) -> Result<Vec<Mutant>> {
    let mut mutants = Vec::new();
    for each in crates {
        let list = process::root().join(&each.folder).join(LIST);
        if list.is_file() {
            let text = fs::read_to_string(&list)?;
            mutants
                .extend(parse(&each.name, &each.folder, &text).with_context(|| list.display().to_string())?);
        }
    }
    Ok(mutants)
}

/// Every mutant that breaks no place, or several, one line each. `text` gives the text of a file by its path from the
/// workspace's root.
pub(crate) fn misplaced(mutants: &[Mutant], text: impl Fn(&Path) -> Result<String>) -> Vec<String> {
    let broken = |mutant: &Mutant| {
        text(&Path::new(&mutant.program.folder).join(&mutant.file)).and_then(|whole| mutant.broken(&whole))
    };
    mutants.iter().filter_map(|mutant| Some(format!("{mutant}: {:#}", broken(mutant).err()?))).collect()
}

fn parse(package: &str, folder: &str, text: &str) -> Result<Vec<Mutant>> {
    let table: toml::Table = text.parse()?;
    let list = table.get("mutant").and_then(toml::Value::as_array).context("there is no [[mutant]]")?;
    list.iter()
        .map(|mutant| {
            let field = |name: &str| {
                let value = mutant.get(name).and_then(toml::Value::as_str);
                value.map(str::to_owned).with_context(|| format!("a mutant has no `{name}`: {mutant:?}"))
            };
            let name = field("noticed_by")?;
            Ok(Mutant {
                breaks: field("breaks")?,
                file: field("file")?,
                find: field("find")?,
                replace: field("replace")?,
                program: Program { package: package.to_owned(), folder: folder.to_owned(), name },
            })
        })
        .collect()
}

impl Mutant {
    /// The file's text with the one place replaced.
    pub(super) fn broken(&self, whole: &str) -> Result<String> {
        match whole.matches(&self.find).count() {
            1 => Ok(whole.replace(&self.find, &self.replace)),
            places => bail!("{} holds {:?} {places} times, expected once", self.file, self.find),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LISTED: &str = r#"
        [[mutant]]
        breaks = "the bound"
        file = "src/a.rs"
        find = "a < b"
        replace = "a <= b"
        noticed_by = "laws"
    "#;

    #[test]
    fn a_mutant_is_read_with_all_that_it_needs() -> Result<()> {
        let mutants = parse("ttm-a", "crates/a", LISTED)?;
        assert_eq!(mutants[0].to_string(), "ttm-a: the bound");
        assert_eq!(mutants[0].program.to_string(), "ttm-a: laws");
        let error = parse("ttm-a", "crates/a", "[[mutant]]\nbreaks = \"x\"\nnoticed_by = \"lib\"\n");
        let error = error.expect_err("it names no file");
        assert!(error.to_string().starts_with("a mutant has no `file`"), "{error}");
        Ok(())
    }

    #[test]
    fn a_mutant_breaks_exactly_one_place() -> Result<()> {
        let mutant = parse("ttm-a", "crates/a", LISTED)?.remove(0);
        assert_eq!(mutant.broken("if a < b {}")?, "if a <= b {}");
        for wrong in ["if a > b {}", "a < b && a < b"] {
            mutant.broken(wrong).expect_err("not one place");
        }
        Ok(())
    }

    #[test]
    fn a_mutant_whose_place_is_gone_is_found_without_a_build() -> Result<()> {
        let mutants = parse("ttm-a", "crates/a", LISTED)?;
        let check = |whole: &str| {
            misplaced(&mutants, |file| {
                assert_eq!(file, Path::new("crates/a/src/a.rs"));
                Ok(whole.to_owned())
            })
        };
        assert_eq!(check("a < b"), [""; 0]);
        assert_eq!(check("a > b"), ["ttm-a: the bound: src/a.rs holds \"a < b\" 0 times, expected once"]);
        Ok(())
    }
}
