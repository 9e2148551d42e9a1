//! Completion scripts and manual pages, made from the words of the command line.

use std::path::Path;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Command;
use clap_complete::Shell;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};

use crate::out;

/// Prints the script that completes the program's words in a shell.
///
/// # Errors
/// Standard output cannot be written.
pub fn complete(shell: Shell, mut program: Command) -> anyhow::Result<ExitCode> {
    out::print(&completion(shell, &mut program))?;
    Ok(ExitCode::SUCCESS)
}

/// Prints one page for the program with all its commands, or writes a page for each command into a directory.
///
/// # Errors
/// The page cannot be written.
pub fn pages(directory: Option<&Path>, program: Command) -> anyhow::Result<ExitCode> {
    let Some(directory) = directory else {
        out::print(&page(program)?)?;
        return Ok(ExitCode::SUCCESS);
    };
    let cannot = || format!("cannot write pages into {}", directory.display());
    std::fs::create_dir_all(directory).with_context(cannot)?;
    let written = write_pages(built(program), directory).with_context(cannot)?;
    out::line(format_args!("{written} pages in {}", directory.display()))?;
    Ok(ExitCode::SUCCESS)
}

/// The script that completes the program's words in a shell.
#[must_use]
pub fn completion(shell: Shell, program: &mut Command) -> String {
    let name = program.get_name().to_owned();
    let mut script = Vec::new();
    clap_complete::generate(shell, program, name, &mut script);
    String::from_utf8_lossy(&script).into_owned()
}

/// One page for the program with all its commands.
///
/// # Errors
/// None that a page in memory can have.
pub fn page(program: Command) -> std::io::Result<String> {
    let program = built(program);
    let man = Man::new(program.clone());
    let mut text = Vec::new();
    head(&man, &mut text)?;
    let mut roff = Roff::new();
    roff.control("SH", ["COMMANDS"]);
    list_commands(&mut roff, &program);
    roff.to_writer(&mut text)?;
    examples(&program, &mut text)?;
    man.render_version_section(&mut text)?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}

/// Every command has its full name afterwards; `help` is no command to write about.
fn built(program: Command) -> Command {
    let mut program = program.disable_help_subcommand(true);
    program.build();
    program
}

fn head(man: &Man, text: &mut Vec<u8>) -> std::io::Result<()> {
    man.render_title(text)?;
    man.render_name_section(text)?;
    man.render_synopsis_section(text)?;
    man.render_description_section(text)?;
    man.render_options_section(text)
}

/// Each command that does something, with what may follow it.
fn list_commands(roff: &mut Roff, above: &Command) {
    for command in above.get_subcommands() {
        if command.has_subcommands() {
            list_commands(roff, command);
            continue;
        }
        let usage = command.clone().render_usage().to_string();
        let words = usage.trim_start_matches("Usage:").split_whitespace();
        let words: Vec<&str> = words.collect();
        roff.control("TP", []);
        roff.text([bold(words.join(" "))]);
        let about = command.get_about().map(ToString::to_string);
        roff.text([roman(about.unwrap_or_default())]);
    }
}

/// What stands below a command's help, line by line as it stands there.
fn examples(command: &Command, text: &mut Vec<u8>) -> std::io::Result<()> {
    let Some(below) = command.get_after_help() else {
        return Ok(());
    };
    let below = below.to_string();
    let mut roff = Roff::new();
    roff.control("SH", ["EXAMPLES"]);
    roff.control("nf", []);
    let lines = below.lines().filter(|line| *line != "Examples:");
    for line in lines {
        roff.text([roman(line)]);
    }
    roff.control("fi", []);
    roff.to_writer(text)
}

/// A page for the command and one for each below it; how many.
fn write_pages(command: Command, directory: &Path) -> std::io::Result<usize> {
    let mut written = 1;
    for below in command.get_subcommands() {
        written += write_pages(below.clone(), directory)?;
    }
    let man = Man::new(command.clone());
    let mut text = Vec::new();
    head(&man, &mut text)?;
    if command.has_subcommands() {
        man.render_subcommands_section(&mut text)?;
    }
    examples(&command, &mut text)?;
    std::fs::write(directory.join(man.get_filename()), text)?;
    Ok(written)
}
