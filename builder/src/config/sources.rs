//! `[sources]`: where the sources of recipes may come from.

use ipnet::IpNet;
use serde::Deserialize;

/// Where the sources of recipes may come from.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Sources {
    /// Networks that a recipe may fetch from although their addresses are not public.
    pub allow_private: Vec<IpNet>,
}
