//! The protocol's document, as far as it is checked.

use std::path::{Path, PathBuf};

/// `docs/protocol.md`.
pub(crate) struct Document {
    text: String,
}

/// A fenced block with a tag.
struct Block<'a> {
    tag: &'a str,
    body: String,
}

impl Document {
    /// Reads it.
    pub(crate) fn read() -> Self {
        Self {
            text: read("docs/protocol.md"),
        }
    }

    /// What stands in the blocks of `tag`.
    pub(crate) fn blocks(&self, tag: &str) -> Vec<String> {
        let blocks = self.tagged().into_iter();
        blocks
            .filter(|block| block.tag == tag)
            .map(|block| block.body)
            .collect()
    }

    /// The tags of all blocks that have one.
    pub(crate) fn tags(&self) -> Vec<&str> {
        self.tagged().into_iter().map(|block| block.tag).collect()
    }

    /// True when a code span of the text ends with a route, or goes on with a query only.
    pub(crate) fn mentions(&self, route: &str) -> bool {
        ["`", "?"]
            .iter()
            .any(|end| self.text.contains(&format!(" {route}{end}")))
    }

    /// True when some line begins with `begin`.
    pub(crate) fn has_line(&self, begin: &str) -> bool {
        self.text.lines().any(|line| line.starts_with(begin))
    }

    /// The blocks that open with "```json" and a tag.
    fn tagged(&self) -> Vec<Block<'_>> {
        let mut blocks = Vec::new();
        let mut lines = self.text.lines();
        while let Some(line) = lines.next() {
            let Some(tag) = line.strip_prefix("```json ") else {
                continue;
            };
            let body: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
            blocks.push(Block {
                tag: tag.trim(),
                body: body.join("\n"),
            });
        }
        blocks
    }
}

/// The paths that a router's source gives to `.route(…)`, and the files below those that it gives to
/// `.nest_service(…)`. Ids are all called `{id}` in the document; a catch-all is no route of its own.
pub(crate) fn routes(source: &str) -> Vec<String> {
    let source = read(source);
    let find = |call: &str| -> Vec<String> {
        let arguments = source.split(call).skip(1);
        arguments
            .filter_map(|rest| rest.trim_start().strip_prefix('"')?.split_once('"'))
            .map(|(route, _)| {
                route
                    .replace("{build}", "{id}")
                    .replace("{attempt}", "{id}")
            })
            .collect()
    };
    let mut routes = find(".route(");
    routes.retain(|route| !route.contains("{*"));
    let nested = find(".nest_service(");
    routes.extend(
        nested
            .iter()
            .map(|route| format!("{route}/{{id}}/{{file}}")),
    );
    routes
}

fn read(path: &str) -> String {
    let path: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .join(path);
    std::fs::read_to_string(&path)
        .unwrap_or_else(|error| panic!("cannot read {}: {error}", path.display()))
}
