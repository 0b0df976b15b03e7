//! CMake package configurations.

/// The CMake package that a file of this name configures: `X` of `XConfig.cmake` and of
/// `x-config.cmake`. Files called `*-Config.cmake` are neither form.
pub(crate) fn package(file_name: &str) -> Option<&str> {
    if file_name.ends_with("-Config.cmake") {
        return None;
    }
    file_name
        .strip_suffix("Config.cmake")
        .or_else(|| file_name.strip_suffix("-config.cmake"))
        .filter(|name| !name.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_spellings_and_nothing_else() {
        for (file_name, wanted) in [
            ("Qt6CoreConfig.cmake", Some("Qt6Core")),
            ("zstd-config.cmake", Some("zstd")),
            ("fmt-Config.cmake", None),
            ("Config.cmake", None),
            ("-config.cmake", None),
            ("zstdConfigVersion.cmake", None),
            ("zstd-config-version.cmake", None),
            ("zstdTargets.cmake", None),
            ("zstdconfig.cmake", None),
        ] {
            assert_eq!(package(file_name), wanted, "{file_name}");
        }
    }
}
