//! Finds paths in the tokens of macros and attributes, which are code of no fixed form.

use proc_macro2::{Delimiter, Ident, TokenStream, TokenTree};

/// A path in tokens.
pub struct Found {
    pub path: Vec<String>,
    pub line: usize,
    pub next: Next,
}

/// What follows a path.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// `!`: it is the name of a macro.
    Bang,
    /// Parentheses: it is called, or is a pattern.
    Parentheses,
    Other,
}

/// All paths, also of one name, in the order in which they stand.
pub fn paths(tokens: TokenStream) -> Vec<Found> {
    let mut found = Vec::new();
    let tokens: Vec<_> = tokens.into_iter().collect();
    let mut rest = tokens.as_slice();
    loop {
        rest = match rest {
            [] => return found,
            [dot, also, after @ ..] if is(dot, '.') && is(also, '.') => after,
            // A field or a method.
            [dot, TokenTree::Ident(_), after @ ..] if is(dot, '.') => after,
            // The path begins at another crate, or at a type in angle brackets.
            [one, two, TokenTree::Ident(first), after @ ..] if is(one, ':') && is(two, ':') => {
                path(first, after).1
            }
            // What a macro is called with.
            [dollar, TokenTree::Ident(first), after @ ..]
                if is(dollar, '$') && first != "crate" =>
            {
                path(first, after).1
            }
            [TokenTree::Ident(first), after @ ..] => {
                let (path, after) = path(first, after);
                let next = match after.first() {
                    Some(token) if is(token, '!') => Next::Bang,
                    Some(TokenTree::Group(group))
                        if group.delimiter() == Delimiter::Parenthesis =>
                    {
                        Next::Parentheses
                    }
                    _ => Next::Other,
                };
                let line = first.span().start().line;
                found.push(Found { path, line, next });
                after
            }
            [TokenTree::Group(group), after @ ..] => {
                found.extend(paths(group.stream()));
                after
            }
            [_, after @ ..] => after,
        };
    }
}

/// The path that begins with this name, and what follows it.
fn path<'a>(first: &Ident, mut rest: &'a [TokenTree]) -> (Vec<String>, &'a [TokenTree]) {
    let mut path = vec![first.to_string()];
    while let [one, two, TokenTree::Ident(name), after @ ..] = rest
        && is(one, ':')
        && is(two, ':')
    {
        path.push(name.to_string());
        rest = after;
    }
    (path, rest)
}

fn is(token: &TokenTree, character: char) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == character)
}
