//! From scripts to bash.

use std::collections::BTreeSet;
use std::fs;
use std::num::NonZeroU32;
use std::path::Path;
use std::process::Command;

use anyhow::{Result, ensure};
use moss_format::Limits;
use moss_format::recipe::{Code, Diagnostic, Phase, Recipe};
use moss_format::script::{self, Context, Folders, Problem, Toolchain};
use proptest::prelude::*;

/// A recipe with this build script.
fn recipe(build: &str) -> Recipe {
    let body: String = build.lines().map(|line| format!("    {line}\n")).collect();
    let text = format!(
        "name: demo\nversion: \"1.0\"\nrelease: 3\nhomepage: x\nlicense: MIT\nsummary: s\n\
         description: d\nenvironment: |\n    export DEMO=%(version)\nbuild: |\n{body}"
    );
    Recipe::parse(&text).unwrap().0
}

pub(crate) fn context(recipe: &Recipe, root: &str) -> Result<Context> {
    let folders = Folders {
        pkgdir: format!("{root}/recipe/pkg").parse()?,
        sourcedir: format!("{root}/sources").parse()?,
        workdir: format!("{root}/build/demo").parse()?,
        installroot: format!("{root}/install").parse()?,
        buildroot: format!("{root}/build").parse()?,
    };
    let mut context = Context::new(recipe, folders, NonZeroU32::MIN, 1_700_000_000);
    context.toolchain = Toolchain::gnu();
    Ok(context)
}

fn expand(build: &str) -> Result<String, script::ExpandError> {
    let recipe = recipe(build);
    let context = context(&recipe, "/b").unwrap();
    script::expand(recipe.scripts.build.as_ref().unwrap(), &context)
}

#[test]
fn macros_are_replaced_as_text() {
    let cases = [
        ("x", "x\n"),
        (
            "%install_dir %(installroot)/x",
            "install -dm00755 /b/install/x\n",
        ),
        (
            "%make -C sub && ls",
            "make VERBOSE=1 -j \"1\" -C sub && ls\n",
        ),
        ("%(libdir)32 %(libexecdir)", "/usr/lib32 /usr/lib/demo\n"),
        ("printf %%s%% 100% %( %) %-d", "printf %s% 100% %( %) %-d\n"),
        ("# a comment with %(name)", "# a comment with demo\n"),
        ("%(name)3-%(version)-%(release)", "demo3-1.0-3\n"),
    ];
    for (text, expanded) in cases {
        assert_eq!(expand(text).as_deref(), Ok(expanded), "{text}");
    }
}

#[test]
fn undefined_names_say_where_they_stand() {
    let error = expand("ok\n  cd %(nowhere)").unwrap_err();
    assert_eq!(
        error.problem,
        Problem::UnknownDefinition("nowhere".to_owned())
    );
    assert_eq!((error.span.start.line, error.span.start.column), (12, 10));
    insta::assert_snapshot!(Diagnostic::from(error).to_string());
    let error = expand("printf %s x").unwrap_err();
    insta::assert_snapshot!(error.to_string());
}

#[test]
fn a_phase_becomes_one_script() -> Result<()> {
    let recipe = recipe("%configure --disable-static\n%make");
    let context = context(&recipe, "/b")?;
    let script = script::assemble(&recipe, Phase::Build, &context)?;
    insta::assert_snapshot!(script.unwrap_or_default());
    assert_eq!(script::assemble(&recipe, Phase::Check, &context)?, None);
    Ok(())
}

#[test]
fn every_macro_expands() -> Result<()> {
    let mut table = Vec::new();
    let names: BTreeSet<&str> = script::action_names().collect();
    assert_eq!(names.len(), script::action_names().count());
    for name in script::definition_names() {
        table.push(format!(
            "%({name}) = {}",
            expand(&format!("%({name})"))?.trim_end()
        ));
    }
    for name in names {
        table.push(format!(
            "%{name} = {}",
            expand(&format!("%{name}"))?.trim_end()
        ));
    }
    insta::assert_snapshot!(table.join("\n"));
    Ok(())
}

/// Runs the build script of a recipe and gives the folder it ran in.
fn run(build: &str, prepare: impl Fn(&Path) -> Result<()>) -> Result<tempfile::TempDir> {
    let folder = tempfile::tempdir()?;
    let root = folder.path().to_str().unwrap();
    let work = folder.path().join("build/demo");
    fs::create_dir_all(&work)?;
    prepare(&work)?;
    let recipe = recipe(build);
    let script = script::assemble(&recipe, Phase::Build, &context(&recipe, root)?)?;
    let output = Command::new("bash")
        .arg("-c")
        .arg(script.unwrap_or_default())
        .output()?;
    ensure!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(folder)
}

#[test]
fn files_are_installed_as_asked() -> Result<()> {
    let folder = run(
        "%install_file a %(installroot)%(datadir)/a\n\
         %install_bin a b\n\
         %install_exe a %(installroot)%(libexecdir)/run\n\
         %install_dir %(installroot)%(sysconfdir)/d\n\
         %tmpfiles \"d /run/demo 0755 - - -\"\n\
         %tmpfiles d '/run/x y'\n\
         %sysusers 'u demo - \"A demo\"'\n\
         VALUE=1 %cargo_install\n\
         %cargo_install other && echo \"$DEMO\" > %(installroot)/demo",
        |work| {
            let target = work.join("target/x86_64-unknown-linux-gnu/release");
            fs::create_dir_all(&target)?;
            for file in [
                work.join("a"),
                work.join("b"),
                target.join("demo"),
                target.join("other"),
            ] {
                fs::write(file, "x")?;
            }
            Ok(())
        },
    )?;
    let install = folder.path().join("install");
    let read = |path: &str| fs::read_to_string(install.join(path));
    for path in [
        "usr/share/a",
        "usr/bin/a",
        "usr/bin/b",
        "usr/lib/demo/run",
        "usr/bin/demo",
        "usr/bin/other",
    ] {
        assert_eq!(read(path)?, "x", "{path}");
    }
    assert!(install.join("etc/d").is_dir());
    assert_eq!(
        read("usr/lib/tmpfiles.d/demo.conf")?,
        "d /run/demo 0755 - - -\nd /run/x y\n"
    );
    assert_eq!(
        read("usr/lib/sysusers.d/demo.conf")?,
        "u demo - \"A demo\"\n"
    );
    assert_eq!(read("demo")?, "1.0\n");
    Ok(())
}

#[test]
fn configure_and_make_get_their_arguments() -> Result<()> {
    let folder = run(
        "CC=other %configure --disable-static\n%make extra=1\n%make_install",
        |work| {
            fs::write(work.join("configure"), "echo \"$CC $*\" > configured\n")?;
            fs::write(
                work.join("Makefile"),
                "all:\n\techo $(extra) $(VERBOSE) > made\ninstall:\n\tmkdir -p $(DESTDIR)\n\tcp made configured $(DESTDIR)\n",
            )?;
            Ok(())
        },
    )?;
    let install = folder.path().join("install");
    let configured = fs::read_to_string(install.join("configured"))?;
    assert!(
        configured.starts_with("other --prefix=/usr --bindir=/usr/bin"),
        "{configured}"
    );
    assert!(
        configured.ends_with("--libexecdir=/usr/lib/demo --disable-static\n"),
        "{configured}"
    );
    assert_eq!(fs::read_to_string(install.join("made"))?, "1 1\n");
    Ok(())
}

#[test]
fn a_failing_command_ends_the_script() {
    let fails = |build| run(build, |_| Ok(())).is_err();
    assert!(fails("false\ntrue"));
    assert!(fails("false | true"));
    assert!(fails("echo $NOT_SET"));
    assert!(!fails("true\nfalse || true"));
}

proptest! {
    #[test]
    fn any_script_expands_or_is_refused(text in "[a-z%() \n\\$'\"é]{0,80}") {
        let _ = expand(&format!("x{text}"));
    }

    #[test]
    fn text_without_percent_signs_is_untouched(text in "[a-zé$(){}\"']{1,40}") {
        prop_assert_eq!(expand(&text), Ok(format!("{text}\n")));
    }

    #[test]
    fn doubled_percent_signs_are_halved(text in "[a-z(%]{1,40}") {
        let doubled = text.replace('%', "%%");
        prop_assert_eq!(expand(&doubled), Ok(format!("{text}\n")));
    }
}

/// What no builder could expand is an error before anyone tries, whatever a builder's folders are.
#[test]
fn a_script_that_grows_beyond_the_limit_is_an_error() {
    let limits = Limits {
        script: 1000,
        ..Limits::default()
    };
    let text = |count: usize| {
        let lines = "    %(options_configure)\n".repeat(count);
        format!(
            "name: demo\nversion: \"1.0\"\nrelease: 3\nhomepage: x\nlicense: MIT\nsummary: s\n\
             description: d\nbuild: |\n{lines}"
        )
    };
    let found = |count| Recipe::parse_within(&text(count), &limits).unwrap().1;
    assert_eq!(found(1), []);
    let many = found(100);
    assert_eq!(many.len(), 1, "{many:?}");
    assert_eq!(
        (many[0].code, many[0].is_error()),
        (Code::ExpansionLimit, true)
    );
    assert!(many[0].span.start.line > 9, "where it becomes too large");
    // A builder with this limit refuses it too, and one with the default does not.
    let recipe = Recipe::parse(&text(100)).unwrap().0;
    let mut context = context(&recipe, "/b").unwrap();
    assert!(script::assemble(&recipe, Phase::Build, &context).is_ok());
    context.limits = limits;
    let refused = script::assemble(&recipe, Phase::Build, &context).unwrap_err();
    assert_eq!(refused.problem, Problem::TooLarge(1000));
}

#[test]
fn macros_stand_within_macros_only_so_deep() {
    let recipe = recipe("%configure");
    let mut context = context(&recipe, "/b").unwrap();
    let build = recipe.scripts.build.as_ref().unwrap();
    assert!(script::expand(build, &context).is_ok());
    context.limits.script_depth = 1;
    let refused = script::expand(build, &context).unwrap_err();
    assert_eq!(refused.problem, Problem::TooDeep(1));
}
