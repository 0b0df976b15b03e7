//! A service's Ed25519 key, and the public keys of the services that it knows.

use std::fmt;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use api::claims::{Claims, MAX_LIFETIME, Scope, request_digest};
use api::id::ServiceName;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::pkcs8::spki::der::pem::LineEnding;
use ed25519_dalek::pkcs8::{DecodePrivateKey as _, EncodePrivateKey as _};
use ed25519_dalek::{SigningKey, VerifyingKey};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use rand::RngExt as _;

use crate::Clock;

/// A key that cannot be read, made or understood.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file cannot be read or written.
    #[error("cannot access the key file {}", path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is no Ed25519 key.
    #[error("{} is no Ed25519 private key in PKCS#8 PEM", path.display())]
    NoKey {
        /// Which file.
        path: PathBuf,
    },
    /// The text is no public key.
    #[error("{0:?} is no public key: it takes `ed25519:` and 32 bytes in base64")]
    NoPublicKey(String),
}

/// A service's own name and private key.
#[derive(Clone)]
pub struct ServiceKey {
    name: ServiceName,
    public: PublicKey,
    encoding: Arc<EncodingKey>,
    clock: Clock,
}

impl ServiceKey {
    /// Reads the key in the file at `path`; makes one there, readable by the owner only, if there
    /// is none.
    ///
    /// # Errors
    /// When the file cannot be read or written, or holds no Ed25519 key.
    pub fn load_or_create(name: ServiceName, path: &Path) -> Result<Self, KeyError> {
        match std::fs::read_to_string(path) {
            Ok(pem) => {
                let key = SigningKey::from_pkcs8_pem(&pem).map_err(|_| KeyError::NoKey {
                    path: path.to_owned(),
                })?;
                Ok(Self::new(name, &key))
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let mut seed = [0; 32];
                rand::rng().fill(&mut seed);
                let key = SigningKey::from_bytes(&seed);
                write_private(path, &key).map_err(|source| KeyError::File {
                    path: path.to_owned(),
                    source,
                })?;
                Ok(Self::new(name, &key))
            }
            Err(source) => Err(KeyError::File {
                path: path.to_owned(),
                source,
            }),
        }
    }

    fn new(name: ServiceName, key: &SigningKey) -> Self {
        let der = key
            .to_pkcs8_der()
            .expect("an Ed25519 key always has a PKCS#8 form");
        Self {
            name,
            public: PublicKey(key.verifying_key().to_bytes()),
            encoding: Arc::new(EncodingKey::from_ed_der(der.as_bytes())),
            clock: Clock::system(),
        }
    }

    /// The service's name in tokens.
    pub fn name(&self) -> &ServiceName {
        &self.name
    }

    /// What other services pin.
    pub fn public(&self) -> &PublicKey {
        &self.public
    }

    /// A token for one request to `audience`.
    pub fn sign(
        &self,
        audience: &ServiceName,
        scope: Scope,
        method: &str,
        path_and_query: &str,
        body: &[u8],
    ) -> Result<String, jsonwebtoken::errors::Error> {
        let now = self.clock.now().as_second();
        let claims = Claims {
            iss: self.name.clone(),
            aud: audience.clone(),
            scope,
            iat: now,
            exp: now + MAX_LIFETIME,
            jti: uuid::Uuid::now_v7().simple().to_string(),
            req: request_digest(method, path_and_query, body),
        };
        jsonwebtoken::encode(&Header::new(Algorithm::EdDSA), &claims, &self.encoding)
    }
}

impl fmt::Debug for ServiceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ServiceKey({}, {})", self.name, self.public)
    }
}

fn write_private(path: &Path, key: &SigningKey) -> std::io::Result<()> {
    let pem = key
        .to_pkcs8_pem(LineEnding::LF)
        .map_err(std::io::Error::other)?;
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    // A crash between creating and writing must not leave an empty key: write aside, then rename.
    let aside = path.with_extension("new");
    let _ = std::fs::remove_file(&aside);
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&aside)?;
    file.write_all(pem.as_bytes())?;
    file.sync_all()?;
    std::fs::rename(&aside, path)?;
    // A name that a power cut takes away would be a new key, which nobody has pinned.
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    std::fs::File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}

/// The public half of a service's key, written `ed25519:` and its 32 bytes in base64.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct PublicKey([u8; 32]);

impl PublicKey {
    /// The key's bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ed25519:{}", STANDARD.encode(self.0))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for PublicKey {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        let no_key = || KeyError::NoPublicKey(text.chars().take(80).collect());
        let bytes = text.strip_prefix("ed25519:").ok_or_else(no_key)?;
        let bytes = STANDARD.decode(bytes).map_err(|_| no_key())?;
        let bytes: [u8; 32] = bytes.try_into().map_err(|_| no_key())?;
        // A weak key is a point for which anyone can make signatures.
        match VerifyingKey::from_bytes(&bytes) {
            Ok(key) if !key.is_weak() => Ok(Self(bytes)),
            Ok(_) | Err(_) => Err(no_key()),
        }
    }
}

impl<'de> serde::Deserialize<'de> for PublicKey {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'_, str>>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}
