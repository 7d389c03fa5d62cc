//! The command line of the `ostree-ext` crate, which bootc carries inside itself.

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    ostree_ext::cli::run_from_iter(std::env::args_os()).await
}
