//! The rules of branches.

use crate::forge::Forge;
use crate::name::Branch;
use crate::people::{Refused, repository};
use crate::state::rule::{RequiredCheck, Rule, Source};

impl Forge {
    /// Lets a branch require checks of these names, whoever makes them, in the place of those that
    /// it required before. With no name it requires none.
    ///
    /// # Errors
    /// When the repository is missing or the branch's name is none.
    pub fn require_checks(&self, name: &str, branch: &str, checks: &[&str]) -> Result<(), Refused> {
        self.require(name, branch, checks, Source::Any)
    }

    /// As [`Self::require_checks`], of check runs that the App makes.
    ///
    /// # Errors
    /// When the repository is missing or the branch's name is none.
    pub fn require_app_checks(
        &self,
        name: &str,
        branch: &str,
        checks: &[&str],
    ) -> Result<(), Refused> {
        self.require(name, branch, checks, Source::App)
    }

    fn require(
        &self,
        name: &str,
        branch: &str,
        checks: &[&str],
        source: Source,
    ) -> Result<(), Refused> {
        let checks = checks.iter().map(|check| RequiredCheck {
            name: (*check).to_owned(),
            source,
        });
        let checks = checks.collect();
        self.change_rule(name, branch, |rule| rule.checks = checks)
    }

    pub(super) fn change_rule(
        &self,
        name: &str,
        branch: &str,
        change: impl FnOnce(&mut Rule),
    ) -> Result<(), Refused> {
        let branch: Branch = branch.parse()?;
        let mut state = self.shared.lock();
        let id = repository(&state, name)?.id;
        let mut rule = state.find_rule(id, &branch).cloned().unwrap_or_default();
        change(&mut rule);
        let key = (id, branch.to_string());
        if rule.is_empty() {
            state.rules.remove(&key);
        } else {
            state.rules.insert(key, rule);
        }
        drop(state);
        self.shared.changed();
        Ok(())
    }
}
