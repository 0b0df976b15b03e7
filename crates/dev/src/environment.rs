//! A file for shells that tells where everything is and who the people are, so that commands can be
//! copied from `docs/trying.md` as they stand.

use std::fmt::Write as _;
use std::io;
use std::path::Path;

use secrecy::ExposeSecret as _;

use crate::file;
use crate::line::REPOSITORY;
use crate::outcome::Urls;
use crate::people::{People, with_token};

/// The name of the file in the data folder.
pub const FILE: &str = "try.env";

/// Writes the file. It holds tokens, so only its owner can read it.
///
/// # Errors
/// When it cannot be written.
pub fn write(path: &Path, urls: &Urls, people: &People) -> io::Result<()> {
    file::write_private(path, text(path, urls, people).as_bytes())
}

/// The command by which a shell reads the file at `path`.
pub fn command(path: &Path) -> String {
    format!(". {}", quoted(&path.display().to_string()))
}

fn text(path: &Path, urls: &Urls, people: &People) -> String {
    let forge = urls.forge.origin().ascii_serialization();
    let mut text = format!(
        "# snekbook-dev writes this file at each start: where its services are, and its people's\n\
         # tokens. A shell reads it with: {}\n",
        command(path)
    );
    let mut set = |name: &str, value: &str| {
        let _ = writeln!(text, "{name}={}", quoted(value));
    };
    set("FORGE", &forge);
    set("REPOSITORY", REPOSITORY);
    set("API", &format!("{forge}/api/v3/repos/{REPOSITORY}"));
    set("SUMMIT", urls.summit.as_str().trim_end_matches('/'));
    set("VESSEL", urls.vessel.as_str().trim_end_matches('/'));
    set("INDEX", urls.index.as_str());
    set("ROOT_INDEX", urls.root_index.as_str());
    for (part, token) in people.iter() {
        let name = part.login.to_uppercase();
        set(&name, &with_token(&forge, part.login, token));
        set(&format!("{name}_TOKEN"), token.expose_secret());
    }
    text
}

/// `text` as one word of a POSIX shell.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;
    use url::Url;

    #[test]
    fn a_shell_reads_it() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("it's $HOME");
        std::fs::create_dir(&data).unwrap();
        let people = People::load_or_create(&data.join("people.json")).unwrap();
        let url = |path: &str| Url::parse(&format!("http://127.0.0.1:1/{path}")).unwrap();
        let urls = Urls {
            forge: url("snekbook/recipes"),
            clone: url("snekbook/recipes.git"),
            summit: url(""),
            vessel: url(""),
            index: url("stone.index"),
            root_index: url("moss-root-index.json"),
        };
        let path = data.join(FILE);
        write(&path, &urls, &people).unwrap();
        let comment = std::fs::read_to_string(&path).unwrap();
        let command = comment.lines().nth(1).unwrap();
        let (_, command) = command.split_once("with: ").unwrap();
        let script = format!("{command}; echo $FORGE $REPOSITORY $SUMMIT $INDEX $VISITOR_TOKEN");
        let output = Command::new("sh").args(["-euc", &script]).output().unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        let (_, token) = people.iter().last().unwrap();
        let wanted = format!(
            "http://127.0.0.1:1 snekbook/recipes http://127.0.0.1:1 http://127.0.0.1:1/stone.index \
             {}\n",
            token.expose_secret()
        );
        assert_eq!(said, wanted);
    }
}
