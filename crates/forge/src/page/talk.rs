//! Comments, and the form for one more.

use jiff::Timestamp;
use maud::{Markup, html};

use crate::page::door::Visitor;
use crate::page::form::{Fields, form};
use crate::page::look::{Place, Said};
use crate::page::refusal::Refusal;
use crate::page::text::{plain, time};
use crate::page::{frame, markdown};
use crate::rest::comment::MAX_BODY;

/// What was said, oldest first. `anchor` is GitHub's word for it in addresses.
pub(crate) fn comments(said: &[Said], anchor: &str, now: Timestamp) -> Markup {
    html! {
        @for one in said {
            section.comment id=(frame::anchor(anchor, one.comment.id)) {
                p.head {
                    strong { (plain(&one.author)) } " "
                    span.dim { "commented " (time(now, one.comment.created_at)) }
                }
                (markdown::render(&one.comment.body))
                @if !one.reactions.is_empty() {
                    p.reactions {
                        @for (word, by) in &one.reactions { span.count title=(plain(by)) { (face(word)) } " " }
                    }
                }
            }
        }
    }
}

/// The picture of a reaction.
fn face(word: &str) -> &str {
    match word {
        "+1" => "👍",
        "-1" => "👎",
        "laugh" => "😄",
        "confused" => "😕",
        "heart" => "❤️",
        "hooray" => "🎉",
        "rocket" => "🚀",
        "eyes" => "👀",
        other => other,
    }
}

/// The form for a comment, or what it needs.
pub(crate) fn write(visitor: &Visitor, place: &Place, action: &str) -> Markup {
    if visitor.person.is_none() {
        return html! { p.dim { a href=(visitor.sign_in()) { "Sign in" } " to comment." } };
    }
    if !place.may_comment || visitor.form_number.is_none() {
        return html! { p.dim { "Commenting needs the role read in this repository." } };
    }
    form(
        visitor,
        action,
        "card",
        &html! {
            label for="body" { "Add a comment" }
            textarea id="body" name="body" rows="4" required {}
            p.dim.small { "Markdown is rendered. A command stands alone on its line." }
            button.primary type="submit" { "Comment" }
        },
    )
}

/// A comment's text as it came in a form.
pub(crate) fn read(fields: &Fields) -> Result<String, Refusal> {
    let body = fields.text("body")?;
    if body.trim().is_empty() {
        return Err(Refusal::unprocessable("The comment is empty.".to_owned()));
    }
    check_length(&body)?;
    Ok(body)
}

/// Refuses a text that is longer than GitHub takes.
pub(crate) fn check_length(body: &str) -> Result<(), Refusal> {
    if body.chars().count() > MAX_BODY {
        let what = format!("The text is longer than {MAX_BODY} characters.");
        return Err(Refusal::unprocessable(what));
    }
    Ok(())
}
