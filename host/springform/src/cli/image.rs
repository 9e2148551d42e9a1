//! Words of `springform image`.

use clap::Subcommand;

/// What to do with golden volumes.
#[derive(Debug, Subcommand)]
pub enum ImageCommand {
    /// Say that a volume has the content of an image: volumes of the image are cloned from it.
    Register {
        /// Id of the image, as the image service knows it.
        image: String,
        /// Id of the volume.
        volume: String,
        /// Name of the image, shown as `image_name`.
        #[arg(long)]
        name: Option<String>,
        /// Further metadata that its volumes show, as the image service does: `os_distro=debian`. May be repeated.
        #[arg(long = "property", value_name = "KEY=VALUE")]
        properties: Vec<String>,
    },
    /// List the images that volumes can be made of.
    List,
    /// Forget which volume has the content of an image. The volume stays.
    Unregister {
        /// Id of the image.
        image: String,
    },
}
