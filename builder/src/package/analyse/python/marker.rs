//! Environment markers: the conditions behind the semicolon of a requirement.
//!
//! ```text
//! or    = and ("or" and)*
//! and   = atom ("and" atom)*
//! atom  = "(" or ")" | value operator value
//! value = variable | 'text' | "text"
//! ```

use std::cmp::Ordering;

use thiserror::Error;

/// How deep parentheses may nest.
const DEPTH_LIMIT: usize = 64;

/// Why a marker could not be evaluated.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(crate) enum Error {
    #[error("names the unknown variable `{0}`")]
    UnknownVariable(String),
    #[error("has the unknown operator `{0}`")]
    UnknownOperator(String),
    #[error("has a text that is not closed")]
    OpenText,
    #[error("has parentheses that are not closed")]
    OpenParenthesis,
    #[error("nests too deep")]
    TooDeep,
    #[error("ends too early")]
    Short,
    #[error("goes on after its end with `{0}`")]
    Trailing(String),
}

/// The system that markers are evaluated for: CPython on Linux.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Environment {
    version: String,
    full_version: String,
    machine: String,
}

impl Environment {
    /// `version` is major and minor, such as `3.11`; a patch level of 0 is assumed.
    pub(crate) fn new(version: &str, machine: &str) -> Self {
        Self {
            version: version.to_owned(),
            full_version: format!("{version}.0"),
            machine: machine.to_owned(),
        }
    }

    /// No extra is ever asked for, so `extra` is empty; release and version of the running
    /// kernel are nothing that a package may depend on, so they are too.
    fn find(&self, variable: &str) -> Option<&str> {
        Some(match variable {
            "python_version" => &self.version,
            "python_full_version" | "implementation_version" => &self.full_version,
            "os_name" | "os.name" => "posix",
            "sys_platform" | "sys.platform" => "linux",
            "platform_system" => "Linux",
            "platform_machine" | "platform.machine" => &self.machine,
            "platform_python_implementation" | "python_implementation" => "CPython",
            "implementation_name" => "cpython",
            "platform_release" | "platform_version" | "platform.version" | "extra" => "",
            _ => return None,
        })
    }
}

/// Evaluates a marker.
pub(crate) fn holds(text: &str, environment: &Environment) -> Result<bool, Error> {
    let mut parser = Parser {
        tokens: tokens(text)?,
        at: 0,
        environment,
    };
    let result = parser.any(0)?;
    match parser.next() {
        None => Ok(result),
        Some(token) => Err(Error::Trailing(token.to_string())),
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    Text(String),
    Word(String),
    Symbol(String),
    Open,
    Close,
}

impl std::fmt::Display for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Text(text) => write!(f, "'{text}'"),
            Self::Word(word) | Self::Symbol(word) => f.write_str(word),
            Self::Open => f.write_str("("),
            Self::Close => f.write_str(")"),
        }
    }
}

fn tokens(text: &str) -> Result<Vec<Token>, Error> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let take = |wanted: fn(char) -> bool| {
            let end = rest.find(|c| !wanted(c)).unwrap_or(rest.len());
            rest.split_at(end)
        };
        let after = match first {
            '(' | ')' => {
                tokens.push(if first == '(' {
                    Token::Open
                } else {
                    Token::Close
                });
                rest.split_at(1).1
            }
            '\'' | '"' => {
                let (text, after) = rest
                    .split_at(1)
                    .1
                    .split_once(first)
                    .ok_or(Error::OpenText)?;
                tokens.push(Token::Text(text.to_owned()));
                after
            }
            '<' | '>' | '=' | '!' | '~' => {
                let (symbol, after) = take(|c| matches!(c, '<' | '>' | '=' | '!' | '~'));
                tokens.push(Token::Symbol(symbol.to_owned()));
                after
            }
            _ => {
                let is_word = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.');
                if !is_word(first) {
                    return Err(Error::UnknownOperator(first.to_string()));
                }
                let (word, after) = take(|c: char| c.is_alphanumeric() || matches!(c, '_' | '.'));
                tokens.push(Token::Word(word.to_owned()));
                after
            }
        };
        rest = after.trim_start();
    }
    Ok(tokens)
}

struct Parser<'a> {
    tokens: Vec<Token>,
    at: usize,
    environment: &'a Environment,
}

impl Parser<'_> {
    fn next(&mut self) -> Option<Token> {
        let token = self.tokens.get(self.at).cloned();
        self.at += 1;
        token
    }

    /// Steps over `word` if it comes next.
    fn step(&mut self, word: &str) -> bool {
        let found = matches!(self.tokens.get(self.at), Some(Token::Word(next)) if next == word);
        self.at += usize::from(found);
        found
    }

    fn any(&mut self, depth: usize) -> Result<bool, Error> {
        let mut result = self.all(depth)?;
        while self.step("or") {
            result |= self.all(depth)?;
        }
        Ok(result)
    }

    fn all(&mut self, depth: usize) -> Result<bool, Error> {
        let mut result = self.atom(depth)?;
        while self.step("and") {
            result &= self.atom(depth)?;
        }
        Ok(result)
    }

    fn atom(&mut self, depth: usize) -> Result<bool, Error> {
        if depth > DEPTH_LIMIT {
            return Err(Error::TooDeep);
        }
        if self.tokens.get(self.at) == Some(&Token::Open) {
            self.at += 1;
            let result = self.any(depth + 1)?;
            return match self.next() {
                Some(Token::Close) => Ok(result),
                Some(_) | None => Err(Error::OpenParenthesis),
            };
        }
        let left = self.value()?;
        let operator = self.operator()?;
        let right = self.value()?;
        compare(&left, &operator, &right)
    }

    fn value(&mut self) -> Result<String, Error> {
        match self.next().ok_or(Error::Short)? {
            Token::Text(text) => Ok(text),
            Token::Word(word) => match self.environment.find(&word) {
                Some(value) => Ok(value.to_owned()),
                None => Err(Error::UnknownVariable(word)),
            },
            token @ (Token::Symbol(_) | Token::Open | Token::Close) => {
                Err(Error::UnknownVariable(token.to_string()))
            }
        }
    }

    fn operator(&mut self) -> Result<String, Error> {
        match self.next().ok_or(Error::Short)? {
            Token::Symbol(symbol) => Ok(symbol),
            Token::Word(word) if word == "in" => Ok(word),
            Token::Word(word) if word == "not" && self.step("in") => Ok("not in".to_owned()),
            token @ (Token::Text(_) | Token::Word(_) | Token::Open | Token::Close) => {
                Err(Error::UnknownOperator(token.to_string()))
            }
        }
    }
}

/// Versions compare as versions where both sides are some, else as text.
fn compare(left: &str, operator: &str, right: &str) -> Result<bool, Error> {
    if matches!(operator, "==" | "!=")
        && let Some(prefix) = right.strip_suffix(".*")
    {
        let matches = match (Version::parse(left), Version::parse(prefix)) {
            (Some(left), Some(prefix)) => left.begins_with(&prefix),
            _ => left.starts_with(prefix),
        };
        return Ok(matches == (operator == "=="));
    }
    let versions = Version::parse(left).zip(Version::parse(right));
    let order = match &versions {
        Some((left, right)) => left.compare(right),
        None => left.cmp(right),
    };
    Ok(match operator {
        "==" => order == Ordering::Equal,
        "!=" => order != Ordering::Equal,
        "<" => order == Ordering::Less,
        "<=" => order != Ordering::Greater,
        ">" => order == Ordering::Greater,
        ">=" => order != Ordering::Less,
        "===" => left == right,
        "~=" => match versions {
            Some((left, right)) => order != Ordering::Less && left.begins_with(&right.parent()),
            None => left == right,
        },
        "in" => right.contains(left),
        "not in" => !right.contains(left),
        other => return Err(Error::UnknownOperator(other.to_owned())),
    })
}

/// As much of a version as markers use: the release numbers, and whether it comes before them.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Version {
    release: Vec<u64>,
    /// `a`, `b`, `rc` or `dev` releases come before the release itself.
    early: bool,
}

impl Version {
    fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let end = text
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .unwrap_or(text.len());
        let (release, suffix) = text.split_at(end);
        let suffix = suffix.trim_start_matches(['-', '_', '+']);
        let early = match suffix.trim_end_matches(|c: char| c.is_ascii_digit()) {
            "" => false,
            "a" | "b" | "c" | "rc" | "alpha" | "beta" | "dev" | "pre" => true,
            _ => return None,
        };
        let release = release.trim_end_matches('.').split('.').map(str::parse);
        Some(Self {
            release: release.collect::<Result<_, _>>().ok()?,
            early,
        })
    }

    /// Missing numbers count as zero.
    fn compare(&self, other: &Self) -> Ordering {
        let length = self.release.len().max(other.release.len());
        let padded = |version: &Self| {
            let mut numbers = version.release.clone();
            numbers.resize(length, 0);
            (numbers, !version.early)
        };
        padded(self).cmp(&padded(other))
    }

    fn begins_with(&self, prefix: &Self) -> bool {
        let numbers = self.release.iter().copied().chain(std::iter::repeat(0));
        numbers
            .zip(&prefix.release)
            .all(|(number, wanted)| number == *wanted)
    }

    /// Without its last number: what `~=` holds fixed.
    fn parent(&self) -> Self {
        let mut parent = self.clone();
        parent.release.pop();
        parent
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn environment() -> Environment {
        Environment::new("3.11", "x86_64")
    }

    #[test]
    fn markers_hold_or_not() {
        for (marker, wanted) in [
            ("python_version >= '3.8'", true),
            ("python_version < '3.8'", false),
            // As text "3.11" would come before "3.8".
            ("python_version > '3.8'", true),
            ("'3.8' < python_version", true),
            ("python_version == '3.*'", true),
            ("python_version != '3.11.*'", false),
            ("python_version ~= '3.7'", true),
            ("python_version ~= '3.7.1'", false),
            ("python_full_version < '3.11.0a7'", false),
            ("python_full_version <= '3.11.0'", true),
            ("python_version in '3.10 3.11'", true),
            ("python_version not in '3.10 3.11'", false),
            ("sys_platform == 'linux'", true),
            ("sys_platform != \"win32\" and os_name == 'posix'", true),
            (
                "platform_system == 'Windows' or platform_machine == 'x86_64'",
                true,
            ),
            ("implementation_name == 'pypy'", false),
            ("platform_python_implementation != 'PyPy'", true),
            ("extra == 'test'", false),
            ("extra == 'test' or python_version >= '3'", true),
            (
                "(extra == 'a' or extra == 'b') and python_version >= '3'",
                false,
            ),
            ("python_version>='3' and(os_name=='nt')", false),
            // `and` binds closer than `or`.
            (
                "os_name == 'posix' or os_name == 'nt' and os_name == 'x'",
                true,
            ),
        ] {
            assert_eq!(holds(marker, &environment()), Ok(wanted), "{marker}");
        }
    }

    #[test]
    fn broken_markers_say_why() {
        for (marker, wanted) in [
            ("python_version", "ends too early"),
            ("python_version >=", "ends too early"),
            ("python_version >= '3", "has a text that is not closed"),
            ("python_version >> '3'", "has the unknown operator `>>`"),
            ("python_version not '3'", "has the unknown operator `not`"),
            ("python_version ? '3'", "has the unknown operator `?`"),
            (
                "(python_version > '3'",
                "has parentheses that are not closed",
            ),
            (
                "os_name == 'a' os_name",
                "goes on after its end with `os_name`",
            ),
            ("kernel == 'a'", "names the unknown variable `kernel`"),
        ] {
            let error = holds(marker, &environment()).unwrap_err();
            assert_eq!(error.to_string(), wanted, "{marker}");
        }
        assert_eq!(
            holds(&"(".repeat(100_000), &environment()),
            Err(Error::TooDeep)
        );
    }

    proptest! {
        #[test]
        fn never_panics(marker in "(?s).{0,80}|([a-z_ ()'\"<>=!~.0-9]|python_version| and | or ){0,40}") {
            let _ = holds(&marker, &environment());
        }
    }
}
