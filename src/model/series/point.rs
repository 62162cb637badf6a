//! What was seen of one deployment's requests, or of one of its containers, in an interval.

use crate::model::histogram::SLOTS;

/// How many numbers a point is.
const FIELDS: usize = 11 + SLOTS;

/// Figures of an interval. Those of several intervals together are their sums, and of levels the highest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Point {
    /// Requests that are over, by the first digit of the status; the first is of those that were cut off.
    pub classes: [u64; 6],
    /// Requests by how long they took ([`BUCKETS`](crate::model::histogram::BUCKETS)).
    pub buckets: [u64; SLOTS],
    /// Bytes of answers' bodies.
    pub bytes: u64,
    /// Most requests that were under way when somebody looked.
    pub in_flight: u64,
    /// Processor time in microseconds that was used within `cpu_millis`.
    pub cpu_micros: u64,
    /// Milliseconds in which the processor time was seen.
    pub cpu_millis: u64,
    /// Most bytes of memory that were in use when somebody looked.
    pub memory: u64,
}

impl Point {
    /// As it is stored; what is hardly ever zero comes first.
    fn fields(&self) -> [u64; FIELDS] {
        let mut fields = [0; FIELDS];
        fields[..5].copy_from_slice(&[
            self.cpu_micros,
            self.cpu_millis,
            self.memory,
            self.bytes,
            self.in_flight,
        ]);
        fields[5..11].copy_from_slice(&self.classes);
        fields[11..].copy_from_slice(&self.buckets);
        fields
    }

    fn from_fields(fields: &[u64; FIELDS]) -> Self {
        let mut point = Self {
            cpu_micros: fields[0],
            cpu_millis: fields[1],
            memory: fields[2],
            bytes: fields[3],
            in_flight: fields[4],
            ..Self::default()
        };
        point.classes.copy_from_slice(&fields[5..11]);
        point.buckets.copy_from_slice(&fields[11..]);
        point
    }

    /// Requests that are over.
    pub fn requests(&self) -> u64 {
        self.classes.iter().fold(0, |all, count| all.saturating_add(*count))
    }

    /// Adds what was seen at another time.
    pub fn then(&mut self, other: &Self) {
        self.count(other);
        self.cpu_micros = self.cpu_micros.saturating_add(other.cpu_micros);
        self.cpu_millis = self.cpu_millis.saturating_add(other.cpu_millis);
        self.in_flight = self.in_flight.max(other.in_flight);
        self.memory = self.memory.max(other.memory);
    }

    /// Adds what was seen at the same time of something else.
    pub fn beside(&mut self, other: &Self) {
        self.count(other);
        self.in_flight = self.in_flight.saturating_add(other.in_flight);
        self.memory = self.memory.saturating_add(other.memory);
        let millis = self.cpu_millis.max(other.cpu_millis);
        let scaled = |point: &Self| {
            let micros = u128::from(point.cpu_micros) * u128::from(millis);
            let micros = micros.checked_div(u128::from(point.cpu_millis)).unwrap_or(0);
            u64::try_from(micros).unwrap_or(u64::MAX)
        };
        self.cpu_micros = scaled(self).saturating_add(scaled(other));
        self.cpu_millis = millis;
    }

    fn count(&mut self, other: &Self) {
        for (sum, more) in self.classes.iter_mut().zip(other.classes) {
            *sum = sum.saturating_add(more);
        }
        for (sum, more) in self.buckets.iter_mut().zip(other.buckets) {
            *sum = sum.saturating_add(more);
        }
        self.bytes = self.bytes.saturating_add(other.bytes);
    }

    /// Writes it: which of its numbers are not zero, then those.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        let fields = self.fields();
        let there = fields.iter().enumerate().filter(|(_, value)| **value > 0);
        write_number(out, there.clone().fold(0, |bits, (index, _)| bits | (1 << index)));
        there.for_each(|(_, value)| write_number(out, *value));
    }

    /// Reads what was written; `None` when it is something else.
    pub(super) fn read(from: &mut &[u8]) -> Option<Self> {
        let there = read_number(from)?;
        let mut fields = [0; FIELDS];
        for (index, field) in fields.iter_mut().enumerate() {
            if there & (1 << index) != 0 {
                *field = read_number(from)?;
            }
        }
        (there >> FIELDS == 0).then(|| Self::from_fields(&fields))
    }
}

/// Seven bits a byte, the lowest first; the highest bit says that more follow (LEB128).
pub(super) fn write_number(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

pub(super) fn read_number(from: &mut &[u8]) -> Option<u64> {
    let mut number = 0u64;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = from.split_first()?;
        *from = rest;
        number |= u64::from(byte & 0x7f).checked_shl(shift)?;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}
