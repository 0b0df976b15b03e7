//! What strace saw of a load, and whether each answer came after its sync.
//!
//! LMDB commits in three steps: it writes the pages that changed to where no reader looks, syncs
//! them, and writes one of the two meta pages, at the front of the file, that make them count.
//! The meta page is durable when it was written through a descriptor with `O_DSYNC`, or when a
//! sync follows. An answer that comes before that promises what a loss of power takes back, and so
//! does a meta page that can come to the disk before the pages that it names.

use std::collections::HashMap;
use std::fmt;

/// What has to be traced.
pub(crate) const CALLS: &str = "trace=open,openat,creat,close,dup,dup2,dup3,lseek,write,writev,pwrite64,pwritev,pwritev2,\
     fdatasync,fsync,msync,sync_file_range";

/// A call, from the line where it was begun to the one where it had returned. strace writes a line
/// when a thread enters a call and lets it go on only then, so the order of lines is that of causes.
#[derive(Debug, Clone)]
struct Call<'trace> {
    name: &'trace str,
    arguments: &'trace str,
    returned: &'trace str,
    begun: usize,
    ended: usize,
}

impl Call<'_> {
    fn is_done(&self) -> bool {
        !self.returned.starts_with('-') && !self.returned.starts_with('?')
    }

    fn descriptor(&self) -> Option<u32> {
        self.arguments.split([',', ' ']).next()?.parse().ok()
    }

    /// How a call that opens a file opened `file`; none when it is another file.
    fn opens(&self, file: &str) -> Option<Descriptor> {
        let is_it = self.arguments.contains(&format!("{file}\""));
        is_it.then(|| {
            if self.arguments.contains("O_DSYNC") || self.arguments.contains("O_SYNC") {
                Descriptor::Synced
            } else {
                Descriptor::Plain
            }
        })
    }

    /// The last argument of a positioned write.
    fn offset(&self) -> Option<u64> {
        self.arguments.rsplit(", ").next()?.parse().ok()
    }
}

/// One transaction as it came to the file.
#[derive(Debug, Default)]
struct Commit<'trace> {
    pages: Vec<Call<'trace>>,
    /// Where its pages were on the disk before its meta page was begun.
    are_pages_synced: bool,
    /// When the meta page was on the disk.
    durable: Option<usize>,
}

impl Commit<'_> {
    fn holds(&self, text: &str) -> bool {
        self.pages.iter().any(|page| page.arguments.contains(text))
    }
}

/// What is wrong with an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Violation {
    /// No page with the change was committed.
    NeverWritten { name: String },
    /// The pages of its transaction were not synced before the meta page was written.
    PagesNotSynced { name: String },
    /// The answer came before the meta page was on the disk.
    BeforeMetaPage { name: String },
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NeverWritten { name } => write!(f, "{name} was never written"),
            Self::PagesNotSynced { name } => write!(f, "the pages of {name} were not synced"),
            Self::BeforeMetaPage { name } => write!(f, "{name} was acknowledged too early"),
        }
    }
}

/// What a trace shows.
#[derive(Debug)]
pub(crate) struct Findings {
    pub(crate) acknowledged: usize,
    pub(crate) commits: usize,
    pub(crate) violations: Vec<Violation>,
}

/// Looks at every line `acknowledged NAME` that was written: NAME stands in a page of the
/// transaction that made the change. `file` ends the path of the database's file.
pub(crate) fn check(trace: &str, file: &str, page_size: u64) -> Findings {
    let calls = parse(trace);
    let commits = commits(&calls, file, page_size);
    let mut acknowledged = 0;
    let mut violations = Vec::new();
    for call in calls.iter().filter(|call| call.name == "write") {
        let Some((_, rest)) = call.arguments.split_once("\"acknowledged ") else {
            continue;
        };
        let name = rest.split("\\n").next().unwrap().to_owned();
        acknowledged += 1;
        // Later transactions copy the row along; the first one that has it made it.
        match commits.iter().find(|commit| commit.holds(&name)) {
            None => violations.push(Violation::NeverWritten { name }),
            Some(commit) if !commit.are_pages_synced => {
                violations.push(Violation::PagesNotSynced { name });
            }
            Some(commit) if commit.durable.is_none_or(|durable| call.begun <= durable) => {
                violations.push(Violation::BeforeMetaPage { name });
            }
            Some(_) => {}
        }
    }
    Findings {
        acknowledged,
        commits: commits.len(),
        violations,
    }
}

/// An open file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Descriptor {
    Plain,
    /// What is written is on the disk when the call returns.
    Synced,
}

/// The transactions in their order: only one at a time writes.
fn commits<'trace>(calls: &[Call<'trace>], file: &str, page_size: u64) -> Vec<Commit<'trace>> {
    let mut open: HashMap<u32, Descriptor> = HashMap::new();
    let mut position = 0;
    let mut syncs: Vec<&Call<'_>> = Vec::new();
    let mut metas: Vec<(&Call<'_>, Descriptor)> = Vec::new();
    let mut commits = vec![Commit::default()];
    for call in calls.iter().filter(|call| call.is_done()) {
        if matches!(call.name, "open" | "openat") {
            let number = call.returned.parse().unwrap();
            match call.opens(file) {
                Some(descriptor) => drop(open.insert(number, descriptor)),
                None => drop(open.remove(&number)),
            }
            continue;
        }
        let Some((number, &descriptor)) = call
            .descriptor()
            .and_then(|number| Some((number, open.get(&number)?)))
        else {
            continue;
        };
        let offset = match call.name {
            "close" => {
                open.remove(&number);
                continue;
            }
            "fdatasync" | "fsync" => {
                syncs.push(call);
                continue;
            }
            "lseek" => {
                position = call.returned.parse().unwrap();
                continue;
            }
            // Only the one transaction that writes moves the position.
            "write" | "writev" => position,
            "pwrite64" | "pwritev" => call.offset().unwrap(),
            other => panic!("the file is used in a way that is not understood: {other}"),
        };
        if offset >= 2 * page_size {
            commits.last_mut().unwrap().pages.push(call.clone());
        } else {
            metas.push((call, descriptor));
            commits.push(Commit::default());
        }
    }
    // Pages after the last meta page count for nothing.
    commits.pop();
    for (commit, (meta, descriptor)) in commits.iter_mut().zip(metas) {
        let written = commit
            .pages
            .iter()
            .map(|page| page.ended)
            .max()
            .unwrap_or(0);
        commit.are_pages_synced = commit.pages.is_empty()
            || syncs
                .iter()
                .any(|sync| sync.begun > written && sync.ended < meta.begun);
        commit.durable = match descriptor {
            Descriptor::Synced => Some(meta.ended),
            Descriptor::Plain => syncs
                .iter()
                .find(|sync| sync.begun > meta.ended)
                .map(|sync| sync.ended),
        };
    }
    commits
}

/// The calls in the order in which they ended.
fn parse(trace: &str) -> Vec<Call<'_>> {
    let mut begun: HashMap<&str, (usize, &str, &str)> = HashMap::new();
    let mut calls = Vec::new();
    for (line, text) in trace.lines().enumerate() {
        let (thread, text) = text.trim_start().split_once(' ').unwrap();
        let text = text.trim_start();
        if let Some(resumed) = text.strip_prefix("<... ") {
            let (first, name, arguments) = begun.remove(thread).unwrap();
            assert!(resumed.starts_with(name), "line {line}: {text}");
            calls.push(Call {
                name,
                arguments,
                returned: returned(resumed),
                begun: first,
                ended: line,
            });
        } else if let Some((name, rest)) = text.split_once('(') {
            if let Some(arguments) = rest.strip_suffix(" <unfinished ...>") {
                begun.insert(thread, (line, name, arguments.trim_end_matches(')')));
            } else if let Some((arguments, _)) = rest.rsplit_once(')') {
                calls.push(Call {
                    name,
                    arguments,
                    returned: returned(rest),
                    begun: line,
                    ended: line,
                });
            }
        }
        // What else there is are signals and the ends of threads.
    }
    calls
}

/// What stands behind the last ` = `, without the name of an error.
fn returned(text: &str) -> &str {
    let value = text.rsplit_once(" = ").map_or("?", |(_, value)| value);
    value.split(' ').next().unwrap()
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPEN: &str = "\
        7 openat(AT_FDCWD, \"/d/data.mdb\", O_RDWR|O_CREAT|O_CLOEXEC, 0600) = 5\n\
        7 openat(AT_FDCWD, \"/d/data.mdb\", O_WRONLY|O_DSYNC|O_CLOEXEC) = 6\n";
    const PAGE: &str = "8 pwrite64(5, \"..caller 1 change 1...\", 4096, 12288) = 4096\n";
    const PAGES: &str = "8 lseek(5, 16384, SEEK_SET) = 16384\n\
        8 writev(5, [{iov_base=\"caller 2 change 1.\", iov_len=4096}, \
        {iov_base=\"x\", iov_len=4096}], 2) = 8192\n";
    const SYNC: &str = "8 fdatasync(5) = 0\n";
    const META: &str = "8 pwrite64(6, \"\\0\\0\", 120, 4128) = 120\n";
    const ANSWERS: &str = "9 write(2, \"acknowledged caller 1 change 1.\\n\", 32) = 32\n\
        9 write(2, \"acknowledged caller 2 change 1.\\n\", 32) = 32\n";

    fn violations(lines: &[&str]) -> Vec<String> {
        let findings = check(&lines.concat(), "/data.mdb", 4096);
        assert_eq!(findings.acknowledged, 2);
        findings
            .violations
            .iter()
            .map(ToString::to_string)
            .collect()
    }

    const UNSYNCED: [&str; 2] = [
        "the pages of caller 1 change 1. were not synced",
        "the pages of caller 2 change 1. were not synced",
    ];
    const EARLY: [&str; 2] = [
        "caller 1 change 1. was acknowledged too early",
        "caller 2 change 1. was acknowledged too early",
    ];

    #[test]
    fn a_commit_as_it_should_be() {
        let none: [&str; 0] = [];
        assert_eq!(violations(&[OPEN, PAGE, PAGES, SYNC, META, ANSWERS]), none);
    }

    #[test]
    fn a_sync_that_misses_pages_is_none() {
        assert_eq!(violations(&[OPEN, PAGE, PAGES, META, ANSWERS]), UNSYNCED);
        assert_eq!(
            violations(&[OPEN, PAGE, SYNC, PAGES, META, ANSWERS]),
            UNSYNCED
        );
        assert_eq!(
            violations(&[OPEN, PAGE, PAGES, META, SYNC, ANSWERS]),
            UNSYNCED
        );
        let refused = "8 fdatasync(5) = -1 EIO (Input/output error)\n";
        assert_eq!(
            violations(&[OPEN, PAGE, PAGES, refused, META, ANSWERS]),
            UNSYNCED
        );
        let another = "8 fdatasync(7) = 0\n";
        assert_eq!(
            violations(&[OPEN, PAGE, PAGES, another, META, ANSWERS]),
            UNSYNCED
        );
    }

    #[test]
    fn a_sync_begun_before_the_pages_were_written_is_none() {
        let begun = "3 fdatasync(5 <unfinished ...>\n";
        let ended = "3 <... fdatasync resumed>) = 0\n";
        let lines = [OPEN, begun, PAGE, PAGES, ended, META, ANSWERS];
        assert_eq!(violations(&lines), UNSYNCED);
        let lines = [OPEN, PAGE, PAGES, begun, META, ended, ANSWERS];
        assert_eq!(violations(&lines), UNSYNCED);
        let none: [&str; 0] = [];
        let lines = [OPEN, PAGE, PAGES, begun, ended, META, ANSWERS];
        assert_eq!(violations(&lines), none);
    }

    #[test]
    fn an_answer_waits_for_the_meta_page() {
        assert_eq!(violations(&[OPEN, PAGE, PAGES, SYNC, ANSWERS, META]), EARLY);
        let begun = "8 pwrite64(6, \"\\0\\0\", 120, 4128 <unfinished ...>\n";
        let ended = "8 <... pwrite64 resumed>) = 120\n";
        let lines = [OPEN, PAGE, PAGES, SYNC, begun, ANSWERS, ended];
        assert_eq!(violations(&lines), EARLY);
    }

    #[test]
    fn a_meta_page_through_a_plain_descriptor_needs_a_sync() {
        let open = OPEN.replace("O_DSYNC|", "");
        assert_eq!(
            violations(&[&open, PAGE, PAGES, SYNC, META, ANSWERS]),
            EARLY
        );
        let none: [&str; 0] = [];
        let lines = [&open, PAGE, PAGES, SYNC, META, SYNC, ANSWERS];
        assert_eq!(violations(&lines), none);
    }

    #[test]
    fn what_was_never_committed_is_named() {
        let never = [
            "caller 1 change 1. was never written",
            "caller 2 change 1. was never written",
        ];
        assert_eq!(violations(&[OPEN, SYNC, META, ANSWERS]), never);
        assert_eq!(violations(&[OPEN, PAGE, PAGES, SYNC, ANSWERS]), never);
    }
}
