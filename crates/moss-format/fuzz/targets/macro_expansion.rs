//! Any text as a script. Text without macros stays as it is, doubled percent signs come out single,
//! and nothing grows beyond the limit.

#![no_main]

use std::num::NonZeroU32;

use libfuzzer_sys::fuzz_target;
use moss_format::recipe::Recipe;
use moss_format::script::{self, Context, Folders};

fuzz_target!(|text: &str| {
    check(text, |expanded| {
        assert!(expanded.len() <= moss_format::Limits::DEFAULT.script + (64 << 10));
        if !text.contains('%') {
            assert_eq!(expanded, text);
        }
    });
    check(&text.replace('%', "%%"), |expanded| {
        assert_eq!(expanded, text)
    });
});

/// Reads `text` as the script of a recipe and expands it.
fn check(text: &str, holds: impl FnOnce(&str)) {
    // What JSON quotes, YAML reads.
    let quoted = serde_json::to_string(text).expect("a text");
    let recipe = format!(
        "name: a\nversion: \"1.0\"\nrelease: 1\nhomepage: x\nlicense: MIT\nsummary: x\n\
         description: x\nbuild: {quoted}\n"
    );
    // Characters that YAML does not take, and scripts of nothing but white space.
    let Ok((recipe, _)) = Recipe::parse(&recipe) else {
        return;
    };
    let Some(script) = &recipe.scripts.build else {
        return;
    };
    assert_eq!(script.text(), text);
    let folder = |path: &str| path.parse().expect("a safe path");
    let folders = Folders {
        pkgdir: folder("/b/pkg"),
        sourcedir: folder("/b/sources"),
        workdir: folder("/b/work"),
        installroot: folder("/b/install"),
        buildroot: folder("/b"),
    };
    let context = Context::new(&recipe, folders, NonZeroU32::MIN, 0);
    if let Ok(expanded) = script::expand(script, &context) {
        holds(&expanded);
    }
}
