//! Texts made to be dear. How the time grows with their length is measured by the benchmark `recipes`.

use moss_format::Limits;
use moss_format::recipe::{Code, Diagnostic, Recipe};

use super::shapes::{HEAD, SHAPES};

fn findings(text: &str) -> Vec<Diagnostic> {
    match Recipe::parse(text) {
        Ok((_, findings)) => findings,
        Err(failure) => failure.into_diagnostics(),
    }
}

#[test]
fn findings_are_as_many_as_people_read() {
    for shape in SHAPES {
        let text = shape.text(Limits::DEFAULT.recipe - 64);
        assert!(text.len() <= Limits::DEFAULT.recipe);
        let found = findings(&text);
        assert!(
            found.len() <= Limits::DEFAULT.recipe_findings + 1,
            "{}",
            shape.name
        );
        assert!(found.is_sorted_by_key(|found| found.span));
    }
}

#[test]
fn what_is_left_out_is_counted() {
    let text = SHAPES[1].text(Limits::DEFAULT.recipe - 64);
    let written = text.matches("%a").count();
    let (_, found) = Recipe::parse(&text).unwrap();
    let last = found.last().unwrap();
    assert_eq!(last.code, Code::MoreFindings);
    assert!(last.is_error());
    let left_out = written - Limits::DEFAULT.recipe_findings;
    let message = format!("and {left_out} more, {left_out} of them errors");
    assert_eq!(last.message, message);
}

/// An error at the end of a recipe full of warnings is listed, and makes the
/// recipe one that is not read.
#[test]
fn warnings_do_not_hide_an_error() {
    let text = SHAPES[3].text(16 << 10) + "strip: perhaps\nlicense: MIT\n";
    let failure = Recipe::parse(&text).unwrap_err();
    assert_eq!(failure.first().code, Code::BadBoolean);
    let codes = failure
        .diagnostics()
        .iter()
        .filter(|found| found.is_error());
    let codes: Vec<Code> = codes.map(|found| found.code).collect();
    assert_eq!(codes, [Code::BadBoolean, Code::DuplicateKey]);
}

/// Places on one long line are those that counting from its start gives.
#[test]
fn places_on_a_long_line_are_exact() {
    let line = "é %make ".repeat(400);
    let text = format!("{HEAD}license: MIT\nbuild: |\n    {line}\n");
    let (recipe, _) = Recipe::parse(&text).unwrap();
    let script = recipe.scripts.build.unwrap();
    assert_eq!(script.text().trim_end(), line.trim_end());
    for (count, (offset, _)) in script.text().match_indices("%make").enumerate() {
        let span = script.span_of(offset, 5);
        let column = u32::try_from(4 + count * 8 + 3).unwrap();
        assert_eq!((span.start.line, span.start.column), (9, column));
        assert_eq!(span.end.unwrap().column, column + 5);
    }
}

/// Each anchor is a copy of all below it, whether anything refers to it or not.
#[test]
fn anchors_within_anchors_do_not_fill_the_memory() {
    let text = |depth: usize| {
        let anchors: String = (0..depth).map(|level| format!("&a{level} [")).collect();
        let long = "x".repeat(180 << 10);
        format!(
            "{HEAD}license: MIT\nodd: {anchors}{long}{}\n",
            "]".repeat(depth)
        )
    };
    assert!(Recipe::parse(&text(10)).is_ok());
    let failure = Recipe::parse(&text(30)).unwrap_err();
    let said = &failure.first().message;
    assert!(
        said.contains("anchors and aliases copy more than"),
        "{said}"
    );
}
