//! `stone recipe check`.

use std::fs::{self, File};
use std::io::{self, IsTerminal as _, Read as _, Write};
use std::path::Path;

use moss_format::Limits;
use moss_format::recipe::{self, Diagnostic, Recipe, Severity};
use serde::Serialize;

use crate::cli::Check;
use crate::excerpt::{Colours, Excerpt};
use crate::printable;
use crate::talk::Talk;

/// What was found, as JSON.
#[derive(Debug, Serialize)]
struct Document {
    recipes: Vec<Checked>,
    errors: usize,
    warnings: usize,
    notes: usize,
}

#[derive(Debug, Serialize)]
struct Checked {
    file: String,
    findings: Vec<Diagnostic>,
}

/// A recipe is no text.
#[derive(Debug, thiserror::Error)]
#[error("the recipe is not UTF-8: line {line} has other bytes")]
struct NotText {
    line: usize,
}

/// The recipe before the change is needed, and cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("the previous recipe cannot be compared with")]
struct NoPrevious(#[source] recipe::ParseFailure);

pub(crate) fn run(arguments: &Check, talk: &mut Talk, out: &mut dyn Write) -> io::Result<()> {
    let previous = arguments.previous.as_deref();
    let previous = previous.and_then(|path| read_previous(path, talk));
    let colours = if io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none() {
        Colours::Shown
    } else {
        Colours::Left
    };
    let mut document = Document {
        recipes: Vec::new(),
        errors: 0,
        warnings: 0,
        notes: 0,
    };
    for path in &arguments.files {
        let Some(text) = read(path, talk) else {
            continue;
        };
        let findings = check(path, &text, previous.as_ref(), talk);
        for found in &findings {
            match found.severity {
                Severity::Error => document.errors += 1,
                Severity::Warning => document.warnings += 1,
                Severity::Note => document.notes += 1,
            }
        }
        let file = path.display().to_string();
        if !arguments.json {
            let excerpt = Excerpt::new(&file, &text, colours);
            for found in &findings {
                talk.show(&excerpt.show(found));
            }
        }
        document.recipes.push(Checked { file, findings });
    }
    if document.errors > 0 {
        talk.note_input();
    }
    if arguments.json {
        let document = serde_json::to_string_pretty(&document)?;
        return writeln!(out, "{}", printable::json(&document));
    }
    talk.say(summary(&document));
    Ok(())
}

fn read_previous(path: &Path, talk: &mut Talk) -> Option<Recipe> {
    let text = read(path, talk)?;
    match Recipe::parse(&text) {
        Ok((recipe, _)) => Some(recipe),
        Err(failure) => {
            talk.input(path.display(), &NoPrevious(failure));
            None
        }
    }
}

/// The text of a recipe; where there is none, that was said.
fn read(path: &Path, talk: &mut Talk) -> Option<String> {
    let mut bytes = Vec::new();
    // A byte more than allowed is enough to be refused as too large.
    let most = Limits::DEFAULT.recipe as u64 + 1;
    let read = File::open(path).and_then(|file| file.take(most).read_to_end(&mut bytes));
    if let Err(error) = read {
        talk.system(path.display(), &error);
        return None;
    }
    if bytes.len() > Limits::DEFAULT.recipe {
        // It is refused whatever it is; the cut may have gone through a character.
        return Some(String::from_utf8_lossy(&bytes).into_owned());
    }
    match String::from_utf8(bytes) {
        Ok(text) => Some(text),
        Err(error) => {
            let before = error.as_bytes().get(..error.utf8_error().valid_up_to());
            let line = before
                .unwrap_or_default()
                .iter()
                .filter(|byte| **byte == b'\n')
                .count()
                + 1;
            talk.input(path.display(), &NotText { line });
            None
        }
    }
}

fn check(path: &Path, text: &str, previous: Option<&Recipe>, talk: &mut Talk) -> Vec<Diagnostic> {
    let mut findings = match Recipe::parse(text) {
        Ok((recipe, mut findings)) => {
            findings.extend(previous.and_then(|previous| recipe.compare(previous)));
            findings
        }
        Err(failure) => failure.into_diagnostics(),
    };
    findings.extend(beside(path, talk));
    findings.sort_by_key(|found| found.span);
    findings
}

/// What is to be said about the files beside the recipe.
fn beside(path: &Path, talk: &mut Talk) -> Option<Diagnostic> {
    let folder = match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        Some(_) | None => Path::new("."),
    };
    let names: io::Result<Vec<String>> = fs::read_dir(folder).and_then(|entries| {
        let name =
            |entry: io::Result<fs::DirEntry>| Ok(entry?.file_name().to_string_lossy().into_owned());
        entries.map(name).collect()
    });
    match names {
        Ok(names) => Recipe::check_beside(names.iter().map(String::as_str)),
        Err(error) => {
            talk.system(folder.display(), &error);
            None
        }
    }
}

fn summary(document: &Document) -> String {
    let count = |number: usize, what: &str| {
        let plural = if number == 1 { "" } else { "s" };
        format!("{number} {what}{plural}")
    };
    format!(
        "{}: {}, {}, {}",
        count(document.recipes.len(), "recipe"),
        count(document.errors, "error"),
        count(document.warnings, "warning"),
        count(document.notes, "note"),
    )
}
