//! Builds an image of the demo service and pushes it to a local registry.

use std::error::Error;
use std::iter;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser};
use demo_service::{Baked, Behaviour};
use testbed::image::{Fault, Format, Image, Platforms, Pushed, Recipe, Target};

/// Builds images of the demo service.
#[derive(Parser)]
#[command(name = "image")]
enum Cli {
    /// Builds an image, pushes it, and prints one line of JSON: digest, media type, digests of the children.
    Push(Push),
}

#[derive(Args)]
struct Push {
    /// Registry to push to over plain HTTP, as host and port: 127.0.0.1:4566
    #[arg(long, value_parser = host_and_port)]
    registry: String,
    /// Repository, which must exist: shop/users
    #[arg(long)]
    repository: String,
    /// Tag to set: main-abc123
    #[arg(long)]
    tag: String,
    /// The demo service, as built
    #[arg(long)]
    binary: PathBuf,
    /// Version the service claims to be: v2
    #[arg(long)]
    version: String,
    /// good, answers-500, wrong-content, wrong-at-odd, crashes or never-ready
    #[arg(long)]
    behaviour: Behaviour,
    /// Label org.opencontainers.image.revision; the tag, if not given
    #[arg(long)]
    revision: Option<String>,
    /// Push an index over linux/amd64 and linux/arm64
    #[arg(long)]
    multi_arch: bool,
    /// Use Docker's media types (schema 2) and not OCI's
    #[arg(long)]
    docker: bool,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let Cli::Push(push) = Cli::parse();
    match run(push).await {
        Ok(line) => {
            println!("{line}");
            ExitCode::SUCCESS
        }
        Err(fault) => {
            let causes = iter::successors(Some(&fault as &dyn Error), |error| (*error).source());
            let causes: Vec<_> = causes.map(ToString::to_string).collect();
            eprintln!("image: {}", causes.join(": "));
            ExitCode::FAILURE
        }
    }
}

async fn run(push: Push) -> Result<String, Fault> {
    let recipe = Recipe {
        binary: push.binary,
        baked: Baked { version: push.version, behaviour: push.behaviour },
        revision: push.revision.unwrap_or_else(|| push.tag.clone()),
        format: if push.docker { Format::Docker } else { Format::Oci },
        platforms: if push.multi_arch { Platforms::Several } else { Platforms::One },
    };
    let target = Target { registry: push.registry, repository: push.repository, tag: push.tag };
    let pushed: Pushed = Image::build(&recipe)?.push(&target).await?;
    Ok(serde_json::to_string(&pushed)?)
}

fn host_and_port(text: &str) -> Result<String, &'static str> {
    match text.split_once(':') {
        Some((host, port)) if !host.is_empty() && port.parse::<u16>().is_ok() => Ok(text.to_owned()),
        _ => Err("expected host:port, as in 127.0.0.1:4566"),
    }
}
