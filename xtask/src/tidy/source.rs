//! Rules for Rust files: an opening that says what the file is, a readable length, nothing unfinished, nothing
//! skipped, and no `select!` that picks branches at random.
//!
//! Works on tokens, so comments and strings are not looked at.

use std::path::Path;

use proc_macro2::{Delimiter, TokenStream, TokenTree};

use super::problem::Problem;

/// The longest file, tests included.
const MOST_LINES: usize = 400;
/// Macros that mark unfinished work.
const UNFINISHED: [&str; 3] = ["todo", "unimplemented", "dbg"];
/// Checkouts that share a target folder would read one another's files.
const CHECKOUT: &str = "`env!(\"CARGO_MANIFEST_DIR\")` is the folder it was built in: start from the folder that cargo runs it in";
/// Names that say nothing about what is inside.
const EMPTY_NAMES: [&str; 6] = ["common", "helper", "helpers", "misc", "util", "utils"];

/// State machines outside of the domain crates, by the beginning of their paths.
const PURE: [&str; 1] = ["crates/service/src/machine"];
/// What no state machine may use: time, randomness, tasks, logs and metrics belong in the driver.
const IMPURE: [&str; 9] =
    ["tokio", "tracing", "metrics", "async", "await", "dyn", "Clock", "Entropy", "Runtime"];

pub(super) fn check(path: &Path, text: &str) -> Vec<Problem> {
    let mut problems = Vec::new();
    let is_pure = PURE.iter().any(|pure| path.to_str().is_some_and(|path| path.starts_with(pure)));
    if !text.lines().take(3).any(|line| line.starts_with("//!")) {
        problems.push(Problem::new(1, "must open with `//!`, saying what it is and what it refuses to know"));
    }
    let lines = text.lines().count();
    if lines > MOST_LINES {
        problems.push(Problem::new(
            lines,
            format!("is longer than {MOST_LINES} lines: split it by what it knows"),
        ));
    }
    let names = path.with_extension("");
    let empty = names.iter().filter_map(|name| name.to_str()).find(|name| EMPTY_NAMES.contains(name));
    problems.extend(
        empty.map(|name| Problem::new(1, format!("`{name}` says nothing: name it after what it contains"))),
    );
    match text.parse::<TokenStream>() {
        Ok(tokens) => {
            if is_pure {
                check_purity(tokens.clone(), &mut problems);
            }
            check_tokens(tokens, &mut problems);
        }
        Err(error) => problems.push(Problem::new(1, format!("is not valid Rust: {error}"))),
    }
    problems
}

fn check_tokens(tokens: TokenStream, problems: &mut Vec<Problem>) {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    for (index, token) in tokens.iter().enumerate() {
        let line = token.span().start().line;
        match (token, tokens.get(index + 1), tokens.get(index + 2)) {
            (TokenTree::Ident(name), Some(bang), Some(TokenTree::Group(body))) if is_punct(bang, '!') => {
                if name == "select" && !is_biased(body.stream()) {
                    problems.push(Problem::new(line, "`select!` must begin with `biased;`, shutdown first"));
                }
                if (name == "env" || name == "option_env") && names_the_checkout(body.stream()) {
                    problems.push(Problem::new(line, CHECKOUT));
                }
                if UNFINISHED.iter().any(|word| name == word) {
                    problems.push(Problem::new(line, format!("`{name}!` marks unfinished work")));
                }
            }
            (hash, Some(TokenTree::Group(attribute)), _) if is_punct(hash, '#') && ignores(attribute) => {
                problems.push(Problem::new(line, "`#[ignore]`: a test runs or is deleted"));
            }
            _ => {}
        }
        if let TokenTree::Group(group) = token {
            check_tokens(group.stream(), problems);
        }
    }
}

fn check_purity(tokens: TokenStream, problems: &mut Vec<Problem>) {
    for token in tokens {
        match token {
            TokenTree::Group(group) => check_purity(group.stream(), problems),
            TokenTree::Ident(name) if IMPURE.iter().any(|word| name == word) => {
                let line = name.span().start().line;
                problems.push(Problem::new(
                    line,
                    format!("`{name}` in a state machine: it belongs in the driver"),
                ));
            }
            _ => {}
        }
    }
}

fn is_punct(token: &TokenTree, character: char) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == character)
}

fn is_biased(body: TokenStream) -> bool {
    let mut tokens = body.into_iter();
    let word = tokens.next().is_some_and(|token| matches!(token, TokenTree::Ident(name) if name == "biased"));
    word && tokens.next().is_some_and(|token| is_punct(&token, ';'))
}

fn names_the_checkout(body: TokenStream) -> bool {
    body.into_iter().any(|token| token.to_string().contains("CARGO_MANIFEST_DIR"))
}

fn ignores(attribute: &proc_macro2::Group) -> bool {
    let first = attribute.stream().into_iter().next();
    attribute.delimiter() == Delimiter::Bracket
        && matches!(first, Some(TokenTree::Ident(name)) if name == "ignore")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Checks a file that opens properly and goes on with `code` from line 2: exactly the expected problems are found.
    #[track_caller]
    fn check_code(code: &str, expected: &[(usize, &str)]) {
        let problems = check(Path::new("crates/x/src/lib.rs"), &format!("//! A file.\n{code}\n"));
        let found: Vec<(usize, &str)> =
            problems.iter().map(|problem| (problem.line, &*problem.what)).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn a_select_without_bias_is_found_wherever_it_hides() {
        const WHY: &str = "`select!` must begin with `biased;`, shutdown first";
        check_code("fn f() { loop { tokio::select! { _ = a => {} } } }", &[(2, WHY)]);
        check_code("fn f() {\n futures::select!(\n x = y => ()) }", &[(3, WHY)]);
        check_code("fn f() { select! { /* why */ biased; _ = a => {} } }", &[]);
        check_code("// select! { _ = a => {} }\nconst S: &str = \"select! {}\";", &[]);
    }

    #[test]
    fn unfinished_work_is_found() {
        check_code("fn f() { todo!() }", &[(2, "`todo!` marks unfinished work")]);
        check_code(
            "fn f() {\n unimplemented!(\"later\") }",
            &[(3, "`unimplemented!` marks unfinished work")],
        );
        check_code("fn f() -> u8 { dbg!(1) }", &[(2, "`dbg!` marks unfinished work")]);
        check_code("fn todo() { todo(); }", &[]);
    }

    #[test]
    fn a_path_of_the_checkout_that_is_built_in_is_found() {
        check_code("const F: &str = concat!(env!(\"CARGO_MANIFEST_DIR\"), \"/x\");", &[(2, CHECKOUT)]);
        check_code("const F: Option<&str> = option_env!(\"CARGO_MANIFEST_DIR\");", &[(2, CHECKOUT)]);
        check_code("fn f() { env!(\"CARGO_PKG_VERSION\"); env::var(\"CARGO_MANIFEST_DIR\"); }", &[]);
    }

    #[test]
    fn an_ignored_test_is_found_with_or_without_a_reason() {
        const WHY: &str = "`#[ignore]`: a test runs or is deleted";
        check_code("#[test]\n#[ignore]\nfn t() {}", &[(3, WHY)]);
        check_code("mod tests {\n #[ignore = \"slow\"]\n fn t() {} }", &[(3, WHY)]);
    }

    #[test]
    fn a_file_says_what_it_is() {
        let problems = check(Path::new("src/lib.rs"), "// Just a comment.\nfn f() {}\n");
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert_eq!(check(Path::new("src/lib.rs"), "#![no_std]\n\n//! Late, but there.\n"), []);
    }

    #[test]
    fn a_long_file_is_found_at_the_line_that_is_too_many() {
        let text = |lines: usize| format!("//! Long.\n{}", "// line\n".repeat(lines - 1));
        assert_eq!(check(Path::new("src/lib.rs"), &text(400)), []);
        let problems = check(Path::new("src/lib.rs"), &text(401));
        assert_eq!(problems, [Problem::new(401, "is longer than 400 lines: split it by what it knows")]);
    }

    #[test]
    fn what_belongs_to_the_driver_is_found_only_in_a_state_machine() {
        let text = "//! A file.\nuse std::sync::Arc;\nfn f(clock: &dyn Clock) {\n    tracing::info!(\"async\");\n}\n";
        let found =
            |path| check(Path::new(path), text).into_iter().map(|problem| problem.line).collect::<Vec<_>>();
        assert_eq!(found("crates/service/src/machine.rs"), [3, 3, 4]);
        assert_eq!(found("crates/service/src/machine/runs.rs"), [3, 3, 4]);
        assert_eq!(found("crates/service/src/work.rs"), [0; 0]);
    }

    #[test]
    fn a_name_that_says_nothing_is_found_as_file_and_as_folder() {
        for path in ["src/utils.rs", "tests/common/mod.rs", "crates/helpers/src/lib.rs"] {
            let problems = check(Path::new(path), "//! A file.\n");
            assert_eq!(problems.len(), 1, "{path}: {problems:?}");
        }
        assert_eq!(check(Path::new("src/commons.rs"), "//! A file.\n"), []);
    }

    #[test]
    fn invalid_rust_is_reported() {
        let problems = check(Path::new("src/lib.rs"), "//! A file.\nfn f( {\n");
        assert!(
            problems.first().is_some_and(|problem| problem.what.starts_with("is not valid Rust: ")),
            "{problems:?}"
        );
    }
}
