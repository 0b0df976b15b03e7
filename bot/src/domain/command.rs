//! Commands in comments: which line of a comment is one.
//!
//! A command is a line of its own in a paragraph, and begins with `/`. Text around it is allowed.
//! Quotes, code, lists, tables and HTML comments command nothing, by the rules of the Markdown that
//! GitHub shows.

use pulldown_cmark::{Event, Options, Parser, Tag};
use serde::{Deserialize, Serialize};
use strsim::damerau_levenshtein;

/// A longer comment commands nothing, in bytes. GitHub takes comments of 65,536 characters.
const MAX_BYTES: usize = 256 << 10;

/// A word that is no command is shown up to this many characters.
const MAX_SHOWN: usize = 40;

/// What a comment asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// A command.
    Command {
        /// Its name, as the list of names has it.
        name: &'static str,
        /// The words behind it.
        arguments: Vec<String>,
    },
    /// A word that nearly is the name of a command.
    Near {
        /// The word, without its slash; long ones are cut short.
        word: String,
        /// The name that was meant, perhaps.
        name: &'static str,
    },
    /// More than one command.
    Several,
}

/// What a comment asks for, among the commands of these `names`. None where it asks for nothing.
pub fn find(comment: &str, names: &[&'static str]) -> Option<Found> {
    let mut commands = Vec::new();
    let mut nearly = None;
    for line in lines(comment) {
        let mut words = line[1..].split(char::is_whitespace);
        let word = words.next().unwrap_or_default();
        if let Some(name) = names.iter().find(|name| **name == word) {
            let arguments = words.flat_map(|words| words.split(','));
            let arguments = arguments.map(|word| word.trim_matches('`'));
            let arguments = arguments.filter(|word| !word.is_empty());
            commands.push((*name, arguments.map(str::to_owned).collect()));
        } else if let Some(name) = find_near(word, names) {
            let word = word.chars().take(MAX_SHOWN).collect();
            nearly.get_or_insert(Found::Near { word, name });
        }
    }
    match commands.len() {
        0 => nearly,
        1 => {
            let (name, arguments) = commands.remove(0);
            Some(Found::Command { name, arguments })
        }
        _ => Some(Found::Several),
    }
}

/// The name that differs from `word` in case, or in one letter or two.
fn find_near(word: &str, names: &[&'static str]) -> Option<&'static str> {
    // What is much longer is not compared: strangers write it.
    if word.len() > 2 * MAX_SHOWN {
        return None;
    }
    let lower = word.to_lowercase();
    let distances = names.iter().map(|name| {
        // Two letters of a short name are half of it.
        let most = if name.len() > 4 { 2 } else { 1 };
        (damerau_levenshtein(&lower, name), most, *name)
    });
    let near = distances.filter(|(distance, most, _)| distance <= most);
    near.min().map(|(_, _, name)| name)
}

/// The lines of a comment's paragraphs that begin with `/`.
fn lines(comment: &str) -> Vec<&str> {
    let mut lines = Vec::new();
    if comment.len() > MAX_BYTES {
        return lines;
    }
    let options =
        Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH | Options::ENABLE_TASKLISTS;
    let mut open = 0_usize;
    let mut is_paragraph = false;
    for (event, range) in Parser::new_ext(comment, options).into_offset_iter() {
        if let Event::Start(tag) = &event {
            if open == 0 {
                is_paragraph = matches!(tag, Tag::Paragraph);
            }
            open += 1;
        } else if let Event::End(_) = &event {
            open -= 1;
        } else if let Event::Text(_) = &event {
            let (before, text) = comment.split_at(range.start);
            let begins_line = before
                .trim_end_matches([' ', '\t'])
                .chars()
                .next_back()
                .is_none_or(|c| matches!(c, '\n' | '\r'));
            if is_paragraph && open == 1 && begins_line && text.starts_with('/') {
                lines.extend(text.split(['\n', '\r']).next());
            }
        }
    }
    lines
}

/// The answer to a command: a reaction to the comment, and a comment where that does not say enough.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// The reaction.
    pub reaction: Reaction,
    /// Markdown, in which all that strangers wrote is escaped.
    pub text: Option<String>,
}

impl Receipt {
    /// The answer to a command that is carried out.
    pub fn done(reaction: Reaction) -> Self {
        Self {
            reaction,
            text: None,
        }
    }

    /// The answer that tells something.
    pub fn say(reaction: Reaction, text: impl Into<String>) -> Self {
        Self {
            reaction,
            text: Some(text.into()),
        }
    }
}

/// A reaction to a comment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reaction {
    /// Builds begin.
    Rocket,
    /// It is done, or told.
    ThumbsUp,
    /// Who asks may not.
    ThumbsDown,
    /// It is not done; the comment says why.
    Confused,
}

impl Reaction {
    /// GitHub's name of it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Rocket => "rocket",
            Self::ThumbsUp => "+1",
            Self::ThumbsDown => "-1",
            Self::Confused => "confused",
        }
    }
}

#[cfg(test)]
mod tests;
