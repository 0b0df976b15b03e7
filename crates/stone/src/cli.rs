//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;

const EXIT_CODES: &str = "\
Exit codes:
  0  everything is as it should be
  1  the input has errors; each is named, and every file was looked at
  2  something else went wrong: a file is missing or may not be read, the disk is full, the
     command line is not understood, or this program is at fault";

/// Looks into packages, build manifests, repository indexes and recipes.
#[derive(Debug, Parser)]
#[command(name = "stone", version, after_help = EXIT_CODES, max_term_width = 100)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Inspect(Inspect),
    Verify(Verify),
    Extract(Extract),
    Index(Index),
    Install(Install),
    /// Works on recipes, `stone.yaml`.
    #[command(subcommand)]
    Recipe(RecipeCommand),
    /// Prints the completions for a shell.
    #[command(
        after_help = "Example:\n  stone completions bash > ~/.local/share/bash-completion/completions/stone"
    )]
    Completions {
        /// The shell.
        shell: Shell,
    },
    /// Prints the manual page.
    #[command(after_help = "Example:\n  stone man > stone.1")]
    Man,
}

/// Shows what a package, manifest or index holds.
///
/// That is its payloads with their sizes, its metadata, and a summary of its files. The checksums of
/// what is shown are checked, those of the content are not: see `verify`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  stone inspect nano-8.3-33-1-x86_64.stone
  stone inspect --files nano-8.3-33-1-x86_64.stone
  stone inspect --json stone.index | jq -r '.packages[].name'")]
pub(crate) struct Inspect {
    /// A `.stone`, `manifest.<arch>.bin` or `stone.index`.
    pub(crate) file: PathBuf,
    /// Everything as JSON, with each path of a package.
    #[arg(long)]
    pub(crate) json: bool,
    /// Each path of a package, instead of how many there are.
    #[arg(long, conflicts_with = "json")]
    pub(crate) files: bool,
}

/// Checks every hash of packages, manifests and indexes.
///
/// These are the checksum of each payload and the digest of each file in a package. The parts must
/// also agree with each other, and an index must be one that clients take.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  stone verify *.stone
  stone verify --packages repository/stone.index")]
pub(crate) struct Verify {
    /// Packages, manifests and indexes.
    #[arg(required = true)]
    pub(crate) files: Vec<PathBuf>,
    /// Also hash the packages that an index names by a relative reference.
    #[arg(long)]
    pub(crate) packages: bool,
}

/// Unpacks a package, or some of it.
///
/// Files come to lie in `FOLDER/usr/…`, and everything is checked on the way. Nothing is written
/// outside the folder and nothing that exists is replaced. Modes are kept; owner and group are
/// yours.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  stone extract nano-8.3-33-1-x86_64.stone out
  stone extract nano-8.3-33-1-x86_64.stone out --file /usr/bin/nano --file /usr/share/doc")]
pub(crate) struct Extract {
    /// The package.
    pub(crate) file: PathBuf,
    /// Where to; made if missing.
    pub(crate) folder: PathBuf,
    /// Only this path and what lies below it. May be given several times.
    #[arg(long = "file", value_name = "PATH")]
    pub(crate) paths: Vec<String>,
    /// Keep the set-user-id and set-group-id bits, which are cleared otherwise.
    #[arg(long)]
    pub(crate) setuid: bool,
}

/// Writes an index of the packages in a folder.
///
/// Folders below it count as well. Packages are named relative to the index, so that both can be
/// moved together. Nothing is written when a package cannot be read as far as an index needs it, or
/// could not stand in one that clients take. Their files are not looked at: see `stone verify`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  stone index packages
  stone index pool -o history/1/x86_64/stone.index")]
pub(crate) struct Index {
    /// The folder of the packages, files that end in `.stone`.
    pub(crate) folder: PathBuf,
    /// The index; by default `stone.index` in the folder. One that is there is replaced at once.
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
}

/// Installs packages into a folder, with all that they depend on.
///
/// They come from the index of a channel, as a moss client finds it. Nothing is installed when the
/// index lists no provider of something that they depend on, or a package is not what the index says.
/// Files come to lie in `FOLDER/usr/…`; the links beside it are made as in every root. Owner and
/// group are yours, and nothing is set-user-id.
///
/// Standard output names each package that was installed. A program runs in there by
/// `unshare --map-root-user --root FOLDER /usr/bin/PROGRAM`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  stone install --index https://packages.example.org/main/stream/volatile/x86_64/stone.index --to root nano
  stone install --index repository/stone.index --to root nano 'binary(less)'")]
pub(crate) struct Install {
    /// The index: a URL, or a file of this machine.
    #[arg(long, value_name = "URL")]
    pub(crate) index: String,
    /// Where to: a new or an empty folder.
    #[arg(long, value_name = "FOLDER")]
    pub(crate) to: PathBuf,
    /// Packages by name, or what one of them provides.
    #[arg(required = true, value_name = "NAME")]
    pub(crate) names: Vec<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum RecipeCommand {
    Check(Check),
}

/// Says what is wrong or questionable in recipes, and where.
///
/// What each finding means is written in docs/recipe-lints.md. Only errors make the exit code 1.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  stone recipe check n/nano/stone.yaml
  git show HEAD~:n/nano/stone.yaml > /tmp/before
  stone recipe check n/nano/stone.yaml --previous /tmp/before
  stone recipe check --json */*/stone.yaml | jq '.recipes[].findings[].code'")]
pub(crate) struct Check {
    /// Recipes.
    #[arg(required = true)]
    pub(crate) files: Vec<PathBuf>,
    /// The recipe before the change; a recipe of the same name must have a higher release.
    #[arg(long, value_name = "FILE")]
    pub(crate) previous: Option<PathBuf>,
    /// The findings as JSON.
    #[arg(long)]
    pub(crate) json: bool,
}
