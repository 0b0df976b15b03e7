//! A mirror of upstream archives on loopback: files under their SHA-256.

use std::io;
use std::path::{Path, PathBuf};

use api::id::Sha256;
use axum::Router;
use axum::extract::{Path as Part, Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use moss_format::recipe::Upstream;
use service::Supervisor;
use service::listen::{ListenError, Listener};
use tower_http::services::ServeFile;

use crate::ports::loopback;
use crate::recipes::Recipes;

/// A mirror that cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A folder or file cannot be used.
    #[error("cannot use {}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It cannot listen.
    #[error("the mirror cannot listen")]
    Listen(#[from] ListenError),
}

/// Puts `archives` into `folder`, each under its SHA-256.
///
/// # Errors
/// When a file cannot be written.
pub fn keep(folder: &Path, archives: &[(String, Vec<u8>)]) -> Result<(), Error> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| Error::File { path, source }
    };
    std::fs::create_dir_all(folder).map_err(failed(folder))?;
    for (_, bytes) in archives {
        let path = folder.join(Sha256::of(bytes).to_string());
        std::fs::write(&path, bytes).map_err(failed(&path))?;
    }
    Ok(())
}

/// The archives that recipes name and `folder` lacks, in a line each: builds will fetch them from
/// where the recipes say, or fail. What is no recipe is passed over; summit says what is wrong with it.
pub fn absent(folder: &Path, recipes: &Recipes) -> Vec<String> {
    let texts = recipes.iter().filter_map(|recipe| {
        let file = recipe.definition()?;
        Some((recipe.name(), std::str::from_utf8(&file.content).ok()?))
    });
    let mut absent = Vec::new();
    for (name, text) in texts {
        let Ok((recipe, _)) = moss_format::recipe::Recipe::parse(text) else {
            continue;
        };
        for upstream in &recipe.upstreams {
            let Upstream::Archive(archive) = &**upstream else {
                continue;
            };
            let hash = archive.hash.to_string();
            if !folder.join(&hash).is_file() {
                absent.push(format!("{name}: {hash}, from {}", *archive.url));
            }
        }
    }
    absent
}

/// A mirror that answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mirror {
    /// Its address, as avalanche's `mirrors` takes it.
    pub pattern: String,
    /// Its port.
    pub port: u16,
}

/// Serves the files of `folder` on loopback at `port` until the supervisor stops; 0 takes a free
/// port.
///
/// # Errors
/// When the folder is none, or the port cannot be had.
pub async fn serve(folder: &Path, port: u16, supervisor: &Supervisor) -> Result<Mirror, Error> {
    let failed = |source| Error::File {
        path: folder.to_owned(),
        source,
    };
    // Taken now: a relative path would change its meaning with the working folder.
    let folder = folder.canonicalize().map_err(failed)?;
    if !folder.is_dir() {
        return Err(failed(io::ErrorKind::NotADirectory.into()));
    }
    let listener = Listener::bind(&loopback(port)).await?;
    let address = listener.address();
    let router = Router::new()
        .route("/{sha256}", get(answer))
        .with_state(folder);
    listener.serve(supervisor, "mirror", router);
    Ok(Mirror {
        pattern: format!("http://{address}/{{sha256}}"),
        port: address.port(),
    })
}

async fn answer(
    State(folder): State<PathBuf>,
    Part(name): Part<String>,
    request: Request,
) -> Response {
    // Only what is a hash, so that nothing else of the folder or beside it is ever served.
    let Ok(hash) = name.parse::<Sha256>() else {
        return (StatusCode::NOT_FOUND, "files have their SHA-256 as name\n").into_response();
    };
    match ServeFile::new(folder.join(hash.to_string()))
        .try_call(request)
        .await
    {
        Ok(response) => response.into_response(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            (StatusCode::NOT_FOUND, "there is no such file\n").into_response()
        }
        Err(error) => {
            tracing::error!(%error, file = %hash, "the mirror cannot read a file");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_files_under_their_hashes_are_served() {
        let folder = tempfile::tempdir().unwrap();
        let archive = b"an archive".to_vec();
        keep(folder.path(), &[("a.tar.gz".to_owned(), archive.clone())]).unwrap();
        std::fs::write(folder.path().join("secret"), "").unwrap();
        let supervisor = Supervisor::new();
        let mirror = serve(folder.path(), 0, &supervisor).await.unwrap();
        service::install_tls_provider();
        let fetch = async |name: &str| {
            let answer = reqwest::get(mirror.pattern.replace("{sha256}", name))
                .await
                .unwrap();
            (answer.status().as_u16(), answer.bytes().await.unwrap())
        };
        let found = fetch(&Sha256::of(&archive).to_string()).await;
        assert_eq!((found.0, &found.1[..]), (200, &archive[..]));
        let absent = Sha256::of(b"another").to_string();
        for name in ["secret", "..%2fsecret", "", absent.as_str()] {
            assert_eq!(fetch(name).await.0, 404, "{name}");
        }
        supervisor.shutdown(std::time::Duration::from_secs(5)).await;
    }

    #[test]
    fn archives_that_are_not_there_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let (recipes, archives) = (crate::examples::recipes(), crate::examples::archives());
        keep(folder.path(), &archives[..1]).unwrap();
        let (_, missing) = &archives[1];
        let missing = Sha256::of(missing).to_string();
        let absent = absent(folder.path(), &recipes);
        let [line] = &absent[..] else {
            panic!("{absent:?}")
        };
        assert!(
            line.contains(&format!(": {missing}, from https://")),
            "{line}"
        );
        keep(folder.path(), &archives).unwrap();
        assert_eq!(super::absent(folder.path(), &recipes), [""; 0]);
    }

    #[tokio::test]
    async fn a_folder_that_is_none_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let missing = folder.path().join("missing");
        let error = serve(&missing, 0, &Supervisor::new()).await.unwrap_err();
        assert!(matches!(error, Error::File { path, .. } if path == missing));
    }
}
