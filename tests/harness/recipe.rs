//! Recipes to push. They need no compiler, so that a build takes a moment.

use std::fmt;

use api::id::Sha256;
use url::Url;

use crate::git::File;

/// A recipe, made key by key.
#[derive(Debug, Clone)]
pub struct Recipe {
    name: String,
    version: String,
    release: u64,
    needs: Vec<String>,
    upstreams: Vec<(Url, Sha256)>,
    build: String,
    install: String,
}

impl Recipe {
    /// Version 1.0, release 1; installs one file that says so.
    pub fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            version: "1.0".to_owned(),
            release: 1,
            needs: Vec::new(),
            upstreams: Vec::new(),
            build: String::new(),
            install: "%install_dir %(installroot)%(datadir)/%(name)\n\
                      echo '%(name) %(version)-%(release)' > %(installroot)%(datadir)/%(name)/about\n"
                .to_owned(),
        }
    }

    /// Another release.
    #[must_use]
    pub fn release(mut self, release: u64) -> Self {
        self.release = release;
        self
    }

    /// A build dependency more.
    #[must_use]
    pub fn needs(mut self, dependency: &str) -> Self {
        self.needs.push(dependency.to_owned());
        self
    }

    /// A source more.
    #[must_use]
    pub fn upstream(mut self, url: Url, sha256: Sha256) -> Self {
        self.upstreams.push((url, sha256));
        self
    }

    /// Lines more in the build script.
    #[must_use]
    pub fn build(mut self, lines: &str) -> Self {
        self.build.push_str(lines);
        self.build.push('\n');
        self
    }

    /// Lines more in the install script.
    #[must_use]
    pub fn install(mut self, lines: &str) -> Self {
        self.install.push_str(lines);
        self.install.push('\n');
        self
    }

    /// Installs `name.pc`, so that its `-devel` package provides `pkgconfig(name)`.
    #[must_use]
    pub fn pkgconfig(self, name: &str) -> Self {
        self.install(&format!(
            "%install_dir %(installroot)%(libdir)/pkgconfig\n\
             cat > %(installroot)%(libdir)/pkgconfig/{name}.pc << 'END'\n\
             Name: {name}\nDescription: {name}\nVersion: %(version)\nEND"
        ))
    }

    /// Needs `pkgconfig(name)`, and fails to build where its file is not there to read.
    #[must_use]
    pub fn uses_pkgconfig(self, name: &str) -> Self {
        self.needs(&format!("pkgconfig({name})"))
            .build(&format!("grep '^Version:' %(libdir)/pkgconfig/{name}.pc"))
    }

    /// Installs a shell script as a program of that name.
    #[must_use]
    pub fn program(self, name: &str) -> Self {
        self.install(&format!(
            "%install_dir %(installroot)%(bindir)\n\
             printf '#!/bin/sh\\necho {name} plays\\n' > %(installroot)%(bindir)/{name}\n\
             chmod 755 %(installroot)%(bindir)/{name}"
        ))
    }

    /// The recipe as a file in a folder of its own name.
    pub fn file(&self) -> File {
        self.file_in(&self.name)
    }

    /// The recipe as a file in `folder`; empty for the top.
    pub fn file_in(&self, folder: &str) -> File {
        let path = match folder {
            "" => "stone.yaml".to_owned(),
            folder => format!("{folder}/stone.yaml"),
        };
        File::new(path, self.to_string())
    }
}

impl fmt::Display for Recipe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "name: {}", self.name)?;
        writeln!(f, "version: \"{}\"", self.version)?;
        writeln!(f, "release: {}", self.release)?;
        writeln!(f, "homepage: https://example.org/{}", self.name)?;
        writeln!(f, "license: MPL-2.0")?;
        writeln!(f, "summary: The {}", self.name)?;
        writeln!(f, "description: |\n    The {}.", self.name)?;
        if !self.upstreams.is_empty() {
            writeln!(f, "upstreams:")?;
            for (url, sha256) in &self.upstreams {
                writeln!(
                    f,
                    "    - {url}:\n        hash: {sha256}\n        unpack: false"
                )?;
            }
        }
        if !self.needs.is_empty() {
            writeln!(f, "builddeps:")?;
            for need in &self.needs {
                writeln!(f, "    - {need}")?;
            }
        }
        script(f, "build", &self.build)?;
        script(f, "install", &self.install)
    }
}

fn script(f: &mut fmt::Formatter<'_>, phase: &str, lines: &str) -> fmt::Result {
    if lines.is_empty() {
        return Ok(());
    }
    writeln!(f, "{phase}: |")?;
    for line in lines.lines() {
        writeln!(f, "    {line}")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recipe_reads_without_remarks() {
        let url = Url::parse("https://example.org/reed.tar").unwrap();
        let recipe = Recipe::new("reed")
            .release(2)
            .needs("binary(sh)")
            .upstream(url, Sha256::of(b"reed"))
            .pkgconfig("reed")
            .uses_pkgconfig("cane")
            .program("reed");
        let (read, remarks) =
            moss_format::recipe::Recipe::parse(&recipe.to_string()).expect("it is valid");
        assert_eq!(remarks.len(), 0, "{remarks:?}");
        assert_eq!(read.name.as_str(), "reed");
        assert_eq!(*read.release, 2);
        assert_eq!(read.build_dependencies().count(), 2);
    }
}
