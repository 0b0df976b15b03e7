//! `stone` looks into the files of a moss distribution: packages, build manifests, indexes and
//! recipes.
//!
//! Standard output is data and standard error is talk. Whatever a file says may have been written
//! by a stranger, so nothing of it reaches a terminal that could steer it: see [`printable`].

mod check;
mod cli;
mod describe;
mod excerpt;
mod extract;
mod fault;
mod index;
mod inspect;
mod install;
mod printable;
mod progress;
mod reference;
mod talk;
mod verify;

use std::io::{self, BufWriter, Write};
use std::process::ExitCode;

use clap::{CommandFactory as _, Parser as _};

use cli::{Cli, Command, RecipeCommand};
use talk::Talk;

fn main() -> ExitCode {
    fault::speak_plainly();
    fault::guard(work)
}

fn work() -> ExitCode {
    let command = Cli::parse().command;
    let mut talk = Talk::default();
    let mut out = BufWriter::new(io::stdout().lock());
    let done = run(command, &mut talk, &mut out).and_then(|()| out.flush());
    match done {
        Ok(()) => {}
        // The reader has seen enough, as `head` does.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {}
        Err(error) => talk.system("the standard output", &error),
    }
    talk.exit_code()
}

/// Carries out a command. What is wrong with a file is told to `talk`; the error is that of the
/// standard output.
fn run(command: Command, talk: &mut Talk, out: &mut dyn Write) -> io::Result<()> {
    match command {
        Command::Inspect(arguments) => inspect::run(&arguments, talk, out),
        Command::Verify(arguments) => verify::run(&arguments, talk, out),
        Command::Extract(arguments) => {
            extract::run(&arguments, talk);
            Ok(())
        }
        Command::Index(arguments) => {
            index::run(&arguments, talk);
            Ok(())
        }
        Command::Install(arguments) => install::run(&arguments, talk, out),
        Command::Recipe(RecipeCommand::Check(arguments)) => check::run(&arguments, talk, out),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "stone", &mut script);
            out.write_all(&script)
        }
        Command::Man => clap_mangen::Man::new(Cli::command()).render(out),
    }
}
