//! Paths in token trees: where they begin, what a `use` imports, and which items are tests.

use proc_macro2::{Delimiter, Group, Ident, TokenStream, TokenTree};

/// The same tokens without the items under `#[cfg(test)]`.
pub(super) fn without_tests(tokens: TokenStream) -> Vec<TokenTree> {
    let mut kept = Vec::new();
    let mut tokens = tokens.into_iter().peekable();
    while let Some(token) = tokens.next() {
        match token {
            TokenTree::Punct(hash) if hash.as_char() == '#' && tokens.peek().is_some_and(is_test) => {
                // The item ends with its body or its semicolon.
                while let Some(token) = tokens.next()
                    && !is_end(&token)
                {}
            }
            TokenTree::Group(group) => {
                let inside = without_tests(group.stream()).into_iter().collect();
                kept.push(Group::new(group.delimiter(), inside).into());
            }
            token => kept.push(token),
        }
    }
    kept
}

fn is_test(attribute: &TokenTree) -> bool {
    let attribute = attribute.to_string().replace(' ', "");
    ["[cfg(test)", "[cfg(all(test,"].iter().any(|test| attribute.starts_with(test))
}

fn is_end(token: &TokenTree) -> bool {
    match token {
        TokenTree::Group(group) => group.delimiter() == Delimiter::Brace,
        token => is_punct(token, ';'),
    }
}

fn is_punct(token: &TokenTree, character: char) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == character)
}

/// Whether two tokens are `::`.
pub(super) fn is_path_separator(one: &TokenTree, two: &TokenTree) -> bool {
    is_punct(one, ':') && is_punct(two, ':')
}

/// The names with which the rest of a path goes on: one, or those of a group.
pub(super) fn heads(path: &[TokenTree]) -> Vec<Ident> {
    match path.first() {
        Some(TokenTree::Ident(name)) => vec![name.clone()],
        Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Brace => {
            branches(group).iter().flat_map(|branch| heads(branch)).collect()
        }
        _ => Vec::new(),
    }
}

fn branches(group: &Group) -> Vec<Vec<TokenTree>> {
    let tokens = Vec::from_iter(group.stream());
    tokens.split(|token| is_punct(token, ',')).map(<[TokenTree]>::to_vec).collect()
}

/// The paths that the `use` items among the tokens import, each with the name that it gets; globs apart.
pub(super) fn imports(tokens: &[TokenTree]) -> Vec<(Vec<String>, String)> {
    let mut imports = Vec::new();
    let mut items = tokens.split(|token| matches!(token, TokenTree::Ident(word) if word == "use"));
    // What stands before the first `use`.
    items.next();
    for item in items {
        let end = item.iter().position(|token| is_punct(token, ';')).unwrap_or(item.len());
        import(&item[..end], &[], &mut imports);
    }
    imports
}

fn import(tree: &[TokenTree], above: &[String], imports: &mut Vec<(Vec<String>, String)>) {
    let mut path = above.to_vec();
    let mut renamed = None;
    let mut tokens = tree.iter();
    while let Some(token) = tokens.next() {
        match token {
            TokenTree::Ident(word) if word == "as" => renamed = tokens.next().map(ToString::to_string),
            TokenTree::Ident(segment) => path.push(segment.to_string()),
            TokenTree::Group(group) => {
                for branch in branches(group) {
                    import(&branch, &path, imports);
                }
                return;
            }
            token if is_punct(token, '*') => return,
            _ => {}
        }
    }
    if let Some(name) = renamed.or_else(|| path.last().cloned()) {
        imports.push((path, name));
    }
}
