//! Which package each file goes to, and what those packages are.

use std::collections::BTreeSet;

use moss_format::dependency::{Dependency, Kind, Provider};
use moss_format::glob::Pattern;
use moss_format::recipe::{Contents, Recipe, Spanned};
use regex::{Regex, RegexBuilder};
use thiserror::Error;

use super::analyse::Findings;
use super::path::InstalledPath;
use super::template::{TEMPLATES, Template};

/// The largest compiled form of one exclusion, in bytes.
const REGEX_LIMIT: usize = 1 << 20;

/// Why a recipe's packages could not be planned.
#[derive(Debug, Error)]
pub enum Error {
    /// An exclusion is not a regular expression.
    #[error("line {line} of the recipe: `{pattern}` in {key} is not a regular expression")]
    Exclusion {
        /// The key in the recipe.
        key: &'static str,
        /// The text in the recipe.
        pattern: String,
        /// The line in the recipe, from 1.
        line: u32,
        /// The cause.
        #[source]
        source: Box<regex::Error>,
    },
    /// A recipe's name does not make a dependency. No recipe that parses has such a name.
    #[error("the recipe's name does not make a dependency")]
    Name(#[from] moss_format::dependency::Error),
}

/// The packages of a recipe and the rules by which files go to them.
#[derive(Debug)]
pub(crate) struct Plan {
    packages: Vec<Package>,
    rules: Vec<Rule>,
}

/// A package as templates and recipe together define it.
#[derive(Debug)]
pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) summary: String,
    pub(crate) description: String,
    pub(crate) conflicts: BTreeSet<Provider>,
    rundeps: BTreeSet<Dependency>,
    rundeps_exclude: Vec<Regex>,
    provides_exclude: Vec<Regex>,
}

/// Gives matching paths to the package with this number.
#[derive(Debug)]
struct Rule {
    pattern: Pattern,
    package: usize,
}

impl Plan {
    /// Templates first, then the recipe itself, then its packages in order.
    pub(crate) fn new(recipe: &Recipe) -> Result<Self, Error> {
        let mut plan = Self {
            packages: Vec::new(),
            rules: Vec::new(),
        };
        let name = recipe.name.value().as_str();
        for template in TEMPLATES {
            plan.add_template(template, recipe)?;
        }
        plan.merge(
            name,
            recipe.summary.value(),
            recipe.description.value(),
            &recipe.contents,
        )?;
        for package in &recipe.packages {
            let summary = package.summary.as_ref().unwrap_or(&recipe.summary);
            let description = package.description.as_ref().unwrap_or(&recipe.description);
            plan.merge(
                package.name.value(),
                summary,
                description,
                &package.contents,
            )?;
        }
        Ok(plan)
    }

    /// The number of the package that owns `path`: that of the last rule that matches.
    pub(crate) fn owner(&self, path: &InstalledPath) -> Option<usize> {
        let last = self
            .rules
            .iter()
            .rev()
            .find(|rule| rule.pattern.matches(path.as_str()));
        last.map(|rule| rule.package)
    }

    /// The packages in the order of their numbers.
    pub(crate) fn packages(&self) -> &[Package] {
        &self.packages
    }

    fn add_template(&mut self, template: &Template, recipe: &Recipe) -> Result<(), Error> {
        let name = recipe.name.value().as_str();
        let expand = |text: &str| text.replace("%(name)", name);
        let or = |text: &str, otherwise: &str| match text {
            "" => otherwise.to_owned(),
            text => expand(text),
        };
        let rundeps = template
            .rundeps
            .iter()
            .map(|name| Dependency::new(Kind::PackageName, expand(name)));
        let package = self.packages.len();
        self.packages.push(Package {
            name: expand(template.name),
            summary: or(template.summary, recipe.summary.value()),
            description: or(template.description, recipe.description.value()),
            conflicts: BTreeSet::new(),
            rundeps: rundeps.collect::<Result<_, _>>()?,
            rundeps_exclude: Vec::new(),
            provides_exclude: Vec::new(),
        });
        self.rules.extend(template.paths.iter().map(|path| Rule {
            pattern: Pattern::new(&expand(path)),
            package,
        }));
        Ok(())
    }

    /// Joins what the recipe says of a package with what is there, or makes a new one.
    fn merge(
        &mut self,
        name: &str,
        summary: &str,
        description: &str,
        contents: &Contents,
    ) -> Result<(), Error> {
        let number = self
            .packages
            .iter()
            .position(|package| package.name == name);
        let number = number.unwrap_or_else(|| {
            self.packages.push(Package {
                name: name.to_owned(),
                summary: String::new(),
                description: String::new(),
                conflicts: BTreeSet::new(),
                rundeps: BTreeSet::new(),
                rundeps_exclude: Vec::new(),
                provides_exclude: Vec::new(),
            });
            self.packages.len() - 1
        });
        self.rules.extend(contents.paths.iter().map(|path| Rule {
            pattern: path.pattern.value().clone(),
            package: number,
        }));
        let rundeps_exclude = compile("rundeps-exclude", &contents.rundeps_exclude)?;
        let provides_exclude = compile("provides-exclude", &contents.provides_exclude)?;
        if let Some(package) = self.packages.get_mut(number) {
            summary.clone_into(&mut package.summary);
            description.clone_into(&mut package.description);
            package
                .rundeps
                .extend(contents.rundeps.iter().map(|dep| dep.value().clone()));
            package
                .conflicts
                .extend(contents.conflicts.iter().map(|c| c.value().clone()));
            package.rundeps_exclude.extend(rundeps_exclude);
            package.provides_exclude.extend(provides_exclude);
        }
        Ok(())
    }
}

impl Package {
    /// What the package declares to need: what analysis found and the package does not provide
    /// itself, and what the recipe names, without what the recipe excludes.
    pub(crate) fn depends(&self, findings: &Findings) -> BTreeSet<Dependency> {
        let foreign =
            |dependency: &&Dependency| !findings.provides.contains(&dependency.to_provider());
        let found = findings.depends.iter().filter(foreign);
        found
            .chain(&self.rundeps)
            .filter(|dependency| !excludes(&self.rundeps_exclude, &dependency.to_string()))
            .cloned()
            .collect()
    }

    /// What the package declares to provide: what analysis found, without what the recipe
    /// excludes and without plain names, which every package has for itself.
    pub(crate) fn provides(&self, findings: &Findings) -> BTreeSet<Provider> {
        findings
            .provides
            .iter()
            .filter(|provider| provider.kind() != Kind::PackageName)
            .filter(|provider| !excludes(&self.provides_exclude, &provider.to_string()))
            .cloned()
            .collect()
    }
}

fn excludes(patterns: &[Regex], text: &str) -> bool {
    patterns.iter().any(|pattern| pattern.is_match(text))
}

fn compile(key: &'static str, patterns: &[Spanned<String>]) -> Result<Vec<Regex>, Error> {
    let compile = |pattern: &Spanned<String>| {
        RegexBuilder::new(pattern.value())
            .size_limit(REGEX_LIMIT)
            .build()
            .map_err(|source| Error::Exclusion {
                key,
                pattern: pattern.value().clone(),
                line: pattern.line(),
                source: Box::new(source),
            })
    };
    patterns.iter().map(compile).collect()
}

#[cfg(test)]
mod tests;
