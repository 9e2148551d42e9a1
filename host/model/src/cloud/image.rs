//! Golden volumes: what volumes of an image are cloned from.

use serde::{Deserialize, Serialize};

use super::Metadata;
use crate::time::Timestamp;

/// An image whose content is in a volume.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GoldenImage {
    /// Id of the image in the image service.
    pub id: String,
    /// The volume that has its content.
    pub volume_id: String,
    /// What its volumes show as `volume_image_metadata`: `image_id`, `image_name`, properties.
    pub metadata: Metadata,
    /// When it was registered.
    pub created_at: Timestamp,
}
