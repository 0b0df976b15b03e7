use moss_format::recipe::Recipe;

use super::*;

fn recipe(rest: &str) -> Recipe {
    let text = format!(
        "name: app\nversion: \"1.10\"\nrelease: 3\nhomepage: https://example.org\n\
         license: MIT\nsummary: The summary\ndescription: The description\n{rest}"
    );
    match Recipe::parse(&text) {
        Ok((recipe, _)) => recipe,
        Err(failure) => panic!("{failure:?}\n{text}"),
    }
}

fn plan(rest: &str) -> Plan {
    Plan::new(&recipe(rest)).unwrap()
}

fn owner<'a>(plan: &'a Plan, path: &str) -> &'a str {
    let path = InstalledPath::normalise(path).unwrap();
    let number = plan.owner(&path).unwrap();
    &plan.packages()[number].name
}

fn package<'a>(plan: &'a Plan, name: &str) -> &'a Package {
    plan.packages()
        .iter()
        .find(|package| package.name == name)
        .unwrap()
}

fn texts<T: ToString>(set: &BTreeSet<T>) -> Vec<String> {
    set.iter().map(T::to_string).collect()
}

#[test]
fn the_templates_without_a_word_of_the_recipe() {
    let plan = plan("");
    for (path, wanted) in [
        ("/usr/bin/app", "app"),
        ("/usr/share/man/man1/app.1", "app"),
        ("/usr/share/man/man5/app.5", "app"),
        ("/usr/share/.hidden", "app"),
        ("/usr/lib/libapp.so.1", "app"),
        ("/usr/lib/app/plugin.so", "app"),
        ("/usr/share/gtk-doc/html/app/index.html", "app-docs"),
        ("/usr/share/gtk-documents/x", "app"),
        ("/usr/include/app.h", "app-devel"),
        ("/usr/include/app/deep/x.h", "app-devel"),
        ("/usr/include", "app-devel"),
        ("/usr/lib/libapp.a", "app-devel"),
        ("/usr/lib/deep/er/libapp.a", "app-devel"),
        ("/usr/lib/cmake/app/appConfig.cmake", "app-devel"),
        ("/usr/lib/libapp.so", "app-devel"),
        // `*` crosses folders.
        ("/usr/lib/libexec/plugin.so", "app-devel"),
        ("/usr/lib/pkgconfig/app.pc", "app-devel"),
        ("/usr/share/aclocal/app.m4", "app-devel"),
        ("/usr/share/cmake/app.cmake", "app-devel"),
        ("/usr/share/man/man2/app.2", "app-devel"),
        ("/usr/share/man/man3/app.3", "app-devel"),
        ("/usr/share/man/man9/app.9", "app-devel"),
        ("/usr/share/pkgconfig/app.pc", "app-devel"),
        ("/usr/share/gir-1.0/App.gir", "app-devel"),
        ("/usr/share/vala/vapi/app.deps", "app-devel"),
        ("/usr/share/vala/vapi/app.vapi", "app-devel"),
        ("/usr/lib/app.prl", "app-devel"),
        ("/usr/lib/metatypes/app.json", "app-devel"),
        ("/usr/lib/qt6/metatypes/qt6app.json", "app-devel"),
        ("/usr/lib/qt6/mkspecs/app.pri", "app-devel"),
        ("/usr/lib/qt6/modules/App.json", "app-devel"),
        ("/usr/lib/qt6/plugins/designer/app.so", "app-devel"),
        ("/usr/lib/qt6/plugins/app.so", "app"),
        ("/usr/lib/debug/.build-id/ab/cdef.debug", "app-dbginfo"),
        ("/usr/lib/debug/libapp.a", "app-dbginfo"),
        ("/usr/lib32/libapp.so.1", "app-32bit"),
        ("/usr/lib32/app/data", "app-32bit"),
        ("/usr/lib32/libapp.a", "app-32bit-devel"),
        ("/usr/lib32/cmake/x", "app-32bit-devel"),
        ("/usr/lib32/libapp.so", "app-32bit-devel"),
        ("/usr/lib32/pkgconfig/app.pc", "app-32bit-devel"),
        (
            "/usr/lib32/debug/.build-id/ab/cdef.debug",
            "app-32bit-dbginfo",
        ),
        ("/usr/lib/qt5/examples/app/main.cpp", "app-demos"),
        ("/usr/LIB/libapp.a", "app"),
    ] {
        assert_eq!(owner(&plan, path), wanted, "{path}");
    }
}

#[test]
fn the_last_rule_wins_in_the_order_of_the_recipe() {
    let plan = plan(
        "paths:\n    - /usr/lib/libapp.so\n\
         packages:\n\
         - \"%(name)-libs\":\n        paths:\n            - /usr/lib/libapp.so.*\n            \
         - /usr/share/data\n\
         - extra:\n        paths:\n            - /usr/share/data/extra*: any\n",
    );
    // The recipe's own paths come after the templates.
    assert_eq!(owner(&plan, "/usr/lib/libapp.so"), "app");
    assert_eq!(owner(&plan, "/usr/lib/libother.so"), "app-devel");
    assert_eq!(owner(&plan, "/usr/lib/libapp.so.1.2"), "app-libs");
    assert_eq!(owner(&plan, "/usr/share/data/x/y"), "app-libs");
    assert_eq!(owner(&plan, "/usr/share/data/extra-1/y"), "extra");
}

#[test]
fn texts_and_dependencies_of_the_templates() {
    let plan = plan("");
    let list: Vec<String> = plan
        .packages()
        .iter()
        .map(|p| {
            format!(
                "{}: {} | {:?} | {:?}",
                p.name,
                p.summary,
                p.description,
                texts(&p.rundeps)
            )
        })
        .collect();
    insta::assert_snapshot!(list.join("\n"));
}

#[test]
fn a_recipe_package_merges_into_its_template() {
    let plan = plan(
        "rundeps: [zlib]\nconflicts: [nano]\n\
         packages:\n\
         - \"%(name)-devel\":\n        summary: \"Headers of %(name) %(version)-%(release)\"\n        \
         rundeps:\n            - pkgconfig(%(name)-base)\n        paths:\n            - /usr/bin/app-config\n\
         - other:\n        rundeps: [\"%(name)-libs\"]\n",
    );
    let devel = package(&plan, "app-devel");
    assert_eq!(devel.summary, "Headers of app 1.10-3");
    assert_eq!(devel.description, "The description");
    assert_eq!(texts(&devel.rundeps), ["app", "pkgconfig(app-base)"]);
    assert_eq!(owner(&plan, "/usr/bin/app-config"), "app-devel");
    assert_eq!(owner(&plan, "/usr/include/app.h"), "app-devel");
    let other = package(&plan, "other");
    assert_eq!(
        (other.summary.as_str(), texts(&other.rundeps)),
        ("The summary", vec!["app-libs".to_owned()])
    );
    let root = package(&plan, "app");
    assert_eq!(texts(&root.rundeps), ["zlib"]);
    assert_eq!(texts(&root.conflicts), ["nano"]);
    assert_eq!(root.summary, "The summary");
}

fn findings(provides: &[&str], depends: &[&str]) -> Findings {
    Findings {
        provides: provides.iter().map(|text| text.parse().unwrap()).collect(),
        depends: depends.iter().map(|text| text.parse().unwrap()).collect(),
    }
}

#[test]
fn what_a_package_provides_itself_it_does_not_need() {
    let plan = plan("rundeps:\n    - binary(app)\n    - zlib\n");
    let findings = findings(
        &["binary(app)", "soname(libapp.so.1(x86_64))", "plain"],
        &[
            "binary(app)",
            "soname(libapp.so.1(x86_64))",
            "soname(libc.so.6(x86_64))",
        ],
    );
    let root = package(&plan, "app");
    // The explicit dependency on `binary(app)` stays.
    assert_eq!(
        texts(&root.depends(&findings)),
        ["binary(app)", "zlib", "soname(libc.so.6(x86_64))"]
    );
    assert_eq!(
        texts(&root.provides(&findings)),
        ["binary(app)", "soname(libapp.so.1(x86_64))"]
    );
    // Another package of the recipe needs the library.
    let libs = package(&plan, "app-libs");
    let only = self::findings(&[], &["soname(libapp.so.1(x86_64))"]);
    assert_eq!(texts(&libs.depends(&only)), ["soname(libapp.so.1(x86_64))"]);
}

#[test]
fn exclusions_are_regular_expressions_over_the_text_form() {
    let plan = plan(
        "rundeps: [keep-me, drop-me]\n\
         rundeps-exclude:\n    - ^soname\\(libinner\\.so\n    - ^drop\n\
         provides-exclude:\n    - 'plugins/.*\\.so'\n",
    );
    let findings = findings(
        &["soname(plugins/x.so(x86_64))", "soname(libapp.so(x86_64))"],
        &["soname(libinner.so.1(x86_64))", "soname(libc.so.6(x86_64))"],
    );
    let root = package(&plan, "app");
    assert_eq!(
        texts(&root.depends(&findings)),
        ["keep-me", "soname(libc.so.6(x86_64))"]
    );
    assert_eq!(
        texts(&root.provides(&findings)),
        ["soname(libapp.so(x86_64))"]
    );
}

#[test]
fn a_bad_exclusion_names_its_line() {
    let recipe =
        recipe("packages:\n    - extra:\n        provides-exclude:\n            - soname(x\n");
    let error = Plan::new(&recipe).unwrap_err();
    assert_eq!(
        error.to_string(),
        "line 11 of the recipe: `soname(x` in provides-exclude is not a regular expression"
    );
}
