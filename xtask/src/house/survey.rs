//! Measures the sources: sizes, and the arrows between modules.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow};

use super::arrows::{self, Arrows};
use super::plan::Plan;
use super::source::Tree;
use super::workspace::{self, Package};

/// What was found.
#[derive(Debug, Default)]
pub struct Survey {
    /// All crates of the workspace.
    pub packages: Vec<Package>,
    /// Those of the product, by their place in the order, then by name.
    pub crates: Vec<Crate>,
    /// Tests' files by folder.
    pub tests: BTreeMap<String, Vec<File>>,
}

/// A crate of the product.
#[derive(Debug, Default)]
pub struct Crate {
    pub name: String,
    pub arrows: Arrows,
    /// Files below `src` that the product is built from.
    pub files: Vec<File>,
    /// Files below `src` that no module declares.
    pub stray: Vec<PathBuf>,
}

/// A file, from the root of the repository.
#[derive(Debug, Clone)]
pub struct File {
    pub path: PathBuf,
    pub lines: usize,
}

impl Survey {
    /// Reads everything.
    pub fn take(root: &Path, plan: &Plan) -> anyhow::Result<Self> {
        let mut survey = Self {
            packages: workspace::packages(root)?,
            ..Self::default()
        };
        let place = |package: &Package| {
            (
                plan.level(&package.name).unwrap_or(usize::MAX),
                package.name.clone(),
            )
        };
        survey.packages.sort_by_key(place);
        let product =
            |package: &&Package| plan.product.iter().any(|folder| package.is_below(folder));
        let product: Vec<_> = survey.packages.iter().filter(product).collect();
        for (package, measured) in product.iter().zip(measure_all(root, &product)) {
            let (found, tests) = measured?;
            survey.crates.push(found);
            let folder = package.folder.display().to_string();
            survey.tests.insert(folder, tests);
        }
        // Crates of tests, and what stands beside them in no workspace.
        for folder in folders(&root.join("tests"))? {
            let files = read(root, rust_files(&folder)?)?;
            let folder = folder.strip_prefix(root)?.display().to_string();
            survey.tests.insert(folder, files);
        }
        survey.tests.retain(|_, files| !files.is_empty());
        Ok(survey)
    }
}

impl Crate {
    /// Lines of all its files.
    pub fn lines(&self) -> usize {
        self.files.iter().map(|file| file.lines).sum()
    }

    /// Lines of the file in the middle.
    pub fn median(&self) -> usize {
        let mut lines: Vec<_> = self.files.iter().map(|file| file.lines).collect();
        lines.sort_unstable();
        lines.get(lines.len() / 2).copied().unwrap_or_default()
    }
}

/// Crates, and their tests' files. All at once: parsing is what takes long.
fn measure_all(root: &Path, packages: &[&Package]) -> Vec<anyhow::Result<(Crate, Vec<File>)>> {
    std::thread::scope(|scope| {
        let packages = packages.iter().copied();
        let threads: Vec<_> = packages
            .map(|package| {
                let named = || package.name.clone();
                scope.spawn(move || measure(root, package).with_context(named))
            })
            .collect();
        let threads = threads.into_iter();
        threads
            .map(|thread| thread.join().map_err(|_| anyhow!("a reader panicked"))?)
            .collect()
    })
}

/// A crate, and its tests' files.
fn measure(root: &Path, package: &Package) -> anyhow::Result<(Crate, Vec<File>)> {
    let trees = trees(root, package)?;
    let folder = root.join(&package.folder);
    let mut sources = rust_files(&folder.join("src"))?;
    let mut tests = rust_files(&folder.join("tests"))?;
    let built: BTreeSet<_> = trees.iter().flat_map(|tree| &tree.files).collect();
    let only_tests = trees.iter().flat_map(|tree| &tree.tests);
    let only_tests: BTreeSet<_> = only_tests.filter(|file| !built.contains(file)).collect();
    let stray = |file: &&PathBuf| !built.contains(file) && !only_tests.contains(file);
    let stray = sources.iter().filter(stray);
    let stray = stray.map(|file| from_root(root, file)).collect();
    sources.retain(|file| built.contains(file));
    tests.extend(only_tests.into_iter().cloned());
    let found = Crate {
        name: package.name.clone(),
        arrows: arrows_of(root, &trees),
        files: read(root, sources)?,
        stray,
    };
    Ok((found, read(root, tests)?))
}

/// The arrows of a crate whose sources are below this root.
pub fn arrows(root: &Path, package: &Package) -> anyhow::Result<Arrows> {
    Ok(arrows_of(root, &trees(root, package)?))
}

fn trees(root: &Path, package: &Package) -> anyhow::Result<Vec<Tree>> {
    let roots = package.roots.iter();
    roots.map(|file| Tree::read(&root.join(file))).collect()
}

/// The arrows of a library and of its programs, whose modules bear the program's name.
fn arrows_of(root: &Path, trees: &[Tree]) -> Arrows {
    let mut all = Arrows::new();
    for (number, tree) in trees.iter().enumerate() {
        let program = tree.get(Tree::ROOT).map_or("", |root| root.name.as_str());
        let name = |name: String| match number > 0 && name != program {
            true => format!("{program}::{name}"),
            false => name,
        };
        let arrows = arrows::of(tree, root).into_iter();
        all.extend(arrows.map(|((from, to), arrow)| ((name(from), name(to)), arrow)));
    }
    all
}

fn read(root: &Path, files: Vec<PathBuf>) -> anyhow::Result<Vec<File>> {
    let file = |path: PathBuf| {
        let text = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        Ok(File {
            path: from_root(root, &path),
            lines: text.lines().count(),
        })
    };
    files.into_iter().map(file).collect()
}

fn from_root(root: &Path, path: &Path) -> PathBuf {
    path.strip_prefix(root).unwrap_or(path).to_owned()
}

/// All Rust files below a folder; none if there is no such folder.
fn rust_files(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for path in entries(folder)? {
        if path.is_dir() {
            files.extend(rust_files(&path)?);
        } else if path.extension().is_some_and(|end| end == "rs") {
            files.push(path);
        }
    }
    Ok(files)
}

fn folders(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut folders = entries(folder)?;
    folders.retain(|path| path.is_dir());
    Ok(folders)
}

/// What a folder holds, without what was built there.
fn entries(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        if name != "target" && !name.to_string_lossy().starts_with('.') {
            paths.push(entry.path());
        }
    }
    paths.sort();
    Ok(paths)
}
