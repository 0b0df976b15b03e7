//! Every value of a recipe knows where it stands.

use std::fmt::Write as _;

use moss_format::recipe::upstream::{Archive, Git, Unpack, Upstream};
use moss_format::recipe::{
    Contents, Options, Package, PathRule, Position, Profile, Recipe, Script, Scripts, Setting,
    Span, Spanned, Tuning,
};

use super::reading::FULL;

/// The fields of a recipe, a line for each: its place, and the text there.
#[derive(Default)]
struct Listing(String);

/// The byte of `FULL` at a position.
fn byte(position: Position) -> usize {
    let index = |number: u32| usize::try_from(number).unwrap() - 1;
    let lines = FULL.split_inclusive('\n');
    let before: usize = lines.take(index(position.line)).map(str::len).sum();
    let line = &FULL[before..];
    let column = line.char_indices().nth(index(position.column));
    before + column.map_or(line.len(), |(at, _)| at)
}

impl Listing {
    fn place(&mut self, field: &str, span: Span) {
        let Position { line, column } = span.start;
        let end = span.end.expect("it has an end");
        let text = &FULL[byte(span.start)..byte(end)];
        let (to, behind) = (end.line, end.column);
        writeln!(self.0, "{field}: {line}:{column}-{to}:{behind} {text:?}").unwrap();
    }

    fn value<T>(&mut self, field: &str, value: &Spanned<T>) {
        self.place(field, value.span());
    }

    fn values<T>(&mut self, field: &str, values: &[Spanned<T>]) {
        for value in values {
            self.value(field, value);
        }
    }

    fn setting<T>(&mut self, field: &str, setting: &Setting<T>) {
        match setting.span() {
            Some(span) => self.place(field, span),
            None => writeln!(self.0, "{field}: not given").unwrap(),
        }
    }

    fn script(&mut self, field: &str, script: Option<&Script>) {
        if let Some(script) = script {
            self.place(field, script.span());
        }
    }

    // Nothing is left out by `..`: a new field needs a line here.
    fn recipe(&mut self, recipe: &Recipe) {
        let Recipe {
            name,
            version,
            release,
            homepage,
            licenses,
            summary,
            description,
            architectures,
            upstreams,
            builddeps,
            checkdeps,
            contents,
            packages,
            scripts,
            profiles,
            options,
            tuning,
        } = recipe;
        self.value("name", name);
        self.value("version", version);
        self.value("release", release);
        self.value("homepage", homepage);
        self.values("license", licenses);
        self.value("summary", summary);
        self.value("description", description);
        self.values("architectures", architectures);
        for upstream in upstreams {
            self.value("upstream", upstream);
            match upstream.value() {
                Upstream::Archive(archive) => self.archive(archive),
                Upstream::Git(git) => self.git(git),
            }
        }
        self.values("builddeps", builddeps);
        self.values("checkdeps", checkdeps);
        self.contents("", contents);
        for package in packages {
            self.package(package);
        }
        self.scripts("", scripts);
        for profile in profiles {
            self.profile(profile);
        }
        self.options(options);
        for Tuning { name, value } in tuning {
            self.value("tuning", name);
            self.value("tuning value", value);
        }
    }

    fn archive(&mut self, archive: &Archive) {
        let Archive {
            url,
            hash,
            file_name,
            unpack,
        } = archive;
        self.value("archive url", url);
        self.value("archive hash", hash);
        self.value("archive file name", file_name);
        self.setting("archive unpack", unpack);
        if let Some(Unpack { directory, strip }) = unpack.value() {
            self.value("archive directory", directory);
            self.setting("archive strip", strip);
        }
    }

    fn git(&mut self, git: &Git) {
        let Git {
            url,
            reference,
            directory,
        } = git;
        self.value("git url", url);
        self.value("git ref", reference);
        self.value("git directory", directory);
    }

    fn contents(&mut self, of: &str, contents: &Contents) {
        let Contents {
            rundeps,
            paths,
            conflicts,
            provides_exclude,
            rundeps_exclude,
        } = contents;
        self.values(&format!("{of}rundeps"), rundeps);
        for PathRule { pattern, kind } in paths {
            self.value(&format!("{of}path"), pattern);
            self.setting(&format!("{of}path kind"), kind);
        }
        self.values(&format!("{of}conflicts"), conflicts);
        self.values(&format!("{of}provides-exclude"), provides_exclude);
        self.values(&format!("{of}rundeps-exclude"), rundeps_exclude);
    }

    fn package(&mut self, package: &Package) {
        let Package {
            name,
            summary,
            description,
            contents,
        } = package;
        self.value("package", name);
        self.value("package summary", summary.as_ref().unwrap());
        self.value("package description", description.as_ref().unwrap());
        self.contents("package ", contents);
    }

    fn scripts(&mut self, of: &str, scripts: &Scripts) {
        let Scripts {
            environment,
            setup,
            build,
            install,
            check,
            workload,
        } = scripts;
        self.script(&format!("{of}environment"), environment.as_ref());
        self.script(&format!("{of}setup"), setup.as_ref());
        self.script(&format!("{of}build"), build.as_ref());
        self.script(&format!("{of}install"), install.as_ref());
        self.script(&format!("{of}check"), check.as_ref());
        self.script(&format!("{of}workload"), workload.as_ref());
    }

    fn profile(&mut self, profile: &Profile) {
        let Profile {
            name,
            builddeps,
            checkdeps,
            scripts,
        } = profile;
        self.value("profile", name);
        self.values("profile builddeps", builddeps);
        self.values("profile checkdeps", checkdeps);
        self.scripts("profile ", scripts);
    }

    fn options(&mut self, options: &Options) {
        let Options {
            networking,
            toolchain,
            strip,
            debug,
            lastrip,
            emul32,
            cspgo,
            samplepgo,
            mold,
            compressman,
        } = options;
        self.setting("networking", networking);
        self.setting("toolchain", toolchain);
        self.setting("strip", strip);
        self.setting("debug", debug);
        self.setting("lastrip", lastrip);
        self.setting("emul32", emul32);
        self.setting("cspgo", cspgo);
        self.setting("samplepgo", samplepgo);
        self.setting("mold", mold);
        self.setting("compressman", compressman);
    }
}

#[test]
fn every_value_has_its_place() {
    let (recipe, _) = Recipe::parse(FULL).unwrap();
    let mut listing = Listing::default();
    listing.recipe(&recipe);
    insta::assert_snapshot!(listing.0);
}

#[test]
fn what_is_not_given_has_none() {
    let text = "name: a\nversion: '1'\nrelease: 1\nhomepage: x\nlicense: MIT\nsummary: s\n\
                description: d\n";
    let (recipe, _) = Recipe::parse(text).unwrap();
    assert_eq!(recipe.options.strip.span(), None);
    assert!(*recipe.options.strip);
    let (recipe, _) = Recipe::parse(&format!("{text}strip: false\n")).unwrap();
    assert_eq!(
        recipe.options.strip.span(),
        Some(Span::on_line(Position::new(8, 8), 5))
    );
    assert!(!*recipe.options.strip);
}

/// Where escapes, doubled quotes or folding hide a place, the whole script is named, and never
/// another place.
#[test]
fn places_in_scripts_on_one_line_are_those_of_the_source() {
    let head = "name: a\nversion: '1'\nrelease: 1\nhomepage: x\nlicense: MIT\nsummary: s\n\
                description: d\n";
    for (script, is_exact) in [
        ("build: make %nope", true),
        ("build: \"make é %nope\"", true),
        ("build: 'make %nope'", true),
        ("build: \"echo \\\"hi\\\" \\\"x\\\" %nope\"", false),
        ("build: 'echo ''hi'' %nope'", false),
        ("build: make\n  %nope", false),
        ("build: \"make\n  %nope\"", false),
    ] {
        let text = format!("{head}{script}\n");
        let (recipe, _) = Recipe::parse(&text).unwrap();
        let build = recipe.scripts.build.unwrap();
        let at = build.text().find("%nope").unwrap();
        let span = build.span_of(at, 5);
        if !is_exact {
            assert_eq!(span, build.span(), "{script}");
            continue;
        }
        let line = text.lines().nth(span.start.line as usize - 1).unwrap();
        let there = line.chars().skip(span.start.column as usize - 1).take(5);
        assert_eq!(there.collect::<String>(), "%nope", "{script}");
    }
}
