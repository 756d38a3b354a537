//! Lists the shared libraries of a binary that could not be linked statically.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::fault::Fault;

/// Returns the loader and the libraries that a binary needs; none if it is static.
pub(super) fn of(binary: &Path) -> Result<Vec<PathBuf>, Fault> {
    // The exit code says nothing: ldd fails on a static binary.
    let output = Command::new("ldd")
        .arg(binary)
        .output()
        .map_err(|source| Fault::Ldd { binary: binary.to_owned(), source })?;
    listed(&String::from_utf8_lossy(&output.stdout))
}

/// Reads lines of the shape `name => /path (address)` and `/path (address)`.
fn listed(output: &str) -> Result<Vec<PathBuf>, Fault> {
    let mut found = Vec::new();
    for line in output.lines() {
        if let Some((name, _)) = line.split_once("=> not found") {
            return Err(Fault::Library(name.trim().to_owned()));
        }
        found.extend(line.split_whitespace().find(|word| word.starts_with('/')).map(PathBuf::from));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn static_binary_needs_nothing() {
        assert!(listed("\tstatically linked\n").unwrap().is_empty());
        assert!(listed("").unwrap().is_empty());
    }

    #[test]
    fn dynamic_binary_needs_its_libraries_and_its_loader() {
        let output = "\tlinux-vdso.so.1 (0x00007ffd)\n\
            \tlibc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x00007f7e)\n\
            \t/lib64/ld-linux-x86-64.so.2 (0x00007f7f)\n";
        assert_eq!(
            listed(output).unwrap(),
            [PathBuf::from("/lib/x86_64-linux-gnu/libc.so.6"), PathBuf::from("/lib64/ld-linux-x86-64.so.2")]
        );
    }

    #[test]
    fn missing_library_is_named() {
        let fault = listed("\tlibodd.so.1 => not found\n").unwrap_err();
        assert_eq!(fault.to_string(), "shared library libodd.so.1 is not on this machine");
    }
}
