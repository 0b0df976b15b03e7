//! What every service needs to be one: the supervisor that owns its tasks, telemetry, signed
//! requests between services, errors at HTTP, the listener, and graceful shutdown.

pub mod auth;
pub mod client;
mod clock;
pub mod config;
pub mod error;
pub mod intake;
pub mod listen;
pub mod request;
mod run;
mod supervisor;
pub mod telemetry;

pub use clock::Clock;
pub use error::ApiError;
pub use run::run;
pub use supervisor::Supervisor;

/// Makes ring the process's TLS provider. Idempotent; called wherever TLS may first be used.
pub fn install_tls_provider() {
    // An error says that a provider is installed already, which is what is wanted.
    let _ = rustls::crypto::ring::default_provider().install_default();
}
