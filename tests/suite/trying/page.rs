//! The page as steps.

use anyhow::{Context as _, Result, bail, ensure};

/// One thing to do or to see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    /// Commands to run there.
    Run(Where, String),
    /// What is to be seen there, line by line; `…` stands for anything.
    See(Where, Vec<String>),
    /// Something that is done without a command.
    Do(Deed),
}

/// Where something is done or seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Where {
    /// In the first terminal.
    Line,
    /// In the second terminal.
    Shell,
    /// On the page whose address the second terminal showed last.
    Page,
}

/// What is done without a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Deed {
    /// Signing in on the forge's page.
    SignIn(String),
    /// A button on a page.
    Press {
        /// The address, as a shell reads it.
        at: String,
        /// What the fields get.
        fields: Vec<(String, String)>,
        /// What stands on the button.
        button: String,
    },
    /// Ctrl-C in the first terminal.
    Stop,
}

/// All steps of a page, in their order.
pub(super) fn read(page: &str) -> Result<Vec<Step>> {
    let mut steps = Vec::new();
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        if let Some(kind) = line.strip_prefix("```") {
            let block: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
            steps.push(block_step(kind, &block)?);
        } else if let Some(comment) = line.strip_prefix("<!-- ") {
            let comment = comment
                .strip_suffix(" -->")
                .context("a comment of one line")?;
            steps.push(Step::Do(deed(comment)?));
        }
    }
    Ok(steps)
}

fn block_step(kind: &str, block: &[&str]) -> Result<Step> {
    let (kind, place) = kind.split_once(' ').unwrap_or((kind, ""));
    let place = match place {
        "" => Where::Shell,
        "line" => Where::Line,
        "page" => Where::Page,
        other => bail!("there is no place {other:?}"),
    };
    match kind {
        "sh" => Ok(Step::Run(place, block.join("\n"))),
        "text" => Ok(Step::See(
            place,
            block.iter().map(|line| (*line).to_owned()).collect(),
        )),
        other => bail!("a block is of a kind that nobody can follow: {other:?}"),
    }
}

fn deed(comment: &str) -> Result<Deed> {
    if comment == "line: stop" {
        return Ok(Deed::Stop);
    }
    let rest = comment
        .strip_prefix("browser: ")
        .with_context(|| format!("nobody can follow {comment:?}"))?;
    if let Some(login) = rest.strip_prefix("sign in as ") {
        return Ok(Deed::SignIn(login.to_owned()));
    }
    let (mut at, mut button, mut fields) = (None, None, Vec::new());
    for part in rest.split("; ") {
        if let Some(url) = part.strip_prefix("open ") {
            at = Some(url.to_owned());
        } else if let Some(text) = part.strip_prefix("press ") {
            button = Some(text.to_owned());
        } else if let Some((name, value)) =
            part.strip_prefix("set ").and_then(|it| it.split_once('='))
        {
            fields.push((name.to_owned(), value.to_owned()));
        } else {
            bail!("nobody can follow {part:?}");
        }
    }
    Ok(Deed::Press {
        at: at.context("no page is opened")?,
        fields,
        button: button.context("no button is pressed")?,
    })
}

/// Whether `text` has what a line of the page says; spaces count as one.
pub(super) fn has(text: &str, wanted: &str) -> bool {
    let text = squeezed(text);
    let mut from = 0;
    squeezed(wanted).split('…').all(|part| {
        let found = text[from..].find(part.trim());
        if let Some(at) = found {
            from += at + part.trim().len();
        }
        found.is_some()
    })
}

fn squeezed(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Fails unless the lines of `text` have all that is wanted, in that order.
pub(super) fn find_all(text: &str, wanted: &[String]) -> Result<()> {
    let mut lines = text.lines();
    for wanted in wanted {
        ensure!(
            lines.any(|line| has(line, wanted)),
            "{wanted:?} is not to be seen in its place in:\n{text}"
        );
    }
    Ok(())
}

#[test]
fn a_page_is_read_as_steps() {
    let page = "Text\n```sh line\ncargo run\n```\n```text\na … c\n```\n\
        <!-- browser: open $X/y; set a=b c; press Go on -->\n<!-- line: stop -->\n";
    let press = Deed::Press {
        at: "$X/y".to_owned(),
        fields: vec![("a".to_owned(), "b c".to_owned())],
        button: "Go on".to_owned(),
    };
    assert_eq!(
        read(page).unwrap(),
        [
            Step::Run(Where::Line, "cargo run".to_owned()),
            Step::See(Where::Shell, vec!["a … c".to_owned()]),
            Step::Do(press),
            Step::Do(Deed::Stop),
        ]
    );
    assert!(read("```sh elsewhere\n```\n").is_err());
    assert!(read("<!-- browser: look around -->\n").is_err());
}

#[test]
fn what_is_seen_is_compared_in_its_order() {
    assert!(has("   published  nano 1-1 (3 s)", "published nano … s"));
    assert!(!has("nano published", "published … nano"));
    let wanted = ["b", "c"].map(str::to_owned);
    assert!(find_all("a\nb\nx\nc", &wanted).is_ok());
    assert!(find_all("c\nb", &wanted).is_err());
}
