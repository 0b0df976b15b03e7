//! `docs/trying.md`, word for word: a test plays the person who follows it.
//!
//! What the page tells its reader to do are its `sh` blocks and, as comments, what is to be pressed
//! in a browser; what its reader is told to see are its `text` blocks. The second word of a block
//! says where: `line` is the first terminal, `page` a page of the forge, and none the second
//! terminal.

mod browser;
mod page;
mod terminals;

use anyhow::{Context as _, Result, ensure};

use browser::Browser;
use page::{Deed, Step, Where};
use terminals::{Line, Shell};

const PAGE: &str = include_str!("../../docs/trying.md");

/// The person: two terminals and a browser.
struct Person {
    machine: terminals::Machine,
    line: Option<Line>,
    shell: Shell,
    browser: Browser,
}

#[tokio::test]
async fn a_newcomer_follows_the_page_word_for_word() -> Result<()> {
    testbed::machine::require();
    service::install_tls_provider();
    let steps = page::read(PAGE)?;
    ensure!(steps.len() > 30, "the page is read: {} steps", steps.len());
    let machine = terminals::Machine::new()?;
    let mut person = Person {
        shell: Shell::start(&machine)?,
        browser: Browser::new(),
        line: None,
        machine,
    };
    for step in steps {
        let played = person.play(&step).await;
        let said = || person.line.as_ref().map(Line::said).unwrap_or_default();
        played.with_context(|| format!("at {step:?}; the first terminal says:\n{}", said()))?;
    }
    let line = person
        .line
        .take()
        .context("the page leaves the line at work")?;
    line.stop().await
}

impl Person {
    async fn play(&mut self, step: &Step) -> Result<()> {
        match step {
            Step::Run(Where::Line, script) => {
                ensure!(self.line.is_none(), "the first terminal is busy");
                self.line = Some(Line::start(&self.machine, script)?);
                Ok(())
            }
            Step::Run(Where::Shell | Where::Page, script) => self.shell.run(script).await,
            Step::See(Where::Line, lines) => {
                let line = self.line.as_mut().context("nothing runs")?;
                line.hear(lines).await
            }
            Step::See(Where::Shell, lines) => page::find_all(self.shell.output(), lines),
            Step::See(Where::Page, lines) => {
                let url = self.shell.url()?;
                self.browser.see(&url, lines).await
            }
            Step::Do(Deed::SignIn(login)) => {
                let page = self.shell.expand("$FORGE/-/sign-in").await?;
                let fields = [("login".to_owned(), login.clone())];
                self.browser.press(&page, &fields, "Sign in").await
            }
            Step::Do(Deed::Press { at, fields, button }) => {
                let url = self.shell.expand(at).await?;
                self.browser.press(&url, fields, button).await
            }
            Step::Do(Deed::Stop) => {
                let line = self.line.take().context("nothing runs")?;
                line.stop().await
            }
        }
    }
}
