//! What is said about one recipe, up to a limit.

use super::diagnostic::{Code, Diagnostic, Severity};

/// Gathers findings. Beyond the limit they are only counted, and what makes a
/// finding dear, such as a suggestion, is not computed for them. Errors take
/// the places of others.
#[derive(Debug)]
pub(crate) struct Findings {
    most: usize,
    errors: Vec<Diagnostic>,
    others: Vec<Diagnostic>,
    left_out: LeftOut,
}

#[derive(Debug, Default)]
struct LeftOut {
    errors: usize,
    warnings: usize,
    notes: usize,
}

impl LeftOut {
    const fn add(&mut self, severity: Severity) {
        match severity {
            Severity::Error => self.errors += 1,
            Severity::Warning => self.warnings += 1,
            Severity::Note => self.notes += 1,
        }
    }

    const fn all(&self) -> usize {
        self.errors + self.warnings + self.notes
    }

    /// The worst of what is left out, as long as anything is.
    const fn worst(&self) -> Option<Severity> {
        if self.errors > 0 {
            Some(Severity::Error)
        } else if self.warnings > 0 {
            Some(Severity::Warning)
        } else if self.notes > 0 {
            Some(Severity::Note)
        } else {
            None
        }
    }
}

impl Findings {
    /// Room for as many as `most`.
    pub(crate) const fn new(most: usize) -> Self {
        Self {
            most,
            errors: Vec::new(),
            others: Vec::new(),
            left_out: LeftOut {
                errors: 0,
                warnings: 0,
                notes: 0,
            },
        }
    }

    /// Takes a finding that costs nothing to make.
    pub(crate) fn report(&mut self, found: Diagnostic) {
        self.report_with(found.severity, || found);
    }

    /// Takes a finding of this severity, which is made only where there is
    /// room for it.
    pub(crate) fn report_with(&mut self, severity: Severity, make: impl FnOnce() -> Diagnostic) {
        let is_full = self.errors.len() + self.others.len() >= self.most;
        if is_full {
            let displaced = match severity {
                Severity::Error => self.others.pop(),
                Severity::Warning | Severity::Note => None,
            };
            let Some(displaced) = displaced else {
                self.left_out.add(severity);
                return;
            };
            self.left_out.add(displaced.severity);
        }
        match severity {
            Severity::Error => self.errors.push(make()),
            Severity::Warning | Severity::Note => self.others.push(make()),
        }
    }

    /// The first error in the order of the text.
    pub(crate) fn first_error(&self) -> Option<&Diagnostic> {
        self.errors.iter().min_by_key(|found| found.span)
    }

    /// All findings in the order of the text. Where some are left out, the last
    /// one says how many.
    pub(crate) fn into_diagnostics(self) -> Vec<Diagnostic> {
        let mut all = self.errors;
        all.extend(self.others);
        all.sort_by_key(|found| found.span);
        // What stands below an alias is found wherever the alias is.
        all.dedup();
        if let Some(worst) = self.left_out.worst()
            && let Some(last) = all.last()
        {
            let errors = match self.left_out.errors {
                0 => String::new(),
                errors => format!(", {errors} of them errors"),
            };
            let message = format!("and {} more{errors}", self.left_out.all());
            let more = Diagnostic::new(Code::MoreFindings, worst, last.span, message);
            all.push(more.with_help("change what is named here, and then look again"));
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::Limits;
    use crate::recipe::{Position, Span};

    const MOST: usize = Limits::DEFAULT.recipe_findings;

    fn found(severity: Severity, line: u32) -> Diagnostic {
        let span = Span::at(Position::new(line, 1));
        Diagnostic::new(Code::UnknownKey, severity, span, "found")
    }

    fn of(severities: &[(Severity, usize)]) -> Vec<Diagnostic> {
        let mut findings = Findings::new(MOST);
        let mut line = 0;
        for &(severity, times) in severities {
            for _ in 0..times {
                line += 1;
                findings.report(found(severity, line));
            }
        }
        findings.into_diagnostics()
    }

    #[test]
    fn as_many_as_the_limit_are_all_there() {
        let all = of(&[(Severity::Note, MOST)]);
        assert_eq!(all.len(), MOST);
        assert!(all.iter().all(|found| found.code == Code::UnknownKey));
    }

    #[test]
    fn what_is_beyond_the_limit_is_counted() {
        let all = of(&[(Severity::Warning, MOST), (Severity::Note, 3)]);
        assert_eq!(all.len(), MOST + 1);
        let last = all.last().unwrap();
        assert_eq!(last.code, Code::MoreFindings);
        assert_eq!(last.severity, Severity::Note);
        assert_eq!(last.message, "and 3 more");
        assert!(all.is_sorted_by_key(|found| found.span));
    }

    #[test]
    fn errors_are_never_lost_among_warnings() {
        let all = of(&[(Severity::Warning, MOST + 5), (Severity::Error, 2)]);
        assert_eq!(all.iter().filter(|found| found.is_error()).count(), 2);
        let last = all.last().unwrap();
        assert_eq!(last.severity, Severity::Warning);
        assert_eq!(last.message, "and 7 more");
        let all = of(&[(Severity::Error, MOST + 1), (Severity::Note, 1)]);
        let last = all.last().unwrap();
        assert_eq!(last.severity, Severity::Error);
        assert_eq!(last.message, "and 2 more, 1 of them errors");
    }

    #[test]
    fn a_finding_without_room_is_not_made() {
        let mut findings = Findings::new(MOST);
        for line in 0..2000 {
            let make = || {
                assert!(line < 200, "made for nothing");
                found(Severity::Warning, line)
            };
            findings.report_with(Severity::Warning, make);
        }
        assert_eq!(findings.into_diagnostics().len(), MOST + 1);
    }
}
