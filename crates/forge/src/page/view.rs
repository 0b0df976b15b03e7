//! What the pages say.

use std::collections::BTreeSet;

use crate::git::commit::Commit;
use crate::id::RepositoryId;
use crate::name::Sha;
use crate::page::html::Html;
use crate::state::State;
use crate::state::check_run::{Annotation, AnnotationLevel, CheckRun, Conclusion, Status};
use crate::state::comment::Subject;
use crate::state::pull::{Mergeability, PullRequest, State as PullState};

/// Commits shown on a repository's page.
const RECENT: usize = 20;

/// All repositories.
pub(super) fn index(state: &State) -> String {
    let mut page = begin("Forge", "", "Forge");
    page.raw("<ul>");
    for record in state.standing_repositories() {
        let name = state.full_name(record).to_string();
        page.raw("<li>")
            .link(&format!("/{name}"), &name)
            .raw("</li>");
    }
    page.raw("</ul>");
    end(page)
}

/// A repository: the commits with check runs, newest first, and the pull requests.
pub(super) fn repository(state: &State, id: RepositoryId) -> String {
    let record = state.repository(id);
    let name = state.full_name(record).to_string();
    let mut page = begin(&name, &name, "Repository");
    page.raw("<p class=dim><code>")
        .text(&record.default_branch)
        .raw("</code> is the default branch; git clones and pushes at this page's address.</p>");
    page.raw("<h2>Check runs</h2>");
    let mut seen = BTreeSet::new();
    let newest: Vec<&Sha> = state
        .check_runs
        .values()
        .rev()
        .filter(|run| run.repository == id)
        .map(|run| &run.head_sha)
        .filter(|sha| seen.insert(*sha))
        .take(RECENT)
        .collect();
    if newest.is_empty() {
        page.raw("<p class=dim>None yet.</p>");
    }
    for sha in newest {
        page.raw("<h3><code>")
            .link(&format!("/{name}/commit/{sha}/checks"), &sha.as_str()[..12])
            .raw("</code></h3>");
        list(&mut page, &name, &latest(state, id, sha));
    }
    page.raw("<h2>Pull requests</h2><ul>");
    for pull in state
        .pulls
        .values()
        .rev()
        .filter(|pull| pull.repository == id)
    {
        page.raw("<li>")
            .link(
                &format!("/{name}/pull/{}", pull.number),
                format!("#{} {}", pull.number, pull.title),
            )
            .raw(" <span class=dim>")
            .text(word(pull))
            .raw("</span></li>");
    }
    page.raw("</ul>");
    end(page)
}

/// A commit with its check runs, all they say.
pub(super) fn commit(state: &State, id: RepositoryId, commit: &Commit) -> String {
    let name = state.full_name(state.repository(id)).to_string();
    let short = &commit.sha.as_str()[..12];
    let title = format!("{short} · {name}");
    let mut page = begin(&title, &name, "Commit");
    page.raw("<p><code>")
        .text(&commit.sha)
        .raw("</code> <span class=dim>by ");
    page.text(&commit.author.name)
        .raw("</span></p>")
        .block(commit.message.trim_end());
    let runs = latest(state, id, &commit.sha);
    page.raw("<h2>Check runs</h2>");
    if runs.is_empty() {
        page.raw("<p class=dim>None yet.</p>");
    }
    for run in runs {
        detail(&mut page, run);
    }
    comments(&mut page, state, id, |subject| match subject {
        Subject::Commit { sha, .. } => *sha == commit.sha,
        Subject::Pull(_) => false,
    });
    end(page)
}

/// A pull request with the check runs of its head and its comments.
pub(super) fn pull(state: &State, pull: &PullRequest) -> String {
    let id = pull.repository;
    let name = state.full_name(state.repository(id)).to_string();
    let source = state.full_name(state.repository(pull.head.repository));
    let mut page = begin(&format!("#{} · {name}", pull.number), &name, "Pull request");
    page.raw("<h2>")
        .text(format_args!("#{} {}", pull.number, pull.title))
        .raw("</h2><p>");
    page.raw("<b>")
        .text(word(pull))
        .raw("</b> · ")
        .text(&state.account(pull.author).login);
    page.raw(" brings <code>")
        .text(format_args!("{source}:{}", pull.head.branch));
    page.raw("</code> to <code>")
        .text(&pull.base.branch)
        .raw("</code>");
    match (&pull.state, &pull.mergeable) {
        (PullState::Open, Mergeability::Conflicting) => {
            page.raw(" · conflicts with its base");
        }
        (PullState::Open | PullState::Closed { .. } | PullState::Merged { .. }, _) => {}
    }
    page.raw("</p>")
        .block(pull.body.as_deref().unwrap_or_default());
    page.raw("<h2>Check runs</h2><p><code>")
        .link(
            &format!("/{name}/commit/{}/checks", pull.head.sha),
            &pull.head.sha,
        )
        .raw("</code></p>");
    list(&mut page, &name, &latest(state, id, &pull.head.sha));
    comments(&mut page, state, id, |subject| {
        *subject == Subject::Pull(pull.number)
    });
    end(page)
}

/// Nothing is there, or nothing for this reader.
pub(super) fn missing() -> String {
    let mut page = begin("Not found", "", "Not found");
    page.raw("<p>There is nothing here.</p>");
    end(page)
}

fn latest<'state>(state: &'state State, id: RepositoryId, sha: &Sha) -> Vec<&'state CheckRun> {
    let mut names = BTreeSet::new();
    let mut runs: Vec<_> = state
        .check_runs
        .values()
        .rev()
        .filter(|run| run.repository == id && run.head_sha == *sha)
        .filter(|run| names.insert(run.name.as_str()))
        .collect();
    runs.sort_by(|one, other| one.name.cmp(&other.name));
    runs
}

fn list(page: &mut Html, name: &str, runs: &[&CheckRun]) {
    page.raw("<ul class=runs>");
    for run in runs {
        page.raw("<li>");
        badge(page, run);
        let target = format!(
            "/{name}/commit/{}/checks#check-run-{}",
            run.head_sha, run.id
        );
        page.link(&target, &run.name).raw(" <span class=dim>");
        page.text(run.output.title.as_deref().unwrap_or_default())
            .raw("</span></li>");
    }
    page.raw("</ul>");
}

fn detail(page: &mut Html, run: &CheckRun) {
    page.raw("<section id=\"check-run-")
        .text(run.id)
        .raw("\"><h3>");
    badge(page, run);
    page.text(&run.name).raw("</h3>");
    if let Some(title) = &run.output.title {
        page.raw("<p><b>").text(title).raw("</b></p>");
    }
    if let Some(url) = &run.details_url {
        page.raw("<p>").link(url, "Details").raw("</p>");
    }
    for text in [&run.output.summary, &run.output.text]
        .into_iter()
        .flatten()
    {
        page.block(text);
    }
    if !run.annotations.is_empty() {
        page.raw("<table>");
        for annotation in &run.annotations {
            row(page, annotation);
        }
        page.raw("</table>");
    }
    page.raw("</section>");
}

fn row(page: &mut Html, annotation: &Annotation) {
    let level = match annotation.annotation_level {
        AnnotationLevel::Notice => "notice",
        AnnotationLevel::Warning => "warning",
        AnnotationLevel::Failure => "failure",
    };
    page.raw("<tr><td>").text(level).raw("</td><td><code>");
    page.text(format_args!(
        "{}:{}",
        annotation.path, annotation.start_line
    ));
    page.raw("</code></td><td>")
        .text(&annotation.message)
        .raw("</td></tr>");
}

fn badge(page: &mut Html, run: &CheckRun) {
    let (class, word) = match run.status {
        Status::Queued => ("<span class=\"badge wait\">", "queued"),
        Status::InProgress => ("<span class=\"badge busy\">", "in progress"),
        Status::Completed { conclusion, .. } => match conclusion {
            Conclusion::Success => ("<span class=\"badge good\">", "success"),
            Conclusion::Failure => ("<span class=\"badge bad\">", "failure"),
            Conclusion::TimedOut => ("<span class=\"badge bad\">", "timed out"),
            Conclusion::ActionRequired => ("<span class=\"badge busy\">", "action required"),
            Conclusion::Cancelled => ("<span class=\"badge wait\">", "cancelled"),
            Conclusion::Skipped => ("<span class=\"badge wait\">", "skipped"),
            Conclusion::Neutral => ("<span class=\"badge wait\">", "neutral"),
        },
    };
    page.raw(class).text(word).raw("</span> ");
}

fn comments(page: &mut Html, state: &State, id: RepositoryId, wanted: impl Fn(&Subject) -> bool) {
    page.raw("<h2>Comments</h2>");
    let here = state
        .comments
        .values()
        .filter(|comment| comment.repository == id);
    for comment in here.filter(|comment| wanted(&comment.subject)) {
        page.raw("<section><p><b>")
            .text(&state.account(comment.author).login)
            .raw("</b>");
        for reaction in &comment.reactions {
            page.raw(" <span class=dim>")
                .text(reaction.content)
                .raw("</span>");
        }
        page.raw("</p>").block(&comment.body).raw("</section>");
    }
}

const fn word(pull: &PullRequest) -> &'static str {
    match pull.state {
        PullState::Open => "open",
        PullState::Closed { .. } => "closed",
        PullState::Merged { .. } => "merged",
    }
}

fn begin(title: &str, repository: &str, kind: &'static str) -> Html {
    let mut page = Html::default();
    page.raw("<!doctype html><html lang=en><meta charset=utf-8>");
    page.raw("<meta name=viewport content=\"width=device-width\"><title>")
        .text(title);
    page.raw("</title>")
        .raw(STYLE)
        .raw("<header><span class=dim>")
        .raw(kind)
        .raw("</span><h1>");
    page.link(&format!("/{repository}"), repository)
        .raw("</h1></header><main>");
    page
}

fn end(mut page: Html) -> String {
    page.raw("</main></html>\n");
    page.finish()
}

const STYLE: &str = "<style>
:root{color-scheme:light dark;--line:#8884;--dim:#888}
body{font:16px/1.5 system-ui,sans-serif;max-width:56rem;margin:2rem auto;padding:0 1rem}
header{border-bottom:1px solid var(--line);margin-bottom:1rem}h1{margin:0 0 .5rem;font-size:1.5rem}
h2{font-size:1.1rem;margin-top:2rem}h3{font-size:1rem;margin:.5rem 0}a{color:inherit}
.dim{color:var(--dim)}ul{padding-left:1.2rem}.runs{list-style:none;padding:0}
section{border:1px solid var(--line);border-radius:6px;padding:.5rem 1rem;margin:.75rem 0}
pre{white-space:pre-wrap;overflow-wrap:anywhere;background:#8881;padding:.5rem;border-radius:4px}
table{border-collapse:collapse}td{border-top:1px solid var(--line);padding:.25rem .75rem .25rem 0;vertical-align:top}
.badge{display:inline-block;min-width:5.5rem;text-align:center;border-radius:4px;font-size:.8rem;color:#fff}
.good{background:#2a7d3f}.bad{background:#b3261e}.busy{background:#8a6100}.wait{background:#666}
</style>";
