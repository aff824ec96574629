//! Circles of imports between the top-level modules of a crate: of two modules, one at most may know the other.
//!
//! Reads tokens: paths that begin with `crate` or `super`, in macros as well. A name that the crate's root imports or
//! re-exports stands for its module; what a glob brings is not resolved, and what stands under `cfg(test)` does not count.

mod paths;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use petgraph::algo::tarjan_scc;
use petgraph::graphmap::DiGraphMap;
use proc_macro2::{TokenStream, TokenTree};

use crate::graph::Crate;
use paths::{heads, imports, is_path_separator, without_tests};

/// Gives the text of a file, by its path from the workspace's root, if there is such a file.
type Read<'a> = &'a dyn Fn(&Path) -> Option<String>;

/// The circles of all crates.
pub(super) fn check(crates: &[Crate], read: Read<'_>) -> Result<Vec<String>> {
    let mut problems = Vec::new();
    for each in crates {
        let source = Path::new(&each.folder).join("src");
        let root =
            ["lib.rs", "main.rs"].map(|name| source.join(name)).into_iter().find(|it| read(it).is_some());
        if let Some(root) = root {
            let circles = Uses::read(&root, read)?.circles();
            problems.extend(circles.into_iter().map(|circle| format!("{}: {circle}", each.name)));
        }
    }
    Ok(problems)
}

/// Which top-level module of a crate uses which other, and the first place where it does.
struct Uses(BTreeMap<(String, String), String>);

impl Uses {
    fn read(root: &Path, read: Read<'_>) -> Result<Self> {
        let tokens = tokens(root, read)?;
        let mut modules = BTreeMap::new();
        for pair in tokens.windows(2) {
            if let [TokenTree::Ident(word), TokenTree::Ident(name)] = pair
                && word == "mod"
            {
                modules.insert(name.to_string(), name.to_string());
            }
        }
        for (path, name) in imports(&tokens) {
            let first = path.iter().find(|segment| !matches!(&***segment, "crate" | "self"));
            if let Some(module) = first.and_then(|first| modules.get(first)).cloned() {
                modules.entry(name).or_insert(module);
            }
        }
        let mut walk = Walk { modules, read, uses: BTreeMap::new() };
        let folder = root.parent().context("a file lies in a folder")?.to_owned();
        walk.scan(&tokens, &Scope { file: root.to_owned(), folder, path: Vec::new() })?;
        Ok(Self(walk.uses))
    }

    /// One line for each set of modules that all come to one another.
    fn circles(&self) -> Vec<String> {
        let graph: DiGraphMap<&str, ()> = self.0.keys().map(|(from, to)| (&**from, &**to)).collect();
        let mut circles: Vec<String> = tarjan_scc(&graph)
            .into_iter()
            .filter(|circle| circle.len() > 1)
            .map(|circle| {
                let inside = |name: &str| circle.contains(&name);
                let uses = self.0.iter().filter(|((from, to), _)| inside(from) && inside(to));
                let shown: Vec<String> =
                    uses.map(|((from, to), place)| format!("{from} → {to} ({place})")).collect();
                format!("modules use one another in a circle: {}", shown.join(", "))
            })
            .collect();
        circles.sort();
        circles
    }
}

/// The tokens of a file, tests apart.
fn tokens(file: &Path, read: Read<'_>) -> Result<Vec<TokenTree>> {
    let text = read(file).with_context(|| format!("cannot read {}", file.display()))?;
    let tokens: TokenStream =
        text.parse().ok().with_context(|| format!("{} is not valid Rust", file.display()))?;
    Ok(without_tests(tokens))
}

/// A walk over the files of a crate.
struct Walk<'a> {
    /// The top-level module for each name at the crate's root.
    modules: BTreeMap<String, String>,
    read: Read<'a>,
    uses: BTreeMap<(String, String), String>,
}

/// Where some tokens stand.
struct Scope {
    file: PathBuf,
    /// Where the files of its modules lie.
    folder: PathBuf,
    /// Its module's path from the crate's root.
    path: Vec<String>,
}

impl Scope {
    fn inside(&self, module: &str) -> Self {
        let path = self.path.iter().cloned().chain([module.to_owned()]).collect();
        Self { file: self.file.clone(), folder: self.folder.join(module), path }
    }
}

impl Walk<'_> {
    fn scan(&mut self, tokens: &[TokenTree], scope: &Scope) -> Result<()> {
        let mut rest = tokens;
        while let Some((token, after)) = rest.split_first() {
            rest = after;
            match (token, after) {
                (TokenTree::Ident(word), [TokenTree::Ident(name), body, others @ ..]) if word == "mod" => {
                    let inside = scope.inside(&name.to_string());
                    match body {
                        TokenTree::Group(body) => self.scan(&Vec::from_iter(body.stream()), &inside)?,
                        _ => self.visit(inside)?,
                    }
                    rest = others;
                }
                (TokenTree::Ident(word), _) if word == "crate" => self.note(after, 0, scope),
                (TokenTree::Ident(word), _) if word == "super" => {
                    let mut up = 1;
                    while let [one, two, TokenTree::Ident(word), others @ ..] = rest
                        && is_path_separator(one, two)
                        && word == "super"
                    {
                        (rest, up) = (others, up + 1);
                    }
                    if let Some(depth) = scope.path.len().checked_sub(up) {
                        self.note(rest, depth, scope);
                    }
                }
                (TokenTree::Group(group), _) => self.scan(&Vec::from_iter(group.stream()), scope)?,
                _ => {}
            }
        }
        Ok(())
    }

    /// Goes on in a module that has a file of its own.
    fn visit(&mut self, scope: Scope) -> Result<()> {
        let [beside, within] = [scope.folder.with_extension("rs"), scope.folder.join("mod.rs")];
        let file = if (self.read)(&beside).is_some() { beside } else { within };
        let tokens = tokens(&file, self.read)?;
        self.scan(&tokens, &Scope { file, ..scope })
    }

    /// Notes what a path leads to that goes on after `crate` or the last `super`, from `depth` modules below the root.
    fn note(&mut self, path: &[TokenTree], depth: usize, scope: &Scope) {
        let ([one, two, path @ ..], 0, Some(from)) = (path, depth, scope.path.first()) else { return };
        if !is_path_separator(one, two) {
            return;
        }
        for head in heads(path) {
            let Some(to) = self.modules.get(&head.to_string()).filter(|to| *to != from) else { continue };
            let place = format!("{}:{}", scope.file.display(), head.span().start().line);
            self.uses.entry((from.clone(), to.clone())).or_insert(place);
        }
    }
}

#[cfg(test)]
mod tests;
