//! Finds the paths that code names: in the code itself, in the tokens of macros and in attributes.

use std::collections::BTreeSet;

use proc_macro2::{TokenStream, TokenTree};
use syn::parse::Parser;
use syn::punctuated::Punctuated;
use syn::visit::{self, Visit};
use syn::{Attribute, Block, Expr, ImplItem, Item, Pat, Path, QSelf, Stmt, Token, TraitItem};

use super::cfg::{of_impl_item, of_item, of_statement, of_trait_item, only_for_tests};
use super::scope::{Mention, Scope};
use super::tokens::{self, Found, Next};

/// Notes what an item of a module defines, imports and names.
pub fn note(scope: &mut Scope, item: &Item) {
    if only_for_tests(of_item(item)) {
        return;
    }
    scope.define(item);
    let mut reader = Reader {
        scope,
        variables: BTreeSet::new(),
        depth: 0,
    };
    reader.visit_item(item);
}

struct Reader<'a> {
    scope: &'a mut Scope,
    /// Names that are bound in this function: alone, they are variables.
    variables: BTreeSet<String>,
    /// How many items stand around this one.
    depth: usize,
}

impl Reader<'_> {
    fn mention(&mut self, path: Vec<String>, line: usize, called: bool) {
        let mention = Mention { path, called };
        self.scope.mentions.entry(mention).or_insert(line);
    }

    /// Notes the first segments of a path: all of them, or those that name a trait behind `as`.
    fn path(&mut self, path: &Path, segments: usize, called: bool) {
        let Some(first) = path.segments.first() else {
            return;
        };
        let line = first.ident.span().start().line;
        let names = path.segments.iter().take(segments);
        let names: Vec<_> = names.map(|segment| segment.ident.to_string()).collect();
        if path.leading_colon.is_none() && !names.is_empty() {
            self.mention(names, line, called);
        }
    }

    fn qualified(&mut self, of: Option<&QSelf>, path: &Path) {
        let segments = of.map_or(usize::MAX, |of| of.position);
        self.path(path, segments, false);
        if let Some(of) = of {
            self.visit_type(&of.ty);
        }
        for segment in &path.segments {
            self.visit_path_arguments(&segment.arguments);
        }
    }

    /// Code in a macro is read as code where it is some, else as tokens.
    fn tokens(&mut self, tokens: &TokenStream) {
        let list = Punctuated::<Expr, Token![,]>::parse_terminated;
        if let Ok(expressions) = list.parse2(tokens.clone()) {
            return expressions.iter().for_each(|one| self.visit_expr(one));
        }
        if let Ok(statements) = Block::parse_within.parse2(tokens.clone()) {
            self.bind(|bound| statements.iter().for_each(|one| bound.visit_stmt(one)));
            return statements.iter().for_each(|one| self.visit_stmt(one));
        }
        self.scan(tokens, Which::Any);
    }

    /// Notes the paths of tokens that count.
    fn scan(&mut self, tokens: &TokenStream, which: Which) {
        for Found { path, line, next } in tokens::paths(tokens.clone()) {
            let variable = matches!(path.as_slice(), [name] if self.variables.contains(name));
            if which.takes(&path, next) && !variable {
                self.mention(path, line, next == Next::Bang);
            }
        }
    }

    /// Adds the variables that some code binds.
    fn bind(&mut self, code: impl FnOnce(&mut Bound)) {
        let mut bound = Bound::default();
        code(&mut bound);
        self.variables.append(&mut bound.0);
    }
}

/// Which paths of a token stream count.
#[derive(Clone, Copy)]
enum Which {
    /// All that may name an item.
    Any,
    /// Those with `::`: a word alone in an attribute is an option of it.
    Long,
}

impl Which {
    fn takes(self, path: &[String], next: Next) -> bool {
        let first = path.first().map_or("", String::as_str);
        let long = path.len() > 1;
        match self {
            Self::Any => long || next != Next::Other || first.starts_with(char::is_uppercase),
            Self::Long => long,
        }
    }
}

/// Names that patterns bind.
#[derive(Default)]
struct Bound(BTreeSet<String>);

impl<'ast> Visit<'ast> for Bound {
    fn visit_pat_ident(&mut self, pattern: &'ast syn::PatIdent) {
        let name = pattern.ident.to_string();
        // A constant in a pattern looks like a variable, but for its capital.
        if !name.starts_with(char::is_uppercase) {
            self.0.insert(name);
        }
        visit::visit_pat_ident(self, pattern);
    }
}

impl<'ast> Visit<'ast> for Reader<'_> {
    fn visit_item(&mut self, item: &'ast Item) {
        if only_for_tests(of_item(item)) {
            return;
        }
        self.depth += 1;
        match item {
            Item::Use(item) => self.scope.import(item, self.depth > 1),
            item => visit::visit_item(self, item),
        }
        self.depth -= 1;
    }

    fn visit_impl_item(&mut self, item: &'ast ImplItem) {
        if !only_for_tests(of_impl_item(item)) {
            visit::visit_impl_item(self, item);
        }
    }

    fn visit_trait_item(&mut self, item: &'ast TraitItem) {
        if !only_for_tests(of_trait_item(item)) {
            visit::visit_trait_item(self, item);
        }
    }

    fn visit_stmt(&mut self, statement: &'ast Stmt) {
        if !only_for_tests(of_statement(statement)) {
            visit::visit_stmt(self, statement);
        }
    }

    fn visit_item_fn(&mut self, function: &'ast syn::ItemFn) {
        let outside = self.variables.clone();
        self.bind(|bound| bound.visit_item_fn(function));
        visit::visit_item_fn(self, function);
        self.variables = outside;
    }

    fn visit_impl_item_fn(&mut self, function: &'ast syn::ImplItemFn) {
        let outside = self.variables.clone();
        self.bind(|bound| bound.visit_impl_item_fn(function));
        visit::visit_impl_item_fn(self, function);
        self.variables = outside;
    }

    fn visit_trait_item_fn(&mut self, function: &'ast syn::TraitItemFn) {
        let outside = self.variables.clone();
        self.bind(|bound| bound.visit_trait_item_fn(function));
        visit::visit_trait_item_fn(self, function);
        self.variables = outside;
    }

    fn visit_expr_closure(&mut self, closure: &'ast syn::ExprClosure) {
        let outside = self.variables.clone();
        self.bind(|bound| bound.visit_expr_closure(closure));
        visit::visit_expr_closure(self, closure);
        self.variables = outside;
    }

    fn visit_item_macro(&mut self, item: &'ast syn::ItemMacro) {
        self.path(&item.mac.path, usize::MAX, true);
        // What a `macro_rules!` names is looked up here, although it may be called elsewhere.
        self.scan(&item.mac.tokens, Which::Any);
    }

    fn visit_macro(&mut self, call: &'ast syn::Macro) {
        self.path(&call.path, usize::MAX, true);
        self.tokens(&call.tokens);
    }

    fn visit_path(&mut self, path: &'ast Path) {
        self.path(path, usize::MAX, false);
        visit::visit_path(self, path);
    }

    fn visit_expr_path(&mut self, path: &'ast syn::ExprPath) {
        let name = path.path.get_ident().map(ToString::to_string);
        if !name.is_some_and(|name| self.variables.contains(&name)) {
            self.qualified(path.qself.as_ref(), &path.path);
        }
    }

    fn visit_type_path(&mut self, path: &'ast syn::TypePath) {
        self.qualified(path.qself.as_ref(), &path.path);
    }

    fn visit_pat(&mut self, pattern: &'ast Pat) {
        if let Pat::Ident(constant) = pattern {
            let name = constant.ident.to_string();
            if name.starts_with(char::is_uppercase) {
                let line = constant.ident.span().start().line;
                self.mention(vec![name], line, false);
            }
        }
        visit::visit_pat(self, pattern);
    }

    // A path there says who sees an item.
    fn visit_vis_restricted(&mut self, _: &'ast syn::VisRestricted) {}

    fn visit_attribute(&mut self, attribute: &'ast Attribute) {
        if attribute.path().segments.len() > 1 {
            self.path(attribute.path(), usize::MAX, false);
        }
        let Ok(list) = attribute.meta.require_list() else {
            return;
        };
        self.scan(&list.tokens, Which::Long);
        if attribute.path().is_ident("serde") {
            self.quoted(&list.tokens);
        }
    }
}

impl Reader<'_> {
    /// Paths of functions and modules that serde is given as text.
    fn quoted(&mut self, tokens: &TokenStream) {
        for token in tokens.clone() {
            match token {
                TokenTree::Group(group) => self.quoted(&group.stream()),
                TokenTree::Literal(literal) => {
                    let line = literal.span().start().line;
                    let text = literal.to_string();
                    let path = syn::parse_str::<Path>(text.trim_matches('"'));
                    if let Ok(path) = path.as_ref()
                        && path.leading_colon.is_none()
                    {
                        let names = path.segments.iter();
                        let names = names.map(|segment| segment.ident.to_string()).collect();
                        self.mention(names, line, false);
                    }
                }
                _ => {}
            }
        }
    }
}
