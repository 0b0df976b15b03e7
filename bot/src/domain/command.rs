//! Finding commands in comments.
//!
//! A command is a line of a paragraph that begins with `/`. Other text around it is allowed.
//! Commands in quotes, code, headings, tables and HTML comments are ignored; GitHub's Markdown
//! rules decide.

use pulldown_cmark::{Event, Options, Parser, Tag};
use serde::{Deserialize, Serialize};
use strsim::damerau_levenshtein;

use super::tail::is_hidden;

/// Longer comments are ignored, in bytes. GitHub takes comments of up to 65,536 characters.
const MAX_BYTES: usize = 256 << 10;

/// What a comment asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// A command.
    Command {
        /// Its name, from the list of known names.
        name: &'static str,
        /// The words after the name.
        arguments: Vec<String>,
    },
    /// A misspelt command.
    Near {
        /// The word, without its slash.
        word: String,
        /// The most similar name.
        name: &'static str,
    },
    /// More than one command.
    Several,
}

/// Finds the command in a comment, among these `names`; none when there is no command.
pub fn find(comment: &str, names: &[&'static str]) -> Option<Found> {
    let mut commands = Vec::new();
    let mut nearly = None;
    for line in lines(comment) {
        // A line copied from elsewhere can contain invisible characters.
        let line: String = line
            .chars()
            .filter(|c| c.is_whitespace() || !is_hidden(*c))
            .collect();
        let mut words = line[1..].split(char::is_whitespace);
        let word = words.next().unwrap_or_default();
        if let Some(name) = names.iter().find(|name| **name == word) {
            let arguments = words.flat_map(|words| words.split(','));
            let arguments = arguments.map(|word| word.trim_matches('`'));
            let arguments = arguments.filter(|word| !word.is_empty());
            commands.push((*name, arguments.map(str::to_owned).collect()));
        } else if nearly.is_none()
            && let Some(name) = find_near(word, names)
        {
            let word = word.to_owned();
            nearly = Some(Found::Near { word, name });
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
    let lower = word.to_lowercase();
    let length = lower.chars().count();
    let distances = names.iter().filter_map(|name| {
        // Two letters of a short name are half of it.
        let most = if name.len() > 4 { 2 } else { 1 };
        // Comparing long words is slow, and strangers can write them.
        let is_alike = length.abs_diff(name.len()) <= most;
        is_alike.then(|| (damerau_levenshtein(&lower, name), most, *name))
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
    // For each open element: whether a command can stand in it.
    let mut open = Vec::new();
    for (event, range) in Parser::new_ext(comment, options).into_offset_iter() {
        if let Event::Start(tag) = &event {
            open.push(matches!(tag, Tag::Paragraph | Tag::List(_) | Tag::Item));
        } else if let Event::End(_) = &event {
            open.pop();
        } else if let Event::Text(_) = &event {
            let (before, text) = comment.split_at(range.start);
            let begins_line = before
                .trim_end_matches([' ', '\t'])
                .chars()
                .next_back()
                .is_none_or(|c| matches!(c, '\n' | '\r'));
            if begins_line && text.starts_with('/') && open.iter().all(|can| *can) {
                lines.extend(text.split(['\n', '\r']).next());
            }
        }
    }
    lines
}

/// The answer to a command: a reaction to the comment, and a reply where a reaction is not enough.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// The reaction.
    pub reaction: Reaction,
    /// The reply, in Markdown. All untrusted text in it is escaped.
    pub text: Option<String>,
    /// True when anybody can trigger this answer, any number of times.
    #[serde(default)]
    pub for_anybody: bool,
}

impl Receipt {
    /// An answer without a reply.
    pub fn done(reaction: Reaction) -> Self {
        Self {
            reaction,
            text: None,
            for_anybody: false,
        }
    }

    /// An answer with a reply.
    pub fn say(reaction: Reaction, text: impl Into<String>) -> Self {
        Self {
            reaction,
            text: Some(text.into()),
            for_anybody: false,
        }
    }

    /// Marks an answer that anybody can trigger.
    pub fn for_anybody(self) -> Self {
        Self {
            for_anybody: true,
            ..self
        }
    }
}

/// A reaction to a comment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reaction {
    /// Builds start.
    Rocket,
    /// The command is done, or the reply has the answer.
    ThumbsUp,
    /// The author may not use the command.
    ThumbsDown,
    /// The command was not run; the reply says why.
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
