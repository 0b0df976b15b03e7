//! The files of the host's glibc, and what it says of itself.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// The loader, under the path that every program of this architecture asks for.
pub const LOADER: &str = "/lib64/ld-linux-x86-64.so.2";

/// The C library.
const LIBC: &str = "libc.so.6";

/// The libraries that are one with it: programs are linked with these, and none works with those of
/// another release. Some are empty in later ones, or gone.
const SIBLINGS: [&str; 11] = [
    "libBrokenLocale.so.1",
    "libanl.so.1",
    "libdl.so.2",
    "libm.so.6",
    "libmvec.so.1",
    "libnss_dns.so.2",
    "libnss_files.so.2",
    "libpthread.so.0",
    "libresolv.so.2",
    "librt.so.1",
    "libutil.so.1",
];

/// How a C library begins to say what it is: `GNU C Library (Debian GLIBC 2.36-9) stable release
/// version 2.36.`
const BANNER: &[u8] = b"GNU C Library (";

/// The longest banner.
const BANNER_LIMIT: usize = 256;

/// The host's glibc.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Glibc {
    /// Its release, such as `2.36`.
    pub version: String,
    /// Who made it, by its own words, such as `Debian GLIBC 2.36-9`.
    pub maker: String,
    /// The names under which programs ask for its files, and where these are.
    pub files: Vec<(String, PathBuf)>,
}

/// A glibc that is not there.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The loader or the C library cannot be read.
    #[error("cannot read {}: the line needs a machine with the GNU C library", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The C library is of another kind.
    #[error("{} does not say which release of the GNU C library it is", .0.display())]
    NoBanner(PathBuf),
}

impl Glibc {
    /// The glibc that `loader` belongs to: its libraries lie beside it, wherever links lead to it.
    ///
    /// # Errors
    /// When there is none.
    pub fn find(loader: &Path) -> Result<Self, Error> {
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |source| Error::File { path, source }
        };
        let real = loader.canonicalize().map_err(failed(loader))?;
        let folder = real.parent().unwrap_or(Path::new("/"));
        let libc = folder.join(LIBC);
        let bytes = fs::read(&libc).map_err(failed(&libc))?;
        let banner = find_banner(&bytes).ok_or(Error::NoBanner(libc.clone()))?;
        let name = loader.file_name().unwrap_or(real.as_os_str());
        let name = name.to_string_lossy().into_owned();
        let mut files = vec![(name, real.clone()), (LIBC.to_owned(), libc)];
        for name in SIBLINGS {
            // A link that leads elsewhere leads to something else than this glibc.
            match folder.join(name).canonicalize() {
                Ok(path) if path.parent() == Some(folder) => files.push((name.to_owned(), path)),
                Ok(_) | Err(_) => {}
            }
        }
        Ok(Self {
            version: banner.version,
            maker: banner.maker,
            files,
        })
    }
}

#[derive(Debug, PartialEq, Eq)]
struct Banner {
    version: String,
    maker: String,
}

fn find_banner(bytes: &[u8]) -> Option<Banner> {
    let at = bytes
        .windows(BANNER.len())
        .position(|found| found == BANNER)?;
    let rest = bytes.get(at + BANNER.len()..)?;
    let rest = rest.get(..BANNER_LIMIT.min(rest.len()))?;
    let text = String::from_utf8_lossy(rest);
    let (maker, rest) = text.split_once(')')?;
    let (_, rest) = rest.split_once(" release version ")?;
    let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.');
    let version = rest.get(..end.unwrap_or(rest.len()))?.trim_matches('.');
    // Both get into a recipe.
    let is_plain = |c: char| c.is_ascii_alphanumeric() || " .,:+~_-".contains(c);
    (!version.is_empty() && maker.chars().all(is_plain)).then(|| Banner {
        version: version.to_owned(),
        maker: maker.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn a_glibc_says_which_release_it_is() {
        let banner = |text: &str| {
            let bytes = [b"\x7fELF\0", text.as_bytes(), b"\nCopyright\0"].concat();
            find_banner(&bytes).map(|banner| (banner.maker, banner.version))
        };
        let is = |maker: &str, version: &str| Some((maker.to_owned(), version.to_owned()));
        assert_eq!(
            banner("GNU C Library (Debian GLIBC 2.36-9+deb12u14) stable release version 2.36."),
            is("Debian GLIBC 2.36-9+deb12u14", "2.36")
        );
        assert_eq!(
            banner("GNU C Library (GNU libc) development release version 2.38.9000."),
            is("GNU libc", "2.38.9000")
        );
        for other in [
            "musl libc",
            "GNU C Library (",
            "GNU C Library (x) stable release version .",
            "GNU C Library (\"x\": [) stable release version 2.36.",
        ] {
            assert_eq!(banner(other), None, "{other}");
        }
    }

    #[test]
    fn libraries_lie_beside_the_loader_wherever_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        let real = root.join("usr/lib/glibc");
        fs::create_dir_all(&real).unwrap();
        for (name, text) in [
            ("ld-2.31.so", "loader"),
            (LIBC, "GNU C Library (mine) stable release version 2.31.\n"),
            ("libm-2.31.so", "m"),
            ("libdl.so.2", "dl"),
        ] {
            fs::write(real.join(name), text).unwrap();
        }
        fs::write(root.join("foreign"), "pthread").unwrap();
        symlink("libm-2.31.so", real.join("libm.so.6")).unwrap();
        symlink(root.join("foreign"), real.join("libpthread.so.0")).unwrap();
        symlink("nowhere", real.join("librt.so.1")).unwrap();
        let loader = root.join("ld-linux-x86-64.so.2");
        symlink(real.join("ld-2.31.so"), &loader).unwrap();

        let glibc = Glibc::find(&loader).unwrap();
        assert_eq!(glibc.version, "2.31");
        let files: Vec<(&str, &str)> = glibc
            .files
            .iter()
            .map(|(name, path)| {
                let path = path.strip_prefix(&real).unwrap();
                (name.as_str(), path.to_str().unwrap())
            })
            .collect();
        assert_eq!(
            files,
            [
                ("ld-linux-x86-64.so.2", "ld-2.31.so"),
                ("libc.so.6", "libc.so.6"),
                ("libdl.so.2", "libdl.so.2"),
                ("libm.so.6", "libm-2.31.so"),
            ]
        );
        fs::write(real.join(LIBC), "musl").unwrap();
        let error = Glibc::find(&loader).unwrap_err();
        assert!(matches!(error, Error::NoBanner(_)), "{error}");
        let error = Glibc::find(&root.join("none")).unwrap_err();
        assert!(matches!(error, Error::File { .. }), "{error}");
    }
}
