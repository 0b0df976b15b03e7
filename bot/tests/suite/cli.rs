//! The binary, as an administrator meets it.

use std::path::Path;
use std::process::Command;

use testbed::Binary;

const BINARY: Binary = Binary::new(env!("CARGO_BIN_EXE_summit"));

#[test]
fn help_says_what_it_is_and_takes() {
    insta::assert_snapshot!(BINARY.help());
}

#[test]
fn a_configuration_that_is_not_there_is_named() {
    insta::assert_snapshot!(BINARY.no_configuration("summit"));
}

/// What an administrator takes for the App's private key by mistake: the public half.
const PUBLIC_KEY: &str = "\
-----BEGIN PUBLIC KEY-----
MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAryNT3mtoImyPqtvACttf
XS/VvbjIbfWRRPB5y0BgMX3/538aeKcNbhRkIFphaasrf1iMINtmxrS1B2ua89na
X1jiWTjIMVhEXalTeVfnYo+OUcSCw6WyzwKfu9QjhnwLbpxWzfZMgQXOGg7QpFk2
5J+TltKIp3MKcrIwzxvap7AG5z6mEyP0UpDrusqim4As1xNLgZ8MBJHrUimvnHPu
WU5+g/dPmjjSAeKjDkjwIT+g2KxChMaYyJreJhaOTQNjtu2v56QV8t91J3X//SRH
8pp4CVgsYmuk/zQoQWVq5SsdkrCkjQYIAh6sfX/2dFL9edaovLQ5QEiqBRBgdwze
dwIDAQAB
-----END PUBLIC KEY-----
";

/// What a service makes for itself.
const ED25519_KEY: &str = "\
-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g
-----END PRIVATE KEY-----
";

/// The error with which summit refuses to start when `key` is its App's private key.
fn refusal_of_private_key(folder: &Path, key: &str) -> String {
    let private_key = folder.join("app.pem");
    std::fs::write(&private_key, key).unwrap();
    let secret = folder.join("webhook-secret");
    std::fs::write(&secret, "hush").unwrap();
    let config = folder.join("summit.toml");
    let text = format!(
        r#"
        name = "summit"
        data = {data:?}
        key = {own_key:?}
        builders = []
        [listen]
        address = "127.0.0.1:0"
        [github]
        api_url = "http://127.0.0.1:9/"
        app_id = 1
        private_key = {private_key:?}
        webhook_secret = {secret:?}
        organisation = "snekbook"
        [vessel]
        name = "vessel"
        url = "http://127.0.0.1:9/"
        public_url = "http://127.0.0.1:9/"
        channel = "main"
        [[profiles]]
        name = "x86_64"
        [telemetry]
        format = "json"
        filter = "off"
        "#,
        data = folder.join("data"),
        own_key = folder.join("key.pem"),
    );
    std::fs::write(&config, text).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_summit"))
        .arg("--config")
        .arg(&config)
        .output()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    let line = testbed::json::parse(&said).unwrap_or_else(|error| panic!("{said}: {error}"));
    assert_eq!(line["level"], "ERROR", "{said}");
    let error = line["error"].as_str().unwrap();
    error.replace(&private_key.display().to_string(), "[file]")
}

#[test]
fn a_private_key_that_cannot_sign_is_refused_with_its_key_and_its_file() {
    let folder = tempfile::tempdir().unwrap();
    for key in [PUBLIC_KEY, ED25519_KEY, "no key at all", ""] {
        let error = refusal_of_private_key(folder.path(), key);
        let expected = "cannot open the GitHub App: `github.private_key` names [file], which is no RSA \
            private key in PEM: take the one that GitHub gave out";
        assert!(error.starts_with(expected), "{error}");
    }
}
