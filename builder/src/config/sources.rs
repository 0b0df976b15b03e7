//! `[sources]`: where the sources of recipes may come from, and how much.

use ipnet::IpNet;
use serde::Deserialize;

/// Where the sources of recipes may come from, and how much.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Sources {
    /// Networks that a recipe may fetch from although their addresses are not public.
    pub allow_private: Vec<IpNet>,
    /// The most bytes that one attempt may fetch for its recipe: archives together, and each git
    /// repository with its submodules.
    pub max_bytes: u64,
}

impl Default for Sources {
    fn default() -> Self {
        Self {
            allow_private: Vec::new(),
            max_bytes: 16 << 30,
        }
    }
}
