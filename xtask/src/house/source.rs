//! The tree of a crate's modules, read from its files.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use syn::{Attribute, Expr, Item, ItemMod, Lit, Meta};

use super::cfg::only_for_tests;
use super::mentions;
use super::scope::{Import, Scope};

/// The modules of one library or program.
#[derive(Debug, Default)]
pub struct Tree {
    modules: Vec<Module>,
    /// Files that are built.
    pub files: BTreeSet<PathBuf>,
    /// Files that are built for tests only.
    pub tests: BTreeSet<PathBuf>,
}

/// A module.
#[derive(Debug)]
pub struct Module {
    /// Its path in the crate; the name of the first file's for the root.
    pub name: String,
    pub file: PathBuf,
    /// The module that its file is: itself, or the one in which it stands in braces.
    pub whole: usize,
    pub parent: Option<usize>,
    pub children: BTreeMap<String, usize>,
    pub scope: Scope,
}

/// Where the files of a module's children are.
struct Place {
    /// For children by name.
    folder: PathBuf,
    /// For children with a path.
    beside: PathBuf,
}

impl Tree {
    /// Reads a crate from its first file.
    pub fn read(root: &Path) -> anyhow::Result<Self> {
        let mut tree = Self::default();
        let name = root.file_stem().unwrap_or_default().to_string_lossy();
        let folder = root.parent().unwrap_or(root).to_owned();
        let place = Place {
            beside: folder.clone(),
            folder,
        };
        let root_module = tree.add(name.into_owned(), root, None, None);
        tree.file(root_module, root, &place)?;
        tree.export_macros();
        Ok(tree)
    }

    /// The first module.
    pub const ROOT: usize = 0;

    /// One module.
    pub fn get(&self, id: usize) -> Option<&Module> {
        self.modules.get(id)
    }

    /// All modules.
    pub fn modules(&self) -> impl Iterator<Item = (usize, &Module)> {
        self.modules.iter().enumerate()
    }

    /// Whether one module stands below another.
    pub fn is_below(&self, id: usize, above: usize) -> bool {
        let parents = std::iter::successors(Some(id), |id| self.get(*id)?.parent);
        parents.skip(1).any(|parent| parent == above)
    }

    /// Adds a module without its content.
    fn add(
        &mut self,
        name: String,
        file: &Path,
        parent: Option<usize>,
        whole: Option<usize>,
    ) -> usize {
        let id = self.modules.len();
        self.modules.push(Module {
            name,
            file: file.to_owned(),
            whole: whole.unwrap_or(id),
            parent,
            children: BTreeMap::new(),
            scope: Scope::default(),
        });
        id
    }

    /// Reads the file of a module and those below it.
    fn file(&mut self, id: usize, file: &Path, place: &Place) -> anyhow::Result<()> {
        self.files.insert(file.to_owned());
        self.items(id, &parse(file)?.items, place)
    }

    fn items(&mut self, id: usize, items: &[Item], place: &Place) -> anyhow::Result<()> {
        for item in items {
            match item {
                Item::Mod(item) if only_for_tests(&item.attrs) => self.tests(item, place)?,
                Item::Mod(item) => self.child(id, item, place)?,
                item => {
                    if let Some(module) = self.modules.get_mut(id) {
                        mentions::note(&mut module.scope, item);
                    }
                }
            }
        }
        Ok(())
    }

    fn child(&mut self, parent: usize, item: &ItemMod, place: &Place) -> anyhow::Result<()> {
        let short = item.ident.to_string();
        let Some(above) = self.modules.get(parent) else {
            return Ok(());
        };
        let name = match parent {
            Self::ROOT => short.clone(),
            _ => format!("{}::{short}", above.name),
        };
        let (file, whole) = (above.file.clone(), above.whole);
        let (file, whole, place) = match &item.content {
            Some(_) => (file, Some(whole), place.inside(item)),
            None => {
                let (file, place) = place.find(item)?;
                (file, None, place)
            }
        };
        let id = self.add(name, &file, Some(parent), whole);
        if let Some(above) = self.modules.get_mut(parent) {
            above.children.insert(short, id);
        }
        match &item.content {
            Some((_, items)) => self.items(id, items, &place),
            None => self.file(id, &file, &place),
        }
    }

    /// Notes the files of a module that is built for tests only.
    fn tests(&mut self, item: &ItemMod, place: &Place) -> anyhow::Result<()> {
        if let Some((_, items)) = &item.content {
            return self.tests_below(items, &place.inside(item));
        }
        let (file, place) = place.find(item)?;
        let items = parse(&file)?.items;
        self.tests.insert(file);
        self.tests_below(&items, &place)
    }

    fn tests_below(&mut self, items: &[Item], place: &Place) -> anyhow::Result<()> {
        for item in items {
            if let Item::Mod(item) = item {
                self.tests(item, place)?;
            }
        }
        Ok(())
    }

    /// A macro with `#[macro_export]` is a name of the root.
    fn export_macros(&mut self) {
        let mut exported = Vec::new();
        for module in &self.modules {
            for name in &module.scope.exported_macros {
                let mut path = vec!["crate".to_owned()];
                if module.parent.is_some() {
                    path.extend(module.name.split("::").map(str::to_owned));
                }
                path.push(name.clone());
                exported.push((name.clone(), path));
            }
        }
        let Some(root) = self.modules.get_mut(Self::ROOT) else {
            return;
        };
        for (name, path) in exported {
            root.scope.imports.entry(name).or_default().push(Import {
                path,
                passes_on: true,
                local: false,
                line: 1,
            });
        }
    }
}

impl Place {
    /// The place of a module in braces.
    fn inside(&self, item: &ItemMod) -> Self {
        let folder = match path_of(&item.attrs) {
            Some(path) => self.beside.join(path),
            None => self.folder.join(item.ident.to_string()),
        };
        Self {
            beside: folder.clone(),
            folder,
        }
    }

    /// The file of a module, and the place of its children.
    fn find(&self, item: &ItemMod) -> anyhow::Result<(PathBuf, Self)> {
        if let Some(path) = path_of(&item.attrs) {
            let file = self.beside.join(path);
            let file = file
                .canonicalize()
                .with_context(|| file.display().to_string())?;
            let folder = file.parent().unwrap_or(&self.beside).to_owned();
            let beside = folder.clone();
            return Ok((file, Self { folder, beside }));
        }
        let name = item.ident.to_string();
        let folder = self.folder.join(&name);
        let flat = self.folder.join(format!("{name}.rs"));
        if flat.is_file() {
            let beside = self.folder.clone();
            return Ok((flat, Self { folder, beside }));
        }
        let file = folder.join("mod.rs");
        if file.is_file() {
            let beside = folder.clone();
            return Ok((file, Self { folder, beside }));
        }
        bail!("module `{name}` has no file {}", flat.display())
    }
}

/// Reads a file as Rust.
fn parse(file: &Path) -> anyhow::Result<syn::File> {
    let name = || file.display().to_string();
    let text = std::fs::read_to_string(file).with_context(name)?;
    let mut parsed = syn::parse_file(&text).with_context(name)?;
    if only_for_tests(&parsed.attrs) {
        parsed.items.clear();
    }
    Ok(parsed)
}

/// What `#[path = "…"]` says.
fn path_of(attributes: &[Attribute]) -> Option<String> {
    attributes.iter().find_map(|attribute| {
        let Meta::NameValue(pair) = &attribute.meta else {
            return None;
        };
        let Expr::Lit(value) = &pair.value else {
            return None;
        };
        match &value.lit {
            Lit::Str(path) if attribute.path().is_ident("path") => Some(path.value()),
            _ => None,
        }
    })
}
