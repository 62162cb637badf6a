//! The mark of a project: a small orbit drawn from its id, so that projects can be told apart at a glance.

/// Where the satellite stands and which colour it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    /// Centre of the satellite in a box of 32 by 32.
    pub x: u8,
    /// See `x`.
    pub y: u8,
    /// Class that carries the colour.
    pub token: &'static str,
}

/// Points on a circle of radius 11 around (16, 16).
const PLACES: [(u8, u8); 8] =
    [(27, 16), (24, 24), (16, 27), (8, 24), (5, 16), (8, 8), (16, 5), (24, 8)];
/// Only quiet colours: red and amber would look like a state.
const TOKENS: [&str; 3] = ["busy", "sleep", "ok"];

impl Mark {
    /// The same id always gives the same mark.
    pub fn of(id: &str) -> Self {
        let sum =
            id.bytes().fold(7usize, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte.into()));
        let (x, y) = PLACES[sum % PLACES.len()];
        Self { x, y, token: TOKENS[sum / PLACES.len() % TOKENS.len()] }
    }
}
