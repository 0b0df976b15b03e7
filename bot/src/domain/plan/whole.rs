//! Placeholder builds. When a head is not planned, one build with one check run stands for all its
//! recipes. So a stranger cannot create thousands of rows.

use api::id::{BuildId, RecipeFolder, TreeSha};

use super::begin::begin;
use super::input::{Candidate, Frame, Unreadable};
use crate::domain::build::{Build, Hold, Scope, State};
use crate::domain::trust::Stranger;

/// How many folders a placeholder lists.
const NAMED: usize = 50;

/// The placeholder for a pull request whose author may not write.
pub fn unapproved(
    id: BuildId,
    frame: &Frame,
    stranger: Stranger,
    folders: &[RecipeFolder],
) -> Build {
    let scope = Scope::All {
        count: folders.len(),
        named: folders.iter().take(NAMED).cloned().collect(),
    };
    whole(id, frame, scope, Hold::Approval(stranger))
}

/// The placeholder for a head that changes too much to be planned. `reason` is a sentence.
pub fn too_large(id: BuildId, frame: &Frame, reason: String) -> Build {
    let scope = Scope::All {
        count: 0,
        named: Vec::new(),
    };
    whole(id, frame, scope, Hold::TooLarge { reason })
}

fn whole(id: BuildId, frame: &Frame, scope: Scope, by: Hold) -> Build {
    let candidate = Candidate {
        id,
        folder: ".".parse().expect("the top is a folder"),
        tree: TreeSha::from_bytes([0; 20]),
        recipe: Err(Unreadable {
            name: "recipes".parse().expect("a valid name"),
            message: String::new(),
            annotations: Vec::new(),
        }),
    };
    Build {
        state: State::Held {
            by,
            since: frame.now,
        },
        ..begin(&candidate, frame, scope, None)
    }
}
