//! Imports point down: no modules that stand side by side import each other in a circle.
//!
//! Modules stand side by side if they have the same parent. An arrow from one to another is any
//! path from somewhere in the one to something in the other. What a module shares with its own
//! parent makes no arrow, nor do tests.

use petgraph::algo::tarjan_scc;
use petgraph::graphmap::DiGraphMap;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use syn::visit::{self, Visit};
use syn::{Attribute, Item, ItemMod, ItemUse, UseTree, Visibility};

const ROOTS: [&str; 9] = [
    "journal/src/lib.rs",
    "mvcc/src/lib.rs",
    "tplock/src/lib.rs",
    "workloads/src/lib.rs",
    "workloads/src/main.rs",
    "shuttle-tests/src/lib.rs",
    "shuttle-tests/src/main.rs",
    "shuttle-tests/src/bin/kills/main.rs",
    "benches/src/main.rs",
];

type Module = Vec<String>;

/// A crate as it is written.
#[derive(Default)]
struct Crate {
    modules: BTreeSet<Module>,
    /// What modules hand on under a name of their own.
    exports: BTreeMap<Module, Module>,
    /// Paths, from the crate's root, with the module that they stand in.
    paths: Vec<(Module, Module)>,
}

impl Crate {
    fn read(root: &Path) -> Self {
        let mut read = Self::default();
        let directory = root.parent().expect("a file is in a directory");
        read.read_file(root, directory, Vec::new());
        read
    }

    /// Reads a module and those below it, whose files are in `directory`.
    fn read_file(&mut self, file: &Path, directory: &Path, module: Module) {
        let source = fs::read_to_string(file)
            .unwrap_or_else(|error| panic!("cannot read {}: {error}", file.display()));
        let parsed = syn::parse_file(&source)
            .unwrap_or_else(|error| panic!("cannot parse {}: {error}", file.display()));
        self.modules.insert(module.clone());
        let mut reader = Reader {
            read: self,
            module,
            below: Vec::new(),
        };
        reader.visit_file(&parsed);
        for (module, path) in reader.below {
            let name = module.last().expect("it is below the root");
            let inner = directory.join(name);
            let flat = directory.join(format!("{name}.rs"));
            let file = path.map_or_else(
                || {
                    if flat.exists() {
                        flat
                    } else {
                        inner.join("mod.rs")
                    }
                },
                |path| file.with_file_name(path),
            );
            self.read_file(&file, &inner, module);
        }
    }

    /// The module that a path leads to, through what others hand on.
    fn home(&self, path: &[String]) -> Module {
        let mut path = path.to_vec();
        // Bounded, for modules may hand on to each other.
        for _ in 0..8 {
            let exported = (1..=path.len()).find_map(|end| {
                let target = self.exports.get(&path[..end])?;
                Some(target.iter().chain(&path[end..]).cloned().collect())
            });
            match exported {
                Some(next) => path = next,
                None => break,
            }
        }
        while !self.modules.contains(&path) {
            path.pop();
        }
        path
    }

    /// The arrows between modules that stand side by side, each with one place where it is drawn.
    fn arrows(&self) -> BTreeMap<(Module, Module), String> {
        let mut arrows = BTreeMap::new();
        for (from, path) in &self.paths {
            let to = self.home(path);
            let common = from.iter().zip(&to).take_while(|(a, b)| a == b).count();
            if common < from.len() && common < to.len() {
                let ends = (from[..=common].to_vec(), to[..=common].to_vec());
                let place = format!("{} names {}", from.join("::"), path.join("::"));
                arrows.entry(ends).or_insert(place);
            }
        }
        arrows
    }

    /// The modules of each circle, and the arrows that tie it.
    fn circles(&self) -> Vec<(BTreeSet<String>, Vec<String>)> {
        let arrows = self.arrows();
        let graph: DiGraphMap<&Module, ()> = arrows.keys().map(|(from, to)| (from, to)).collect();
        let circles = tarjan_scc(&graph)
            .into_iter()
            .filter(|circle| circle.len() > 1);
        let described = circles.map(|circle| {
            let ties = arrows
                .iter()
                .filter(|((from, to), _)| circle.contains(&from) && circle.contains(&to));
            let names = circle.iter().map(|module| module.join("::")).collect();
            (names, ties.map(|(_, place)| place.clone()).collect())
        });
        described.collect()
    }
}

/// Reads one file.
struct Reader<'r> {
    read: &'r mut Crate,
    module: Module,
    /// The modules that the file declares, and the files that it names for them.
    below: Vec<(Module, Option<PathBuf>)>,
}

impl Reader<'_> {
    /// A path from the crate's root, if it leads to something in the crate.
    fn resolve(&self, path: &[String]) -> Option<Module> {
        let (first, rest) = path.split_first()?;
        let mut base = match first.as_str() {
            "crate" => Vec::new(),
            "self" => self.module.clone(),
            "super" => self.module.split_last()?.1.to_vec(),
            name => {
                let child = [&self.module[..], &[name.to_owned()]].concat();
                let is_child = self.below.iter().any(|(module, _)| *module == child);
                return is_child.then(|| [&child[..], rest].concat());
            }
        };
        for name in rest {
            match name.as_str() {
                "super" => drop(base.pop()),
                name => base.push(name.to_owned()),
            }
        }
        Some(base)
    }

    fn note(&mut self, path: &[String]) {
        if let Some(path) = self.resolve(path) {
            self.read.paths.push((self.module.clone(), path));
        }
    }

    fn export(&mut self, name: &str, path: &[String]) {
        if let Some(target) = self.resolve(path) {
            let exported = [&self.module[..], &[name.to_owned()]].concat();
            if exported != target {
                self.read.exports.insert(exported, target);
            }
        }
    }

    /// Goes through what a `use` names.
    fn walk(&mut self, tree: &UseTree, path: &mut Vec<String>, is_public: bool) {
        let (end, name) = match tree {
            UseTree::Path(inner) => {
                path.push(inner.ident.to_string());
                self.walk(&inner.tree, path, is_public);
                path.pop();
                return;
            }
            UseTree::Group(group) => {
                for tree in &group.items {
                    self.walk(tree, path, is_public);
                }
                return;
            }
            UseTree::Glob(_) => return self.note(path),
            UseTree::Name(name) => (name.ident.to_string(), name.ident.to_string()),
            UseTree::Rename(names) => (names.ident.to_string(), names.rename.to_string()),
        };
        path.push(end);
        self.note(path);
        if is_public {
            self.export(&name, path);
        }
        path.pop();
    }
}

impl<'ast> Visit<'ast> for Reader<'_> {
    fn visit_file(&mut self, file: &'ast syn::File) {
        for item in &file.items {
            if let Item::Mod(declared) = item
                && declared.content.is_none()
                && !is_test(&declared.attrs)
            {
                let module = [&self.module[..], &[declared.ident.to_string()]].concat();
                self.below.push((module, named_file(&declared.attrs)));
            }
        }
        visit::visit_file(self, file);
    }

    fn visit_item_mod(&mut self, declared: &'ast ItemMod) {
        if declared.content.is_some() && !is_test(&declared.attrs) {
            self.module.push(declared.ident.to_string());
            visit::visit_item_mod(self, declared);
            self.module.pop();
        }
    }

    fn visit_item_use(&mut self, import: &'ast ItemUse) {
        let is_public = !matches!(import.vis, Visibility::Inherited);
        self.walk(&import.tree, &mut Vec::new(), is_public);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let names: Vec<_> = path
            .segments
            .iter()
            .map(|name| name.ident.to_string())
            .collect();
        self.note(&names);
        visit::visit_path(self, path);
    }
}

fn is_test(attributes: &[Attribute]) -> bool {
    let mut cfgs = attributes
        .iter()
        .filter(|attribute| attribute.path().is_ident("cfg"));
    cfgs.any(|cfg| {
        cfg.parse_args::<syn::Path>()
            .is_ok_and(|path| path.is_ident("test"))
    })
}

/// The file that `#[path = ".."]` names.
fn named_file(attributes: &[Attribute]) -> Option<PathBuf> {
    let named = attributes
        .iter()
        .find(|attribute| attribute.path().is_ident("path"))?;
    match &named.meta.require_name_value().ok()?.value {
        syn::Expr::Lit(syn::ExprLit {
            lit: syn::Lit::Str(file),
            ..
        }) => Some(file.value().into()),
        _ => None,
    }
}

fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the workspace is above")
}

#[test]
fn imports_point_down() {
    let mut wrong = Vec::new();
    for root in ROOTS {
        for (circle, arrows) in Crate::read(&workspace().join(root)).circles() {
            wrong.push(format!("{root}: {circle:?}\n    {}", arrows.join("\n    ")));
        }
    }
    assert!(
        wrong.is_empty(),
        "modules import each other in a circle:\n{}",
        wrong.join("\n")
    );
}

#[test]
fn a_circle_is_found_through_what_others_hand_on() {
    let name = |names: &[&str]| {
        names
            .iter()
            .map(|&name| name.to_owned())
            .collect::<Module>()
    };
    let mut read = Crate {
        modules: [name(&[]), name(&["above"]), name(&["below"])].into(),
        exports: [(name(&["Thing"]), name(&["above", "Thing"]))].into(),
        paths: vec![(name(&["above"]), name(&["below", "Other"]))],
    };
    assert!(read.circles().is_empty());
    read.paths.push((name(&["below"]), name(&["Thing"])));
    let circles = read.circles();
    assert_eq!(circles.len(), 1);
    assert_eq!(
        circles[0].0,
        BTreeSet::from(["above".to_owned(), "below".to_owned()])
    );
    assert_eq!(circles[0].1.len(), 2);
}
