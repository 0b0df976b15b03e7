//! A difference, file by file, with the annotations of check runs at their lines.

use maud::{Markup, html};

use crate::git::commit::FileStatus;
use crate::git::diff::{Body, Difference, FileDiff, Line, LineKind};
use crate::name::Sha;
use crate::page::check;
use crate::page::look::Place;
use crate::page::text::{address, count, plain};
use crate::state::check_run::{Annotation, CheckRun};

/// Shows what changed up to a commit.
pub(crate) fn show(place: &Place, sha: &Sha, difference: &Difference, runs: &[CheckRun]) -> Markup {
    let additions: usize = difference.files.iter().map(|file| file.additions).sum();
    let deletions: usize = difference.files.iter().map(|file| file.deletions).sum();
    html! {
        p.dim {
            (count(difference.files.len() + difference.omitted, "changed file")) " · "
            span.added { "+" (additions) } " " span.removed { "−" (deletions) }
        }
        @for file in &difference.files { (one(place, sha, file, runs)) }
        @if difference.omitted > 0 {
            p.dim { "… and " (difference.omitted) " more files, which are not shown." }
        }
    }
}

fn one(place: &Place, sha: &Sha, file: &FileDiff, runs: &[CheckRun]) -> Markup {
    let name = html! { code { (plain(&file.path)) } };
    let target = format!("/{}/blob/{sha}/{}", place.name, address(&file.path));
    html! {
        section.file {
            div.head {
                @match file.status {
                    FileStatus::Removed => { (name) span.dim { " removed" } }
                    FileStatus::Added => { a href=(target) { (name) } span.dim { " added" } }
                    FileStatus::Modified => { a href=(target) { (name) } }
                }
                span.counts { span.added { "+" (file.additions) } " " span.removed { "−" (file.deletions) } }
            }
            @match &file.body {
                Body::Binary => { p.dim { "Not text, or too large to be compared." } }
                Body::TooLong => { p.dim { "The difference is too long to be shown." } }
                Body::Hunks(hunks) => {
                    div.scroll.code {
                        table {
                            @for hunk in hunks {
                                tr.hunk { td.n {} td.n {} td { (plain(&hunk.header)) } }
                                @for line in &hunk.lines { (row(line)) (remarks(file, line, runs)) }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn row(line: &Line) -> Markup {
    let class = match line.kind {
        LineKind::Kept => "",
        LineKind::Added => "add",
        LineKind::Removed => "del",
        LineKind::Remark => "dim",
    };
    html! {
        tr class=(class) {
            td.n { @if let Some(number) = line.old { (number) } }
            td.n { @if let Some(number) = line.new { (number) } }
            td { (line.kind.mark()) (plain(&line.text)) }
        }
    }
}

/// What check runs say of a line, below it. A remark on several lines stands below the last.
fn remarks(file: &FileDiff, line: &Line, runs: &[CheckRun]) -> Markup {
    let is_here = |annotation: &&Annotation| {
        annotation.path == file.path && line.new.map(u64::from) == Some(annotation.end_line)
    };
    html! {
        @for run in runs {
            @for annotation in run.annotations.iter().filter(is_here) {
                tr.remark { td.n {} td.n {} td { div.said { (check::remark(&run.name, annotation)) } } }
            }
        }
    }
}
