//! Reading the list of sources.

use std::str::FromStr;

use super::{Archive, DEFAULT_STRIP, FileName, Git, RelativePath, Sha256, Unpack, Upstream, Url};
use crate::recipe::diagnostic::{Code, Diagnostic};
use crate::recipe::field::Identity;
use crate::recipe::fields::Fields;
use crate::recipe::read::Reader;
use crate::recipe::setting::Setting;
use crate::recipe::span::Spanned;
use crate::recipe::yaml::{Node, Value};

const ARCHIVE_KEYS: &[&str] = &["hash", "rename", "stripdirs", "unpack", "unpackdir"];
const GIT_KEYS: &[&str] = &["ref", "clonedir"];

impl Reader<'_> {
    /// The list of upstreams.
    pub(crate) fn upstreams(&mut self, node: &Node, identity: &Identity) -> Vec<Spanned<Upstream>> {
        let mut upstreams = Vec::new();
        for item in self.items(node, "`upstreams`") {
            if let Some(upstream) = self.upstream(item, identity) {
                upstreams.push(Spanned::new(upstream, item.span));
            }
        }
        upstreams
    }

    fn upstream(&mut self, item: &Node, identity: &Identity) -> Option<Upstream> {
        if matches!(item.value, Value::Scalar { .. }) && !item.is_null() {
            self.report(
                Diagnostic::error(
                    Code::MissingHash,
                    item.span,
                    "the upstream has no hash or ref",
                )
                .with_help("write `URL: SHA-256`, or `git|URL: COMMIT`"),
            );
            return None;
        }
        let (key, value) = self.single(item, "an upstream")?;
        let text = self.filled(key, "an upstream's URL")?;
        match text.strip_prefix("git|").map(str::to_owned) {
            Some(url) => {
                let url = self.url(&Spanned::new(url, text.span()))?;
                self.git(url, value, identity).map(Upstream::Git)
            }
            None => {
                let url = self.url(&text)?;
                self.archive(url, value, identity).map(Upstream::Archive)
            }
        }
    }

    fn url(&mut self, text: &Spanned<String>) -> Option<Spanned<Url>> {
        let url = self.convert::<Url>(text, "the URL", Code::BadUrl)?;
        if !url.is_encrypted() {
            self.report(
                Diagnostic::warning(
                    Code::InsecureUpstream,
                    url.span(),
                    format!(
                        "the source is fetched over {}, without encryption",
                        url.scheme()
                    ),
                )
                .with_help("use https where the server offers it"),
            );
        }
        Some(url)
    }

    fn archive(&mut self, url: Spanned<Url>, node: &Node, identity: &Identity) -> Option<Archive> {
        if !matches!(node.value, Value::Mapping(_)) {
            let hash = self.hash(Some(node), &url)?;
            let file_name = self.url_end::<FileName>(&url, "rename")?;
            let unpack = Setting::default_of(Some(Unpack {
                directory: file_name.clone().map(RelativePath::from),
                strip: Setting::default_of(DEFAULT_STRIP),
            }));
            return Some(Archive {
                url,
                hash,
                file_name,
                unpack,
            });
        }
        let mut fields = self.fields(node, "an archive")?;
        let hash = self.hash(fields.take("hash"), &url);
        let file_name = self.path::<FileName>(&mut fields, "rename", &url, identity);
        let unpack = fields
            .given(self, "unpack")
            .and_then(|node| self.flag(node, "`unpack`"));
        let unpack = Setting::given_or(unpack, true);
        let strip = fields
            .given(self, "stripdirs")
            .and_then(|node| self.number(node, "`stripdirs`"));
        let strip = Setting::given_or(strip, DEFAULT_STRIP);
        let directory = self.own_path::<RelativePath>(&mut fields, "unpackdir", identity);
        fields.finish(self, ARCHIVE_KEYS);
        let file_name = file_name?;
        let directory = directory.unwrap_or_else(|| file_name.clone().map(RelativePath::from));
        Some(Archive {
            url,
            hash: hash?,
            unpack: unpack.map(|wanted| wanted.then_some(Unpack { directory, strip })),
            file_name,
        })
    }

    fn hash(&mut self, node: Option<&Node>, url: &Spanned<Url>) -> Option<Spanned<Sha256>> {
        let Some(node) = node.filter(|node| !node.is_null()) else {
            self.report(
                Diagnostic::error(
                    Code::MissingHash,
                    url.span(),
                    format!("the archive {} has no SHA-256", url.file_name()),
                )
                .with_help("write `URL: SHA-256`"),
            );
            return None;
        };
        self.parsed(node, "the hash", Code::BadHash)
    }

    fn git(&mut self, url: Spanned<Url>, node: &Node, identity: &Identity) -> Option<Git> {
        if !matches!(node.value, Value::Mapping(_)) {
            let reference = self.reference(Some(node), &url)?;
            let directory = self.url_end(&url, "clonedir")?;
            return Some(Git {
                url,
                reference,
                directory,
            });
        }
        let mut fields = self.fields(node, "a git upstream")?;
        let reference = self.reference(fields.take("ref"), &url);
        let directory = self.path(&mut fields, "clonedir", &url, identity);
        fields.finish(self, GIT_KEYS);
        Some(Git {
            url,
            reference: reference?,
            directory: directory?,
        })
    }

    fn reference(&mut self, node: Option<&Node>, url: &Spanned<Url>) -> Option<Spanned<String>> {
        let Some(node) = node.filter(|node| !node.is_null()) else {
            self.report(
                Diagnostic::error(
                    Code::MissingRef,
                    url.span(),
                    format!("the repository {} has no ref", url.file_name()),
                )
                .with_help("write `git|URL: COMMIT`"),
            );
            return None;
        };
        let reference = self.filled(node, "the ref")?;
        let breaks = |c: char| c.is_whitespace() || c.is_control();
        if reference.starts_with('-') || reference.contains(breaks) {
            self.report(Diagnostic::error(
                Code::BadRef,
                reference.span(),
                format!(
                    "`{}` is not the name of a commit, tag or branch",
                    reference.escape_debug()
                ),
            ));
            return None;
        }
        Some(reference)
    }

    /// A path that the recipe may give, else the end of the URL.
    fn path<T: FromStr<Err = super::Invalid>>(
        &mut self,
        fields: &mut Fields<'_>,
        key: &str,
        url: &Spanned<Url>,
        identity: &Identity,
    ) -> Option<Spanned<T>> {
        match fields.given(self, key) {
            Some(node) => self.expanded_path(node, key, identity),
            None => self.url_end(url, key),
        }
    }

    /// A path that the recipe may give.
    fn own_path<T: FromStr<Err = super::Invalid>>(
        &mut self,
        fields: &mut Fields<'_>,
        key: &str,
        identity: &Identity,
    ) -> Option<Spanned<T>> {
        let node = fields.given(self, key)?;
        self.expanded_path(node, key, identity)
    }

    fn expanded_path<T: FromStr<Err = super::Invalid>>(
        &mut self,
        node: &Node,
        key: &str,
        identity: &Identity,
    ) -> Option<Spanned<T>> {
        let text = self.filled(node, &format!("`{key}`"))?;
        let text = self.expanded(text, identity);
        self.convert(&text, &format!("`{key}`"), Code::BadPath)
    }

    fn url_end<T: FromStr<Err = super::Invalid>>(
        &mut self,
        url: &Spanned<Url>,
        key: &str,
    ) -> Option<Spanned<T>> {
        match url.file_name().parse() {
            Ok(name) => Some(Spanned::new(name, url.span())),
            Err(error) => {
                self.report(
                    Diagnostic::error(
                        Code::BadPath,
                        url.span(),
                        format!("the end of the URL cannot be a file's name: {error}"),
                    )
                    .with_help(format!("give another name with `{key}`")),
                );
                None
            }
        }
    }
}
