//! Points that follow one another, as one row.

use super::point::{Point, read_number, write_number};

/// Points by the number of their interval within the block. Most intervals of a quiet deployment have none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Block(Vec<(u16, Point)>);

impl Block {
    /// Reads a stored block; `None` when it is none.
    pub fn read(mut bytes: &[u8]) -> Option<Self> {
        let mut points: Vec<(u16, Point)> = Vec::new();
        while !bytes.is_empty() {
            let place = u16::try_from(read_number(&mut bytes)?).ok()?;
            if points.last().is_some_and(|(last, _)| *last >= place) {
                return None;
            }
            points.push((place, Point::read(&mut bytes)?));
        }
        Some(Self(points))
    }

    /// As it is stored.
    pub fn write(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(32 * self.0.len());
        for (place, point) in &self.0 {
            write_number(&mut out, u64::from(*place));
            point.write(&mut out);
        }
        out
    }

    /// Adds what was seen in an interval to what is there of it.
    pub fn add(&mut self, place: u16, point: &Point) {
        match self.0.binary_search_by_key(&place, |(place, _)| *place) {
            Ok(index) => self.0[index].1.then(point),
            Err(index) => self.0.insert(index, (place, *point)),
        }
    }

    /// The points in their order.
    pub fn points(&self) -> impl Iterator<Item = &(u16, Point)> {
        self.0.iter()
    }
}
