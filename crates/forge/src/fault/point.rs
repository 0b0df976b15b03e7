//! Where requests are held or fail.

/// Where requests are held or fail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Point {
    method: String,
    path: Vec<String>,
    query: Vec<(String, String)>,
    moment: Moment,
}

/// Whether the forge has done what was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// The request has come in, nothing has happened.
    Asked,
    /// It has happened, the answer has not left.
    Done,
}

impl Point {
    /// A REST route, such as `POST /repos/*/*/check-runs`: the path without `/api/v3`. `*` stands
    /// for one segment, `**` at the end for all that follow; the method `*` for any.
    #[must_use]
    pub fn rest(method: &str, path: &str) -> Self {
        Self {
            method: method.to_owned(),
            path: path
                .trim_start_matches('/')
                .split('/')
                .map(str::to_owned)
                .collect(),
            query: Vec::new(),
            moment: Moment::Asked,
        }
    }

    /// Every REST route. Git and webhooks pass.
    #[must_use]
    pub fn all_rest() -> Self {
        Self::rest("*", ALL)
    }

    /// The same point for requests alone whose query says so, such as `page=2`.
    #[must_use]
    pub fn with_query(mut self, name: &str, value: &str) -> Self {
        self.query.push((name.to_owned(), value.to_owned()));
        self
    }

    /// A clone or fetch: the request for the pack.
    #[must_use]
    pub fn upload_pack() -> Self {
        Self::rest("POST", "/*/*/git-upload-pack")
    }

    /// The sending of a webhook of that event, such as `push`.
    #[must_use]
    pub fn webhook(event: &str) -> Self {
        Self::rest(WEBHOOK, &format!("/{event}"))
    }

    /// The same point after the effect, before the answer.
    #[must_use]
    pub fn done(mut self) -> Self {
        self.moment = Moment::Done;
        self
    }

    /// Whether a request is at this point. `target` is its path, and its query if it has one.
    pub(super) fn matches(&self, method: &str, target: &str, moment: Moment) -> bool {
        if self.moment != moment || (self.method != "*" && self.method != method) {
            return false;
        }
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let asks = |(name, value): &(String, String)| {
            let mut pairs = url::form_urlencoded::parse(query.as_bytes());
            pairs.any(|pair| pair == (name.into(), value.into()))
        };
        if !self.query.iter().all(asks) {
            return false;
        }
        if self.path == [ALL] {
            return method != WEBHOOK && !is_git(path);
        }
        let mut segments = path.trim_start_matches('/').split('/');
        for pattern in &self.path {
            match (pattern.as_str(), segments.next()) {
                ("**", _) => return true,
                (_, None) => return false,
                ("*", Some(_)) => {}
                (literal, Some(segment)) if literal == segment => {}
                (_, Some(_)) => return false,
            }
        }
        segments.next().is_none()
    }
}

/// Stands for all REST routes.
const ALL: &str = "**";

/// Whether git asks at that path.
fn is_git(path: &str) -> bool {
    const GIT: [&str; 3] = ["/info/refs", "/git-upload-pack", "/git-receive-pack"];
    GIT.iter().any(|end| path.ends_with(end))
}

/// Stands in for a method in the points of webhooks.
pub(super) const WEBHOOK: &str = "WEBHOOK";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_point_matches_its_route_only() {
        let point = Point::rest("POST", "/repos/*/*/check-runs");
        assert!(point.matches("POST", "/repos/a/b/check-runs", Moment::Asked));
        assert!(!point.matches("PATCH", "/repos/a/b/check-runs", Moment::Asked));
        assert!(!point.matches("POST", "/repos/a/b/check-runs/1", Moment::Asked));
        assert!(!point.matches("POST", "/repos/a/b", Moment::Asked));
        assert!(!point.matches("POST", "/repos/a/b/check-runs", Moment::Done));
        assert!(Point::rest("*", "/app/**").matches("GET", "/app/hook/deliveries", Moment::Asked));
        let git = "/a/b.git/git-upload-pack";
        assert!(Point::upload_pack().matches("POST", git, Moment::Asked));
        let all = Point::all_rest();
        assert!(
            all.matches("GET", "/app", Moment::Asked) && all.matches("POST", "/", Moment::Asked)
        );
        assert!(!all.matches("POST", git, Moment::Asked), "no REST");
        assert!(!all.matches(WEBHOOK, "push", Moment::Asked), "no REST");
        let second = Point::rest("GET", "/app").with_query("page", "2");
        assert!(second.matches("GET", "/app?per_page=1&page=2", Moment::Asked));
        assert!(!second.matches("GET", "/app?page=20", Moment::Asked));
        assert!(!second.matches("GET", "/app", Moment::Asked));
    }
}
