//! `.pc` files: the packages that one requires.
//!
//! Read here rather than by the `pkg-config` program, because that program resolves what it reads
//! against the host and its output differs between implementations. The syntax is that of
//! pkg-config(1): `name = value` defines a variable, `Key: value` a field, `${name}` expands,
//! `$$` is a dollar, `#` begins a comment, a backslash before the end of a line joins two lines.

use std::collections::{BTreeMap, BTreeSet};

use thiserror::Error;

/// How deep variables may refer to variables.
const DEPTH_LIMIT: usize = 32;
/// How many variables one field may expand.
const STEP_LIMIT: usize = 4096;
/// The longest expanded field, in bytes; it stops variables that double each other.
const FIELD_LIMIT: usize = 64 << 10;

/// Why a `.pc` file could not be read.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(crate) enum Error {
    #[error("the field {field} refers to the variable `{name}`, which is not defined")]
    Undefined { field: String, name: String },
    #[error("the field {field} refers to variables too often or too deep")]
    TooManyVariables { field: String },
    #[error("the field {field} expands to more than {FIELD_LIMIT} bytes")]
    TooLong { field: String },
    #[error("the field {field} has a `${{` without its `}}`")]
    Unclosed { field: String },
}

/// The packages named by `Requires` and `Requires.private`, without their versions.
pub(crate) fn requirements(text: &str) -> Result<BTreeSet<String>, Error> {
    let mut variables: BTreeMap<&str, &str> = BTreeMap::new();
    let mut fields: Vec<(&str, &str)> = Vec::new();
    let joined = text.replace("\\\r\n", " ").replace("\\\n", " ");
    for line in joined.lines() {
        let line = line.split('#').next().unwrap_or_default().trim();
        let Some(at) = line.find([':', '=']) else {
            continue;
        };
        let (name, rest) = line.split_at(at);
        let (name, value) = (name.trim(), rest.get(1..).unwrap_or_default().trim());
        if rest.starts_with('=') {
            variables.insert(name, value);
        } else if matches!(name, "Requires" | "Requires.private") {
            fields.push((name, value));
        }
    }
    let mut names = BTreeSet::new();
    for (field, value) in fields {
        let mut expansion = Expansion {
            field,
            variables: &variables,
            steps: 0,
            out: String::new(),
        };
        expansion.run(value, 0)?;
        names.extend(modules(&expansion.out));
    }
    Ok(names)
}

/// The expansion of one field.
struct Expansion<'a> {
    field: &'a str,
    variables: &'a BTreeMap<&'a str, &'a str>,
    steps: usize,
    out: String,
}

impl Expansion<'_> {
    fn run(&mut self, value: &str, depth: usize) -> Result<(), Error> {
        self.steps += 1;
        if depth > DEPTH_LIMIT || self.steps > STEP_LIMIT {
            return Err(Error::TooManyVariables {
                field: self.field.to_owned(),
            });
        }
        let mut rest = value;
        while let Some((before, after)) = rest.split_once('$') {
            self.push(before)?;
            if let Some(after) = after.strip_prefix('{') {
                let Some((name, tail)) = after.split_once('}') else {
                    return Err(Error::Unclosed {
                        field: self.field.to_owned(),
                    });
                };
                self.variable(name.trim(), depth)?;
                rest = tail;
            } else {
                self.push("$")?;
                rest = after.strip_prefix('$').unwrap_or(after);
            }
        }
        self.push(rest)
    }

    fn variable(&mut self, name: &str, depth: usize) -> Result<(), Error> {
        match self.variables.get(name) {
            Some(value) => self.run(value, depth + 1),
            // pkg-config defines it itself: the folder of the file.
            None if name == "pcfiledir" => Ok(()),
            None => Err(Error::Undefined {
                field: self.field.to_owned(),
                name: name.to_owned(),
            }),
        }
    }

    fn push(&mut self, text: &str) -> Result<(), Error> {
        if self.out.len() + text.len() > FIELD_LIMIT {
            return Err(Error::TooLong {
                field: self.field.to_owned(),
            });
        }
        self.out.push_str(text);
        Ok(())
    }
}

/// The names in a list of modules: `a, b >= 1.2 c = 3`.
fn modules(list: &str) -> Vec<String> {
    let is_operator = |c: char| matches!(c, '<' | '>' | '=' | '!');
    let mut names = Vec::new();
    let mut words = list
        .split(|c: char| c == ',' || c.is_whitespace())
        .filter(|w| !w.is_empty());
    while let Some(word) = words.next() {
        let name = word.split(is_operator).next().unwrap_or_default();
        if !name.is_empty() {
            names.push(name.to_owned());
        }
        // The version stands behind the operator or is the next word.
        if word.ends_with(is_operator) {
            words.next();
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> Vec<String> {
        requirements(text).unwrap().into_iter().collect()
    }

    #[test]
    fn versions_commas_and_operators_are_not_names() {
        for (list, wanted) in [
            ("", vec![]),
            ("a", vec!["a"]),
            ("a b", vec!["a", "b"]),
            ("a, b,c", vec!["a", "b", "c"]),
            ("a >= 1.2, b = 3 c", vec!["a", "b", "c"]),
            ("a>=1.2 b<2", vec!["a", "b"]),
            ("a >=1.2 b", vec!["a", "b"]),
            ("a>= 1.2 b", vec!["a", "b"]),
            ("gtk+-3.0 != 3.0 x11", vec!["gtk+-3.0", "x11"]),
            (", ,a", vec!["a"]),
            ("a >=", vec!["a"]),
        ] {
            assert_eq!(modules(list), wanted, "{list}");
        }
    }

    #[test]
    fn both_fields_count_and_others_do_not() {
        let text = "prefix=/usr\nName: x\nDescription: needs: nothing\nVersion: 1\n\
                    Requires: glib-2.0 >= 2.40\nRequires.private: zlib\nConflicts: old\n\
                    Requires.internal: hidden\nLibs: -L${prefix}/lib -lx\n";
        assert_eq!(read(text), ["glib-2.0", "zlib"]);
    }

    #[test]
    fn variables_comments_and_joined_lines() {
        let text = "extra=zlib ${more}\nmore = libpng\nRequires: a \\\n  b # c\n# Requires: d\n\
                    Requires.private: ${extra}\n";
        assert_eq!(read(text), ["a", "b", "libpng", "zlib"]);
    }

    #[test]
    fn hostile_variables_end_with_an_error() {
        let cycle = requirements("a=${b}\nb=${a}\nRequires: ${a}\n").unwrap_err();
        assert_eq!(
            cycle,
            Error::TooManyVariables {
                field: "Requires".to_owned()
            }
        );
        let bomb = |seed: &str| {
            let mut text = format!("v0={seed}\n");
            for i in 1..30 {
                text.push_str(&format!("v{i}=${{v{}}}${{v{}}}\n", i - 1, i - 1));
            }
            requirements(&(text + "Requires: ${v29}\n")).unwrap_err()
        };
        assert_eq!(
            bomb(&"x".repeat(999)),
            Error::TooLong {
                field: "Requires".to_owned()
            }
        );
        assert_eq!(
            bomb(""),
            Error::TooManyVariables {
                field: "Requires".to_owned()
            }
        );
        let missing = requirements("Requires: ${nothing}\n").unwrap_err();
        assert_eq!(
            missing.to_string(),
            "the field Requires refers to the variable `nothing`, which is not defined"
        );
        assert!(requirements("Requires: ${open\n").is_err());
    }

    proptest! {
        #[test]
        fn never_panics_and_names_are_clean(text in "(?s).{0,200}|(Requires: |[a-z${}=<>,#\\\\\n ]){0,60}") {
            if let Ok(names) = requirements(&text) {
                for name in names {
                    prop_assert!(!name.is_empty());
                    prop_assert!(!name.contains([' ', ',', '<', '>', '=', '!', '\n']));
                }
            }
        }
    }
}
