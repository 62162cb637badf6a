//! Layers of images: what several hold is kept once, and comes free with the last of them.

use std::collections::{HashMap, HashSet};

use super::{Facts, Layer};

/// How many images hold each layer.
pub(super) struct Shares<'a> {
    holders: HashMap<&'a str, usize>,
    foreign: &'a HashSet<String>,
}

impl<'a> Shares<'a> {
    pub fn of(facts: &'a Facts) -> Self {
        let mut holders: HashMap<&str, usize> = HashMap::new();
        let kept = facts.deployments.iter().flat_map(|kept| &kept.layers);
        for layer in kept.chain(facts.leftovers.iter().flat_map(|left| &left.layers)) {
            // Of several deployments with one image each holds all of it.
            *holders.entry(&layer.key).or_default() += 1;
        }
        Self { holders, foreign: &facts.foreign_layers }
    }

    /// One image less; answers the bytes that nothing holds any more.
    pub fn drop(&mut self, layers: &[Layer]) -> u64 {
        let mut bytes = 0_u64;
        for layer in layers {
            if let Some(count) = self.holders.get_mut(layer.key.as_str()) {
                *count = count.saturating_sub(1);
                if *count == 0 && !self.foreign.contains(&layer.key) {
                    bytes = bytes.saturating_add(layer.bytes);
                }
            }
        }
        bytes
    }
}

/// Bytes that these images hold together, without what images of others hold as well.
pub fn image_bytes(facts: &Facts) -> u64 {
    let kept = facts.deployments.iter().flat_map(|kept| &kept.layers);
    let left = facts.leftovers.iter().flat_map(|left| &left.layers);
    let own = kept.chain(left).filter(|layer| !facts.foreign_layers.contains(&layer.key));
    own.map(|layer| (layer.key.as_str(), layer.bytes)).collect::<HashMap<_, _>>().values().sum()
}
