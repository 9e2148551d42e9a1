//! Follows names to the modules that define what they stand for.

use super::scope::{Import, Mention};
use super::source::Tree;

/// What a name stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Target {
    Module(usize),
    /// Something that this module defines.
    Item(usize),
    /// Something of another crate.
    Outside,
}

/// Looks names up in the modules of a crate.
pub struct Resolver<'a> {
    tree: &'a Tree,
    /// The names that are being looked up: an import may lead back to itself.
    open: Vec<(usize, String)>,
}

impl<'a> Resolver<'a> {
    pub fn new(tree: &'a Tree) -> Self {
        let open = Vec::new();
        Self { tree, open }
    }

    /// What an import of a module stands for; one name may be a module and a function at once.
    pub fn import(&mut self, module: usize, import: &Import) -> Vec<Target> {
        let found = self.path(module, &import.path);
        match found.is_empty() {
            true => vec![Target::Outside],
            false => found,
        }
    }

    /// What a path in the code of a module stands for; nothing for variables and for what the language knows by itself.
    pub fn mention(&mut self, module: usize, mention: &Mention) -> Vec<Target> {
        let found = self.path(module, &mention.path);
        match mention.path.as_slice() {
            [name] if mention.called && found.is_empty() => self.macro_above(module, name),
            _ => found,
        }
    }

    /// A `macro_rules!` is known in the modules below the one that defines it.
    fn macro_above(&self, module: usize, name: &str) -> Vec<Target> {
        let mut at = Some(module);
        while let Some((id, module)) = at.and_then(|id| Some((id, self.tree.get(id)?))) {
            if module.scope.macros.contains(name) {
                return vec![Target::Item(id)];
            }
            at = module.parent;
        }
        Vec::new()
    }

    fn path(&mut self, module: usize, path: &[String]) -> Vec<Target> {
        let mut names = path.iter();
        let mut found = match names.next().map(String::as_str) {
            Some("crate") => vec![Target::Module(Tree::ROOT)],
            Some("self") => vec![Target::Module(module)],
            Some("super") => self.above(module),
            Some(first) => self.name(module, first, module),
            None => Vec::new(),
        };
        for name in names {
            // Only one of several things of one name has something inside: the module, if it is one.
            let modules = |target: &Target| matches!(target, Target::Module(_));
            if found.iter().any(modules) {
                found.retain(modules);
            }
            found = found
                .into_iter()
                .flat_map(|target| self.inside(target, name, module))
                .collect();
        }
        found.sort();
        found.dedup();
        found
    }

    /// What a name stands for inside of something, as a module sees it.
    fn inside(&mut self, target: Target, name: &str, from: usize) -> Vec<Target> {
        let Target::Module(module) = target else {
            return vec![target];
        };
        if name == "super" {
            return self.above(module);
        }
        let goes_round = self.is_open(module, name);
        match self.name(module, name, from) {
            // A macro made it whose tokens do not show it.
            found if found.is_empty() && !goes_round => vec![Target::Item(module)],
            found => found,
        }
    }

    fn above(&self, module: usize) -> Vec<Target> {
        let parent = self.tree.get(module).and_then(|module| module.parent);
        parent.map(Target::Module).into_iter().collect()
    }

    /// What a name of a module stands for, as another module or itself sees it.
    pub fn name(&mut self, id: usize, name: &str, from: usize) -> Vec<Target> {
        let Some(module) = self.tree.get(id) else {
            return Vec::new();
        };
        let scope = &module.scope;
        let mut found = Vec::new();
        found.extend(module.children.get(name).map(|id| Target::Module(*id)));
        found.extend(scope.items.contains(name).then_some(Target::Item(id)));
        if self.is_open(id, name) {
            return found;
        }
        self.open.push((id, name.to_owned()));
        // The modules below see what others do not.
        let within = from == id || self.tree.is_below(from, id);
        let seen = |import: &&Import| match import.local {
            true => from == id,
            false => import.passes_on || within,
        };
        let imports = scope.imports.get(name).into_iter().flatten();
        for import in imports.filter(seen) {
            found.extend(self.import(id, import));
        }
        if found.is_empty() {
            for glob in scope.globs.iter().filter(seen) {
                found.extend(self.through(id, glob, name));
            }
        }
        self.open.pop();
        if found.is_empty() && scope.expanded.contains(name) {
            found.push(Target::Item(id));
        }
        if found.iter().any(|target| *target != Target::Outside) {
            found.retain(|target| *target != Target::Outside);
        }
        found
    }

    fn is_open(&self, id: usize, name: &str) -> bool {
        let mut open = self.open.iter();
        open.any(|(at, open)| *at == id && open == name)
    }

    /// What a name stands for in the modules of which all names are imported.
    fn through(&mut self, id: usize, glob: &Import, name: &str) -> Vec<Target> {
        let mut found = Vec::new();
        for target in self.import(id, glob) {
            if let Target::Module(of) = target
                && of != id
            {
                found.extend(self.name(of, name, id));
            }
        }
        found
    }
}
