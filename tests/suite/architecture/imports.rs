//! Which files import each other. A file imports another when it names an item that is defined there;
//! `mod` lines and what a parent only passes on do not count.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::scan::{Found, items, paths, words};
use super::{is_test, read, root, rust_files};

type Module = Vec<String>;

/// The modules of a crate.
struct Crate {
    modules: BTreeMap<Module, File>,
}

/// One module, and what its file names.
struct File {
    name: String,
    items: BTreeSet<String>,
    found: Vec<Found>,
    words: BTreeMap<String, usize>,
}

/// What a path leads to.
enum Place {
    Module(Module),
    /// An item, in the module that defines it.
    Item(Module),
}

impl Crate {
    /// Reads the files below a folder of sources.
    fn read(src: &Path) -> Self {
        let mut modules = BTreeMap::new();
        for file in rust_files(src) {
            let short = file.strip_prefix(src).unwrap_or(&file);
            if is_test(&file) || short == Path::new("main.rs") {
                continue;
            }
            let name = short.display().to_string();
            let module = module_of(&name);
            let source = read(&file);
            let file = File {
                name,
                items: items(&source).into_iter().collect(),
                found: paths(&module, &source),
                words: words(&source),
            };
            modules.insert(module, file);
        }
        Self { modules }
    }

    /// What `name` is in a module. A name is looked up through what imports it, so often at most.
    fn look_up(&self, module: &Module, name: &str, depth: usize) -> Option<Place> {
        let file = self.modules.get(module)?;
        let mut child = module.clone();
        child.push(name.to_owned());
        if self.modules.contains_key(&child) {
            return Some(Place::Module(child));
        }
        if file.items.contains(name) {
            return Some(Place::Item(module.clone()));
        }
        let imported = file.found.iter().filter(|found| found.called.is_some());
        let mut imported = imported.filter(|found| found.called.as_deref() == Some(name));
        imported.find_map(|found| self.resolve(module, &found.path, depth.checked_sub(1)?))
    }

    /// What a path leads to that a module names.
    fn resolve(&self, module: &Module, path: &[String], depth: usize) -> Option<Place> {
        let (mut at, parts) = match path.first().map(String::as_str) {
            Some("crate") => (Module::new(), &path[1..]),
            _ => (module.clone(), path),
        };
        for part in parts {
            match self.look_up(&at, part, depth)? {
                Place::Module(next) => at = next,
                item @ Place::Item(_) => return Some(item),
            }
        }
        Some(Place::Module(at))
    }

    /// Whom each file imports.
    fn imports(&self) -> BTreeMap<&str, BTreeSet<&str>> {
        let mut imports: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for (module, file) in &self.modules {
            let passed_on = self.passed_on(module);
            for found in &file.found {
                if found
                    .called
                    .as_ref()
                    .is_some_and(|name| passed_on.contains(name))
                {
                    continue;
                }
                if let Some(Place::Item(other)) = self.resolve(module, &found.path, 8)
                    && other != *module
                {
                    let other = self.modules[&other].name.as_str();
                    imports.entry(&file.name).or_default().insert(other);
                }
            }
        }
        imports
    }

    /// The names that a module takes from its children and does not use itself.
    fn passed_on(&self, module: &Module) -> BTreeSet<String> {
        let file = &self.modules[module];
        let is_of_child = |found: &&Found| {
            let place = self.resolve(module, &found.path, 8);
            matches!(place, Some(Place::Item(other)) if other.starts_with(module) && other != *module)
        };
        let taken = file.found.iter().filter(|found| found.called.is_some());
        let taken = taken.filter(is_of_child);
        let names = taken.filter_map(|found| found.called.clone());
        names.filter(|name| !file.uses(name)).collect()
    }
}

impl File {
    /// True when the file names what it has imported, beyond importing it.
    fn uses(&self, name: &str) -> bool {
        self.words.get(name).is_some_and(|count| *count > 1)
    }
}

/// `domain/build.rs` is the module `domain::build`.
fn module_of(file: &str) -> Module {
    let module = file.trim_end_matches(".rs").split('/');
    let module: Module = module.map(str::to_owned).collect();
    match module.as_slice() {
        [top] if top == "lib" => Module::new(),
        _ => module,
    }
}

/// The files that lead to each other over imports, each such group once.
fn circles(imports: &BTreeMap<&str, BTreeSet<&str>>) -> Vec<BTreeSet<String>> {
    let mut reached: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for file in imports.keys() {
        let mut open = vec![*file];
        let mut seen = BTreeSet::new();
        while let Some(at) = open.pop() {
            let next = imports.get(at).into_iter().flatten();
            open.extend(next.filter(|other| seen.insert(**other)));
        }
        reached.insert(file, seen);
    }
    let leads = |from: &str, to: &str| reached.get(from).is_some_and(|seen| seen.contains(to));
    let mut found = BTreeSet::new();
    for (file, seen) in &reached {
        let back = seen.iter().filter(|other| leads(other, file));
        let circle: BTreeSet<String> = back.map(|other| (*other).to_owned()).collect();
        if circle.len() > 1 {
            found.insert(circle);
        }
    }
    found.into_iter().collect()
}

/// The circles of a crate, with who imports whom in them.
fn told(src: &str) -> String {
    let read = Crate::read(&root().join(src));
    let imports = read.imports();
    let mut lines = Vec::new();
    for circle in circles(&imports) {
        lines.push(format!("{src}: a circle of {}", circle.len()));
        for file in &circle {
            let of = &imports[file.as_str()];
            let others: Vec<&str> = of
                .iter()
                .copied()
                .filter(|of| circle.contains(*of))
                .collect();
            lines.push(format!("  {file} imports {}", others.join(", ")));
        }
    }
    lines.join("\n")
}

#[test]
fn no_files_of_summit_import_each_other() {
    assert_eq!(told("bot/src"), "");
}

/// What is left elsewhere. Who takes a circle apart takes it out here; a new one is not to come in.
#[test]
fn the_circles_of_other_crates_are_known() {
    let mut told = Vec::new();
    for crate_ in ["repo", "builder"] {
        told.push(self::told(&format!("{crate_}/src")));
    }
    let crates = std::fs::read_dir(root().join("crates")).expect("there are crates");
    let mut crates: Vec<_> = crates
        .filter_map(|entry| Some(entry.ok()?.file_name()))
        .collect();
    crates.sort();
    for name in crates {
        let src = format!("crates/{}/src", name.display());
        if root().join(&src).is_dir() {
            told.push(self::told(&src));
        }
    }
    told.retain(|told| !told.is_empty());
    insta::assert_snapshot!(told.join("\n"));
}

#[test]
fn imports_are_found_behind_what_is_passed_on() {
    let file = |name: &str, source: &str| {
        let module = module_of(name);
        let file = File {
            name: name.to_owned(),
            items: items(source).into_iter().collect(),
            found: paths(&module, source),
            words: words(source),
        };
        (module, file)
    };
    let read = Crate {
        modules: BTreeMap::from([
            file(
                "lib.rs",
                "mod a; pub mod b; pub use a::A as Known; use b::B; fn f(b: B) {}",
            ),
            // Through the parent's other name for it, and through a module.
            file("a.rs", "pub struct A; fn f() { crate::b::inner::go() }"),
            file(
                "b.rs",
                "pub mod inner; mod tests { use crate::Known; } pub struct B;",
            ),
            file(
                "b/inner.rs",
                "use crate::{b, Known}; pub fn go(a: Known) -> b::B {}",
            ),
        ]),
    };
    let imports = read.imports();
    let told: Vec<String> = imports
        .iter()
        .map(|(file, of)| format!("{file}: {of:?}"))
        .collect();
    let expected = [
        r#"a.rs: {"b/inner.rs"}"#,
        r#"b/inner.rs: {"a.rs", "b.rs"}"#,
        r#"lib.rs: {"b.rs"}"#,
    ];
    assert_eq!(told, expected);
    let circle = BTreeSet::from(["a.rs", "b/inner.rs"].map(str::to_owned));
    assert_eq!(circles(&imports), [circle]);
}
