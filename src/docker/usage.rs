//! What the engine keeps on its disk.

use super::Owner;
use crate::model::retention::Layer;
use crate::model::timestamp::Timestamp;

/// An image and what it is made of.
#[derive(Clone, Debug)]
pub struct ImageUse {
    /// Content address, `sha256:…`.
    pub id: String,
    /// Names it has; none when another image took them.
    pub names: Vec<String>,
    /// `None` when it carries no label of this instance.
    pub owner: Option<Owner>,
    pub created_at: Timestamp,
    /// From the base up. A layer that several images have in common has the same key in all of them.
    pub layers: Vec<Layer>,
}
