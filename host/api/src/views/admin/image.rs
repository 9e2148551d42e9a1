//! Images whose content is in a volume, as JSON.

use std::collections::BTreeMap;

use serde::Serialize;
use springform_model::cloud::GoldenImage;
use utoipa::ToSchema;

use crate::views::{Micros, Plural, Single};

/// An image.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Image)]
pub struct ImageView<'a> {
    id: &'a str,
    /// The volume that has its content.
    volume_id: &'a str,
    metadata: &'a BTreeMap<String, String>,
    created_at: Micros,
}

impl Single for ImageView<'_> {
    const KEY: &'static str = "image";
}

impl Plural for ImageView<'_> {
    const KEY: &'static str = "images";
}

impl<'a> ImageView<'a> {
    /// The whole record.
    #[must_use]
    pub fn new(image: &'a GoldenImage) -> Self {
        let GoldenImage {
            id,
            volume_id,
            metadata,
            created_at,
        } = image;
        Self {
            id,
            volume_id,
            metadata,
            created_at: Micros(*created_at),
        }
    }
}
