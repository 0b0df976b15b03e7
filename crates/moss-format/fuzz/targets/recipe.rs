//! Any text as a recipe. It is read or refused, everything said about it stands in it, and its
//! scripts are assembled or refused.

#![no_main]

use std::num::NonZeroU32;

use libfuzzer_sys::fuzz_target;
use moss_format::Limits;
use moss_format::recipe::{Code, Diagnostic, Phase, Recipe};
use moss_format::script::{self, Context, Folders};

fuzz_target!(|text: &str| {
    let findings = match Recipe::parse(text) {
        Ok((recipe, findings)) => {
            let is_refused =
                |found: &Diagnostic| found.code == Code::BadRelease && found.is_error();
            let is_full = findings.len() > Limits::DEFAULT.recipe_findings;
            assert!(is_full || (*recipe.release == 0) == findings.iter().any(is_refused));
            assert!(recipe.compare(&recipe).is_none());
            assemble(&recipe);
            findings
        }
        Err(failure) => {
            assert!(failure.first().is_error());
            failure.into_diagnostics()
        }
    };
    check_places(text, &findings);
});

/// Every finding stands in the text, or right behind it, and they come in its order.
fn check_places(text: &str, findings: &[Diagnostic]) {
    assert!(findings.len() <= Limits::DEFAULT.recipe_findings + 1);
    assert!(findings.is_sorted_by_key(|found| found.span));
    // YAML breaks lines at more than line feeds.
    let breaks = text.chars().filter(|c| matches!(c, '\n' | '\r')).count();
    for found in findings {
        let start = found.span.start;
        assert!(start.line >= 1 && start.column >= 1);
        assert!(start.line as usize <= breaks + 2, "{found}");
        assert!(found.span.end.is_none_or(|end| end >= start), "{found}");
    }
}

fn assemble(recipe: &Recipe) {
    let folder = |path: &str| path.parse().expect("a safe path");
    let folders = Folders {
        pkgdir: folder("/b/pkg"),
        sourcedir: folder("/b/sources"),
        workdir: folder("/b/work"),
        installroot: folder("/b/install"),
        buildroot: folder("/b"),
    };
    let context = Context::new(recipe, folders, NonZeroU32::MIN, 0);
    for phase in Phase::ALL {
        if let Ok(Some(script)) = script::assemble(recipe, phase, &context) {
            assert!(script.len() <= 2 * Limits::DEFAULT.script + (64 << 10));
        }
    }
}
