//! Texts that hide a cost, of any length.

pub(crate) const HEAD: &str = "\
name: a
version: '1'
release: 1
homepage: x
summary: s
description: d
";

/// A text that hides a cost, of about so many bytes.
pub(crate) struct Shape {
    pub(crate) name: &'static str,
    before: &'static str,
    /// What is repeated, with its number in it.
    piece: fn(usize) -> String,
    after: &'static str,
}

pub(crate) const SHAPES: &[Shape] = &[
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
        name: "scripts on one line",
        before: "license: MIT\nprofiles: [",
        piece: |n| format!("{{p{n}: {{build: x}}}}, "),
        after: "{q: {build: x}}]\n",
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
    pub(crate) fn text(&self, bytes: usize) -> String {
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
