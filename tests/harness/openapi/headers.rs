//! The headers by which GitHub knows how it is spoken to.

use forge::Headers;

/// What a client of the REST API may want to have: GitHub's JSON, under its names then and now.
const MEDIA_TYPES: [&str; 3] = [
    "application/vnd.github+json",
    "application/vnd.github.v3+json",
    "application/json",
];

/// The version that the description is of, and that GitHub takes where none is named.
const VERSION: &str = "2022-11-28";

/// What is wrong with the headers of a request.
pub(super) fn judge(headers: &Headers) -> Vec<String> {
    let mut problems = Vec::new();
    // GitHub refuses who does not say it.
    if headers.user_agent.as_deref().is_none_or(str::is_empty) {
        problems.push("the request does not say who sends it: User-Agent".to_owned());
    }
    // Without one GitHub answers in its JSON too.
    if let Some(accept) = headers.accept.as_deref()
        && !accept
            .split(',')
            .all(|one| MEDIA_TYPES.contains(&one.trim()))
    {
        problems.push(format!(
            "the request accepts {accept:?}, which is not GitHub's JSON"
        ));
    }
    if let Some(version) = headers.api_version.as_deref()
        && version != VERSION
    {
        problems.push(format!(
            "the request is for version {version} and not {VERSION}"
        ));
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(user_agent: Option<&str>, accept: Option<&str>, version: Option<&str>) -> Headers {
        Headers {
            user_agent: user_agent.map(str::to_owned),
            accept: accept.map(str::to_owned),
            api_version: version.map(str::to_owned),
        }
    }

    #[test]
    fn a_good_client_says_who_it_is_and_what_it_reads() {
        let good = headers(
            Some("summit"),
            Some("application/vnd.github+json"),
            Some(VERSION),
        );
        assert_eq!(judge(&good), Vec::<String>::new());
        let plain = headers(Some("summit"), Some("application/json"), None);
        assert_eq!(judge(&plain), Vec::<String>::new());
        let brief = headers(Some("summit"), None, None);
        assert_eq!(judge(&brief), Vec::<String>::new());
    }

    #[test]
    fn each_header_is_judged() {
        for bad in [
            headers(None, Some("application/json"), None),
            headers(Some(""), Some("application/json"), None),
            headers(Some("summit"), Some(""), None),
            headers(Some("summit"), Some("text/html"), None),
            headers(Some("summit"), Some("application/json"), Some("2021-01-01")),
        ] {
            assert_eq!(judge(&bad).len(), 1, "{bad:?}: {:?}", judge(&bad));
        }
    }
}
