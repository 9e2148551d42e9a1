//! What a module defines, what it imports, and what its code names.

use std::collections::{BTreeMap, BTreeSet};

use proc_macro2::{Delimiter, TokenStream, TokenTree};
use syn::{Item, UseTree, Visibility};

/// The names in and of one module.
#[derive(Debug, Default)]
pub struct Scope {
    /// Names of its items.
    pub items: BTreeSet<String>,
    /// Names that a macro seems to define here; they count where no item has the name.
    pub expanded: BTreeSet<String>,
    /// Names of its `macro_rules!`, which are in scope below without an import.
    pub macros: BTreeSet<String>,
    /// Those of them with `#[macro_export]`.
    pub exported_macros: BTreeSet<String>,
    /// Imports of one name.
    pub imports: BTreeMap<String, Vec<Import>>,
    /// Imports of all names of a module.
    pub globs: Vec<Import>,
    /// Paths in code, each with the line of the first.
    pub mentions: BTreeMap<Mention, usize>,
}

/// One name of a `use`.
#[derive(Debug, Clone)]
pub struct Import {
    /// What it stands for.
    pub path: Vec<String>,
    /// Whether others see it: then it passes a name on.
    pub passes_on: bool,
    /// Whether it stands in a function: then it is no name of the module.
    pub local: bool,
    pub line: usize,
}

/// A path in code.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mention {
    pub path: Vec<String>,
    /// Whether it is the name of a macro that is called.
    pub called: bool,
}

impl Scope {
    /// All names that are known without a look at other modules.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let names = self.items.iter().chain(self.imports.keys());
        names.chain(&self.expanded).map(String::as_str)
    }

    /// Notes what an item defines; modules and imports are the caller's.
    pub fn define(&mut self, item: &Item) {
        let name = match item {
            Item::Const(item) => &item.ident,
            Item::Enum(item) => &item.ident,
            Item::Fn(item) => &item.sig.ident,
            Item::Static(item) => &item.ident,
            Item::Struct(item) => &item.ident,
            Item::Trait(item) => &item.ident,
            Item::TraitAlias(item) => &item.ident,
            Item::Type(item) => &item.ident,
            Item::Union(item) => &item.ident,
            Item::Macro(item) => {
                self.expand(item.mac.tokens.clone());
                let Some(name) = &item.ident else { return };
                self.macros.insert(name.to_string());
                let mut attributes = item.attrs.iter();
                if attributes.any(|attribute| attribute.path().is_ident("macro_export")) {
                    self.exported_macros.insert(name.to_string());
                }
                name
            }
            _ => return,
        };
        self.items.insert(name.to_string());
    }

    /// Notes the imports of a `use`.
    pub fn import(&mut self, item: &syn::ItemUse, local: bool) {
        let passes_on = match &item.vis {
            Visibility::Public(_) => true,
            Visibility::Restricted(to) => !to.path.is_ident("self"),
            Visibility::Inherited => false,
        };
        let import = Import {
            path: Vec::new(),
            passes_on,
            local,
            line: 0,
        };
        // `use ::a::b` names another crate, so it has no place in this one.
        if item.leading_colon.is_none() {
            self.tree(&item.tree, &import);
        }
    }

    fn tree(&mut self, tree: &UseTree, above: &Import) {
        let below = |ident: &proc_macro2::Ident| {
            let mut import = above.clone();
            import.line = ident.span().start().line;
            // `self` at the end of a group is the module itself.
            if ident != "self" || import.path.is_empty() {
                import.path.push(ident.to_string());
            }
            import
        };
        match tree {
            UseTree::Path(path) => self.tree(&path.tree, &below(&path.ident)),
            UseTree::Name(name) => {
                let import = below(&name.ident);
                let name = import.path.last().cloned().unwrap_or_default();
                self.imports.entry(name).or_default().push(import);
            }
            UseTree::Rename(name) => {
                let import = below(&name.ident);
                let name = name.rename.to_string();
                self.imports.entry(name).or_default().push(import);
            }
            UseTree::Glob(glob) => {
                let mut import = above.clone();
                import.line = glob.star_token.span.start().line;
                self.globs.push(import);
            }
            UseTree::Group(group) => {
                for tree in &group.items {
                    self.tree(tree, above);
                }
            }
        }
    }

    /// Looks for definitions in the tokens of a macro: what follows a keyword, or stands before braces.
    fn expand(&mut self, tokens: TokenStream) {
        const DEFINE: &[&str] = &[
            "struct", "enum", "union", "fn", "trait", "type", "const", "static",
        ];
        const USE: &[&str] = &["impl", "for"];
        let tokens: Vec<_> = tokens.into_iter().collect();
        let mut rest = tokens.as_slice();
        while let [first, after @ ..] = rest {
            rest = after;
            match (first, after) {
                // A lifetime, or the end of a path.
                (TokenTree::Punct(punct), [TokenTree::Ident(_), after @ ..])
                    if matches!(punct.as_char(), '\'' | ':') =>
                {
                    rest = after;
                }
                (TokenTree::Ident(word), [TokenTree::Ident(name), after @ ..]) => {
                    let word = word.to_string();
                    if DEFINE.contains(&word.as_str()) {
                        self.expanded.insert(name.to_string());
                        rest = after;
                    } else if USE.contains(&word.as_str()) {
                        rest = after;
                    }
                }
                (TokenTree::Ident(name), [TokenTree::Group(group), ..])
                    if group.delimiter() == Delimiter::Brace && name != "Self" =>
                {
                    let name = name.to_string();
                    if name.starts_with(char::is_uppercase) {
                        self.expanded.insert(name);
                    }
                }
                (TokenTree::Group(group), _) if group.delimiter() == Delimiter::Brace => {
                    self.expand(group.stream());
                }
                _ => {}
            }
        }
    }
}
