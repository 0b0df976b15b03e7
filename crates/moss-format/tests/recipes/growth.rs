//! Texts made to be dear: reading takes time in proportion to their length.

use std::time::{Duration, Instant};

use moss_format::Limits;
use moss_format::recipe::{Code, Diagnostic, Recipe};

const HEAD: &str = "\
name: a
version: '1'
release: 1
homepage: x
summary: s
description: d
";

/// A text that hides a cost, of about so many bytes.
struct Shape {
    name: &'static str,
    before: &'static str,
    /// What is repeated, with its number in it.
    piece: fn(usize) -> String,
    after: &'static str,
}

const SHAPES: &[Shape] = &[
    Shape {
        name: "unknown actions, each on a line",
        before: "license: MIT\nbuild: |\n",
        piece: |_| "    %a\n".to_owned(),
        after: "",
    },
    Shape {
        name: "unknown actions on one line",
        before: "license: MIT\nbuild: |\n    ",
        piece: |_| "%a ".to_owned(),
        after: "\n",
    },
    Shape {
        name: "unknown definitions of different names",
        before: "license: MIT\nbuild: |\n",
        piece: |n| format!("    %(jobz{n})\n"),
        after: "",
    },
    Shape {
        name: "unknown keys",
        before: "license: MIT\n",
        piece: |n| format!("k{n}: 1\n"),
        after: "",
    },
    Shape {
        name: "one key again and again",
        before: "license: MIT\n",
        piece: |_| "check: x\n".to_owned(),
        after: "",
    },
    Shape {
        name: "packages",
        before: "license: MIT\npackages:\n",
        piece: |n| format!("  - p{n}: {{summary: x}}\n"),
        after: "",
    },
    Shape {
        name: "scripts",
        before: "license: MIT\nprofiles:\n",
        piece: |n| format!("  - p{n}:\n      build: |\n        x\n"),
        after: "",
    },
    Shape {
        name: "licences that nobody knows",
        before: "license:\n",
        piece: |n| format!("  - Apachee-{n}.0\n"),
        after: "",
    },
    Shape {
        name: "one long licence",
        before: "license: ",
        piece: |_| "MIT OR ".to_owned(),
        after: "MIT\n",
    },
    Shape {
        name: "a licence of parentheses",
        before: "license: ",
        piece: |_| "(".to_owned(),
        after: "MIT\n",
    },
    Shape {
        name: "definitions that are not replaced",
        before: "license: MIT\nrundeps:\n  - \"",
        piece: |_| "%(x)".to_owned(),
        after: "\"\n",
    },
    Shape {
        name: "dependencies that are none",
        before: "license: MIT\nbuilddeps:\n",
        piece: |_| "  - so(x\n".to_owned(),
        after: "",
    },
    Shape {
        name: "aliases of a script",
        before: "license: MIT\nbuild: &x |\n    %a\n    %b\nprofiles:\n",
        piece: |_| "  - x: {build: *x}\n".to_owned(),
        after: "",
    },
    Shape {
        name: "a text in quotes",
        before: "license: MIT\nbuild: \"",
        piece: |_| "\\n%x".to_owned(),
        after: "\"\n",
    },
    Shape {
        name: "a folded text",
        before: "license: MIT\nbuild: >\n",
        piece: |_| "    %x\n".to_owned(),
        after: "",
    },
    Shape {
        name: "patterns",
        before: "license: MIT\npaths:\n",
        piece: |_| "  - /[*?[a-\n".to_owned(),
        after: "",
    },
    Shape {
        name: "comments",
        before: "license: MIT\n",
        piece: |_| "# %a\n".to_owned(),
        after: "",
    },
    Shape {
        name: "percent signs",
        before: "license: MIT\nbuild: |\n    ",
        piece: |_| "% %( %(a ".to_owned(),
        after: "\n",
    },
];

impl Shape {
    fn text(&self, bytes: usize) -> String {
        let mut text = format!("{HEAD}{}", self.before);
        let mut number = 0;
        while text.len() < bytes {
            text.push_str(&(self.piece)(number));
            number += 1;
        }
        text.push_str(self.after);
        text
    }
}

fn findings(text: &str) -> Vec<Diagnostic> {
    match Recipe::parse(text) {
        Ok((_, findings)) => findings,
        Err(failure) => failure.into_diagnostics(),
    }
}

/// The least of several measurements: whatever else the machine does only adds.
fn time(text: &str) -> Duration {
    let once = |_| {
        let start = Instant::now();
        findings(text);
        start.elapsed()
    };
    (0..5).map(once).min().unwrap()
}

/// Eight times the text takes eight times as long, and would take 64 times as
/// long if the work grew with the square. Half way between is 23.
#[test]
fn the_time_grows_with_the_length() {
    for shape in SHAPES {
        let (short, long) = (shape.text(24 * 1024), shape.text(8 * 24 * 1024));
        let (short, long) = (time(&short), time(&long));
        let ratio = long.as_secs_f64() / short.as_secs_f64();
        assert!(ratio < 23.0, "{}: {short:?}, then {long:?}", shape.name);
    }
}

#[test]
fn findings_are_as_many_as_people_read() {
    for shape in SHAPES {
        let text = shape.text(Limits::DEFAULT.recipe - 64);
        assert!(text.len() <= Limits::DEFAULT.recipe);
        let found = findings(&text);
        assert!(found.len() <= Limits::DEFAULT.recipe_findings + 1, "{}", shape.name);
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
