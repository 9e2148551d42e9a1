//! Which module of a crate names which other.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::resolve::{Resolver, Target};
use super::scope::{Import, Mention};
use super::source::{Module, Tree};

/// One module names another.
#[derive(Debug, Clone, Default)]
pub struct Arrow {
    /// The file of the module that names the other.
    pub file: PathBuf,
    /// What it names, by line.
    pub names: BTreeMap<usize, BTreeSet<String>>,
}

/// Arrows by the names of both modules.
pub type Arrows = BTreeMap<(String, String), Arrow>;

/// All arrows of a library or program; its files are told from the root of the repository.
pub fn of(tree: &Tree, root: &Path) -> Arrows {
    let mut finder = Finder {
        tree,
        root,
        resolver: Resolver::new(tree),
        arrows: Arrows::new(),
    };
    for (id, module) in tree.modules() {
        finder.module(id, module);
    }
    finder.arrows
}

struct Finder<'a> {
    tree: &'a Tree,
    root: &'a Path,
    resolver: Resolver<'a>,
    arrows: Arrows,
}

impl Finder<'_> {
    fn module(&mut self, id: usize, module: &Module) {
        let scope = &module.scope;
        for import in scope.imports.values().flatten() {
            let targets = self.resolver.import(id, import);
            self.import(id, import, &targets);
        }
        for (mention, line) in &scope.mentions {
            if !self.is_imported(id, module, mention) {
                for target in self.resolver.mention(id, mention) {
                    self.arrow(id, target, &mention.path, *line);
                }
            }
        }
        for glob in &scope.globs {
            let mut targets = self.resolver.import(id, glob);
            for target in &mut targets {
                if let Target::Module(of) = *target
                    && self.glob_is_arrow(id, glob, of)
                {
                    *target = Target::Item(of);
                }
            }
            self.import(id, glob, &targets);
        }
    }

    /// A module that passes on what is below it does not use it.
    fn import(&mut self, id: usize, import: &Import, targets: &[Target]) {
        for target in targets {
            let passes_on = matches!(target, Target::Item(of)
                if import.passes_on && self.tree.is_below(*of, id));
            if !passes_on {
                self.arrow(id, *target, &import.path, import.line);
            }
        }
    }

    /// Whether `use x::*` is an arrow by itself. The names that come from there are found where the code has them; if it has
    /// none, traits of `x` are used by their methods.
    fn glob_is_arrow(&mut self, id: usize, glob: &Import, of: usize) -> bool {
        if glob.passes_on {
            return !self.tree.is_below(of, id);
        }
        let Some(module) = self.tree.get(of) else {
            return false;
        };
        let mut offered = BTreeSet::new();
        for name in module.scope.names() {
            offered.extend(self.resolver.name(of, name, id));
        }
        let mut used = offered.iter().filter_map(|target| match target {
            Target::Item(to) => self.key(id, *to),
            _ => None,
        });
        !used.any(|key| self.arrows.contains_key(&key)) && offered.contains(&Target::Item(of))
    }

    /// Whether the first name of a path is imported as an item: then the import is the arrow.
    fn is_imported(&mut self, id: usize, module: &Module, mention: &Mention) -> bool {
        let first = mention.path.first();
        let imports = first.and_then(|name| module.scope.imports.get(name));
        imports.into_iter().flatten().any(|import| {
            let targets = self.resolver.import(id, import);
            let mut targets = targets.iter();
            !import.passes_on && !targets.any(|target| matches!(target, Target::Module(_)))
        })
    }

    fn arrow(&mut self, id: usize, target: Target, path: &[String], line: usize) {
        let Target::Item(of) = target else { return };
        let Some(key) = self.key(id, of) else { return };
        let arrow = self.arrows.entry(key).or_default();
        if let Some(module) = self.tree.get(id) {
            let file = module.file.strip_prefix(self.root);
            arrow.file = file.unwrap_or(&module.file).to_owned();
        }
        let names = arrow.names.entry(line).or_default();
        names.insert(path.join("::"));
    }

    /// The names of two modules, if they are two: what stands in braces belongs to the module around it.
    fn key(&self, from: usize, to: usize) -> Option<(String, String)> {
        let whole = |id| self.tree.get(self.tree.get(id)?.whole);
        let (from, to) = (whole(from)?, whole(to)?);
        (from.file != to.file).then(|| (from.name.clone(), to.name.clone()))
    }
}
