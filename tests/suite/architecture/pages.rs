//! The pages for those who read before they change something: the map is short, and what it and the
//! other pages name is there.

use std::path::{Path, PathBuf};

use super::{read, root};

/// Words above which the map takes longer than ten minutes to read.
const MAX_WORDS: usize = 2000;

#[test]
fn the_map_is_read_in_ten_minutes() {
    let words = read(&root().join("docs/ARCHITECTURE.md"))
        .split_whitespace()
        .count();
    assert!(words < MAX_WORDS, "docs/ARCHITECTURE.md has {words} words");
}

#[test]
fn the_map_and_the_guide_name_files_that_are_there() {
    for page in ["docs/ARCHITECTURE.md", "docs/development.md"] {
        let text = read(&root().join(page));
        let files = sources(&text);
        assert!(files.len() > 10, "{page} names only {files:?}");
        let mut gone = files;
        gone.retain(|file| !root().join(file).exists());
        assert!(gone.is_empty(), "{page} names {gone:?}");
    }
}

#[test]
fn sources_are_found_in_their_context() {
    let text = "| `bot/src/usecase/look.rs`, `domain/plan.rs`, `page.rs` | `db` |\n\
        | `crates/dev/src` and `tests/suite/main.rs`\n`tests.rs` of none, `data/logs`";
    let found = sources(text);
    assert_eq!(
        found,
        [
            "bot/src/usecase/look.rs",
            "bot/src/domain/plan.rs",
            "bot/src/domain/page.rs",
            "crates/dev/src",
            "tests/suite/main.rs",
        ]
        .map(PathBuf::from)
    );
}

#[test]
fn links_between_pages_lead_somewhere() {
    let mut wrong = Vec::new();
    let mut seen = 0;
    for page in pages() {
        let folder = page.parent().expect("it lies in a folder");
        for link in links(&read(&page)) {
            seen += 1;
            let (path, heading) = link.split_once('#').unwrap_or((&link, ""));
            let target = if path.is_empty() {
                page.clone()
            } else {
                folder.join(path)
            };
            let is_there = target.exists();
            if !is_there || !(heading.is_empty() || headings(&read(&target)).contains(heading)) {
                wrong.push(format!("{}: {link}", page.display()));
            }
        }
    }
    assert!(seen > 50, "only {seen} links were seen");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// All pages: those at the top, and those below `docs`.
fn pages() -> Vec<PathBuf> {
    fn below(folder: &Path, pages: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(folder).expect("the folder can be read") {
            let path = entry.expect("the folder can be read").path();
            if path.is_dir() {
                below(&path, pages);
            } else if path.extension().is_some_and(|extension| extension == "md") {
                pages.push(path);
            }
        }
    }
    let mut pages = Vec::new();
    for name in ["README", "CHANGELOG", "CONTRIBUTING", "SECURITY"] {
        pages.push(root().join(name).with_extension("md"));
    }
    below(&root().join("docs"), &mut pages);
    pages.sort();
    pages
}

/// The links of a page that lead to other pages and files.
fn links(page: &str) -> Vec<String> {
    let targets = page.split("](").skip(1);
    let targets = targets.filter_map(|rest| Some(rest.split_once(')')?.0));
    let inside = targets.filter(|target| !target.contains("://"));
    inside.map(str::to_owned).collect()
}

/// The names by which links reach the headings of a page, each between spaces.
fn headings(page: &str) -> String {
    let headings = page.lines().filter(|line| line.starts_with('#'));
    let names = headings.map(|line| {
        let title = line.trim_start_matches('#').trim().to_lowercase();
        let kept = title
            .chars()
            .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
        kept.collect::<String>().replace(' ', "-")
    });
    names.collect::<Vec<_>>().join(" ")
}

/// The sources that a page names as code: from the workspace's root, or shortened where the one
/// before stands in the same crate (`domain/plan.rs`) or in the same folder (`plan.rs`).
fn sources(page: &str) -> Vec<PathBuf> {
    const TOP: [&str; 6] = ["bot/", "builder/", "repo/", "crates/", "tests/", ".ci/"];
    let mut found: Vec<PathBuf> = Vec::new();
    for line in page.lines() {
        let mut before: Option<PathBuf> = None;
        for name in line.split('`').skip(1).step_by(2) {
            let file = if TOP.iter().any(|top| name.starts_with(top)) && !name.contains(' ') {
                Some(PathBuf::from(name))
            } else {
                let before = before.as_deref().filter(|_| name.ends_with(".rs"));
                before.and_then(|before| lengthen(before, name))
            };
            if let Some(file) = file {
                before = Some(file.clone());
                found.push(file);
            }
        }
    }
    found
}

fn lengthen(before: &Path, name: &str) -> Option<PathBuf> {
    if name.contains('/') {
        let source = before.ancestors().find(|folder| folder.ends_with("src"))?;
        return Some(source.join(name));
    }
    Some(before.with_file_name(name))
}
