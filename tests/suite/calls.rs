//! The forge answers the calls that summit makes and those that its page names for people, by their
//! paths, and no others: what nobody makes, nobody tests.

use std::collections::BTreeSet;

use crate::architecture::{read, root, rust_files};

/// The source files of a folder, without their tests.
fn sources(folder: &str) -> Vec<String> {
    let files = rust_files(&root().join(folder)).into_iter();
    files
        .map(|file| {
            let text = read(&file);
            let end = text.find("#[cfg(test)]\nmod ").unwrap_or(text.len());
            text[..end].to_owned()
        })
        .collect()
}

/// A path with a star for each part that varies. A repository's full name is two of them, and how
/// refs begin is one, whatever slashes it has.
fn template(path: &str) -> String {
    const REFS: &str = "/git/matching-refs/";
    let path = path.split('?').next().unwrap_or(path);
    let path = path.replacen("/repos/{}", "/repos/{owner}/{name}", 1);
    let path = match path.split_once(REFS) {
        Some((repository, _)) => format!("{repository}{REFS}{{ref}}"),
        None => path,
    };
    let parts = path
        .split('/')
        .map(|part| if part.starts_with('{') { "*" } else { part });
    parts.collect::<Vec<_>>().join("/")
}

/// What stands between two marks, wherever it begins with a part of GitHub's API.
fn paths(text: &str, before: &str, after: char) -> BTreeSet<String> {
    let roots = ["/app/", "/installation/", "/orgs/", "/repos/", "/user/"];
    text.split(before)
        .skip(1)
        .filter_map(|rest| rest.split(after).next())
        .filter(|path| *path == "/user" || roots.iter().any(|root| path.starts_with(root)))
        .map(template)
        .collect()
}

/// The calls that `docs/forge.md` names for people, who make them with `curl`.
fn calls_of_people() -> BTreeSet<String> {
    let page = read(&root().join("docs/forge.md"));
    let (_, rest) = page
        .split_once("Those that people need")
        .expect("the page names them");
    let (list, _) = rest.split_once("\n## ").expect("another section follows");
    paths(list, "`", '`')
}

#[test]
fn the_forge_answers_what_summit_and_people_ask_and_nothing_else() {
    let asked: BTreeSet<String> = sources("bot/src/github")
        .iter()
        .flat_map(|text| paths(text, "\"", '"'))
        .chain(calls_of_people())
        .collect();
    let answered: BTreeSet<String> = sources("crates/forge/src/rest")
        .iter()
        .flat_map(|text| {
            let methods = ["GET", "POST", "PATCH", "PUT", "DELETE"];
            methods.map(|method| paths(text, &format!("/// `{method} "), '`'))
        })
        .flatten()
        .collect();
    assert!(answered.len() >= 10, "only these were seen: {answered:?}");
    assert_eq!(asked, answered);
}
