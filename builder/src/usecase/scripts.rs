//! The sandbox's side of a build: its folders, its tools, its scripts.

use std::collections::BTreeMap;
use std::io;
use std::num::NonZeroU32;
use std::path::Path;

use api::attempt::{Order, Reason};
use moss_format::recipe::{self, Recipe};
use moss_format::script::{BuildPath, Context, DEFAULT_PATH, Folders, Toolchain};

use super::failure::Halt;
use super::workspace::Workspace;
use crate::sandbox::CONTROL;
use crate::sandbox::limits::Limits;
use crate::sandbox::root::{self, HostPaths};
use crate::sandbox::spec::{Entry, Network, Run, Spec};

/// Where things are in the sandbox. They are the same in every build, as they get into binaries.
const RECIPE: &str = "/avalanche/recipe";
const SOURCES: &str = "/avalanche/sources";
const SCRIPTS: &str = "/avalanche/scripts";
const BUILD: &str = "/avalanche/build";
const INSTALL: &str = "/avalanche/install";
const HOME: &str = "/avalanche/home";

/// The folder of the sandbox in which tools work on copies of what was built.
pub(super) const SCRATCH: &str = "/avalanche/scratch";

/// What scripts are expanded with.
pub(super) fn context(
    recipe: &Recipe,
    order: &Order,
    jobs: NonZeroU32,
    toolchain: Toolchain,
) -> Result<Context, Halt> {
    let folder = |text: &str| -> Result<BuildPath, Halt> {
        text.parse()
            .map_err(|error| Halt::internal("name a folder of the build", &error))
    };
    let build = folder(BUILD)?;
    let workdir = match recipe.work_directory() {
        Some(name) => build
            .join(name)
            .map_err(|error| Halt::new(Reason::RecipeInvalid { line: None }, error.to_string()))?,
        None => build.clone(),
    };
    let folders = Folders {
        pkgdir: folder(&format!("{RECIPE}/pkg"))?,
        sourcedir: folder(SOURCES)?,
        workdir,
        installroot: folder(INSTALL)?,
        buildroot: build,
    };
    let mut context = Context::new(recipe, folders, jobs, order.source_date_epoch);
    context.toolchain = toolchain;
    Ok(context)
}

/// The tools of a build, and a line for the log where they are not what the recipe asks for.
pub(super) fn toolchain(
    recipe: &Recipe,
    has: impl Fn(&str) -> bool,
) -> (Toolchain, Option<String>) {
    let wanted = *recipe.options.toolchain;
    let (chosen, other) = match wanted {
        recipe::Toolchain::Llvm if has("clang") || !has("gcc") => (Toolchain::llvm(), None),
        recipe::Toolchain::Llvm => (gnu(&has), Some("the host has no clang: gcc serves instead")),
        recipe::Toolchain::Gnu if has("gcc") || !has("clang") => (gnu(&has), None),
        recipe::Toolchain::Gnu => (
            Toolchain::llvm(),
            Some("the host has no gcc: clang serves instead"),
        ),
    };
    (chosen, other.map(ToOwned::to_owned))
}

/// gcc, with plain binutils where its wrappers around them are missing.
fn gnu(has: &impl Fn(&str) -> bool) -> Toolchain {
    let mut tools = Toolchain::gnu();
    for tool in [&mut tools.ar, &mut tools.nm, &mut tools.ranlib] {
        if !has(tool)
            && let Some(plain) = tool.strip_prefix("gcc-")
        {
            *tool = plain.to_owned();
        }
    }
    tools
}

/// Whether the root of a build has a program.
pub(super) fn has_program(workspace: &Workspace, name: &str) -> bool {
    let stones = workspace.stones();
    ["usr/bin", "usr/sbin"].iter().any(|folder| {
        stones.join(folder).join(name).exists() || Path::new("/").join(folder).join(name).exists()
    })
}

/// The sandbox for a script named `name` in the workspace's folder of scripts.
pub(super) fn spec(
    workspace: &Workspace,
    host: &HostPaths,
    network: Network,
    name: &str,
    limits: &Limits,
) -> io::Result<Spec> {
    let mut entries = root::entries(host, &workspace.stones().join("usr"), network)?;
    let read = |name: &str, inside: &str| Entry::ReadOnly {
        host: workspace.path(name),
        inside: inside.to_owned(),
    };
    let write = |name: &str, inside: &str| Entry::Writable {
        host: workspace.path(name),
        inside: inside.to_owned(),
    };
    let control = format!("control-{name}");
    workspace.make(&control)?;
    entries.extend([
        read("sources", SOURCES),
        read("scripts", SCRIPTS),
        write("build", BUILD),
        write("install", INSTALL),
        write("home", HOME),
        write("tmp", "/tmp"),
        write(&control, CONTROL),
        Entry::Symlink {
            target: "/tmp".to_owned(),
            inside: "/var/tmp".to_owned(),
        },
    ]);
    Ok(Spec {
        root: workspace.make(&format!("root-{name}"))?,
        entries,
        network,
        tcp_ports: host.tcp_ports.clone(),
        run: Run::Script {
            path: format!("{SCRIPTS}/{name}"),
        },
        folder: BUILD.to_owned(),
        environment: BTreeMap::from([
            ("PATH".to_owned(), DEFAULT_PATH.to_owned()),
            ("HOME".to_owned(), HOME.to_owned()),
            ("TMPDIR".to_owned(), "/tmp".to_owned()),
        ]),
        limits: limits.clone(),
    })
}

/// The recipe's folder, for the sandbox of a phase.
pub(super) fn recipe_entry(workspace: &Workspace, order: &Order) -> Entry {
    let host = match order.folder.as_str() {
        "." => workspace.path("recipe"),
        folder => workspace.path("recipe").join(folder),
    };
    Entry::ReadOnly {
        host,
        inside: RECIPE.to_owned(),
    }
}
