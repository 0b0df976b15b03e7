//! One requirement: `name [extras] (>=1, <2) ; marker` or `name @ url ; marker`.

use thiserror::Error;

use super::marker::{self, Environment};
use super::normalise;

/// Why a requirement could not be read.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(super) enum Error {
    #[error("it does not begin with a name")]
    NoName,
    #[error("its extras are not closed")]
    Extras,
    #[error("its marker {0}")]
    Marker(#[from] marker::Error),
}

/// The normalised name of what is required, or `None` if nothing is: the requirement asks for
/// extras, which packages do not provide, or its marker is false.
pub(super) fn required(text: &str, environment: &Environment) -> Result<Option<String>, Error> {
    let text = text.trim();
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let (name, rest) = text.split_at(text.find(|c| !is_name(c)).unwrap_or(text.len()));
    if !name.starts_with(|c: char| c.is_ascii_alphanumeric()) {
        return Err(Error::NoName);
    }
    let rest = rest.trim_start();
    if let Some(extras) = rest.strip_prefix('[') {
        let (extras, _) = extras.split_once(']').ok_or(Error::Extras)?;
        if !extras.trim().is_empty() {
            return Ok(None);
        }
    }
    // A URL may contain a semicolon, so its marker needs a space in front.
    let marker = match rest.strip_prefix('@') {
        Some(url) => url.split_once(" ;").map(|(_, marker)| marker),
        None => rest.split_once(';').map(|(_, marker)| marker),
    };
    let holds = match marker.map(str::trim).filter(|marker| !marker.is_empty()) {
        Some(marker) => marker::holds(marker, environment)?,
        None => true,
    };
    Ok(holds.then(|| normalise(name)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_of_requirements() {
        let environment = Environment::new("3.11", "x86_64");
        for (text, wanted) in [
            ("jinja2", Ok(Some("jinja2"))),
            ("Ruamel.Yaml (>=0.15)", Ok(Some("ruamel-yaml"))),
            ("a>=1,<2", Ok(Some("a"))),
            ("a[x,y]>=1", Ok(None)),
            ("a[]>=1", Ok(Some("a"))),
            ("a ; python_version < '3.11'", Ok(None)),
            ("a>=2;python_version>='3.8'", Ok(Some("a"))),
            (
                "a @ https://example.org/a;b.zip ; os_name == 'nt'",
                Ok(None),
            ),
            ("a @ https://example.org/a;b.zip", Ok(Some("a"))),
            ("a ; extra == 'docs'", Ok(None)),
            ("a ;", Ok(Some("a"))),
            ("", Err(Error::NoName)),
            ("-a", Err(Error::NoName)),
            ("a[x", Err(Error::Extras)),
        ] {
            let wanted = wanted.map(|name| name.map(str::to_owned));
            assert_eq!(required(text, &environment), wanted, "{text}");
        }
        let error = required("a ; nonsense", &environment).unwrap_err();
        assert_eq!(
            error.to_string(),
            "its marker names the unknown variable `nonsense`"
        );
    }
}
