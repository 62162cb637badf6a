//! The directories of a commit that were looked into last.

use std::collections::VecDeque;
use std::mem::size_of;
use std::sync::{Arc, Mutex, PoisonError};

use super::objects::{Mode, ObjectId, RawEntry, entries};

/// Most memory of directories that are kept, and most directories.
const MOST_BYTES: usize = 8 * 1024 * 1024;
const MOST: usize = 64;

/// A directory, its entries in byte order of their names.
pub(super) struct Directory {
    /// All names, one after the other.
    names: Vec<u8>,
    entries: Vec<Known>,
}

struct Known {
    begin: u32,
    length: u32,
    mode: Mode,
    id: ObjectId,
}

impl Directory {
    /// Reads a directory's object. `None` when it does not parse.
    pub fn parse(data: &[u8]) -> Option<Self> {
        let (mut names, mut known) = (Vec::new(), Vec::new());
        for entry in entries(data) {
            let RawEntry { mode, name, id } = entry.ok()?;
            let (begin, length) = (names.len().try_into().ok()?, name.len().try_into().ok()?);
            names.extend_from_slice(name);
            known.push(Known { begin, length, mode, id });
        }
        // Git sorts a directory as if its name ended with `/`. Of two entries of one name the first stays the first.
        known.sort_by(|a, b| name(&names, a).cmp(name(&names, b)));
        Some(Self { names, entries: known })
    }

    /// The entry of this name.
    pub fn get(&self, wanted: &[u8]) -> Option<(Mode, ObjectId)> {
        let at = self.entries.partition_point(|known| name(&self.names, known) < wanted);
        let known = self.entries.get(at).filter(|known| name(&self.names, known) == wanted)?;
        Some((known.mode, known.id))
    }

    pub fn iter(&self) -> impl Iterator<Item = RawEntry<'_>> {
        self.entries.iter().map(|known| RawEntry {
            mode: known.mode,
            name: name(&self.names, known),
            id: known.id,
        })
    }

    fn bytes(&self) -> usize {
        self.names.len() + self.entries.len() * size_of::<Known>()
    }
}

fn name<'a>(names: &'a [u8], known: &Known) -> &'a [u8] {
    let begin = known.begin as usize;
    names.get(begin..begin + known.length as usize).unwrap_or_default()
}

/// Directories, the one that was asked for last in front. Every path is found from the root on, a plan asks for hundreds
/// of paths, and to unpack a directory of 10,000 names and check its hash takes milliseconds.
#[derive(Default)]
pub(super) struct Directories(Mutex<VecDeque<(ObjectId, Arc<Directory>)>>);

impl Directories {
    pub fn get(&self, id: ObjectId) -> Option<Arc<Directory>> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let at = kept.iter().position(|(known, _)| *known == id)?;
        let found = kept.remove(at)?;
        let directory = Arc::clone(&found.1);
        kept.push_front(found);
        Some(directory)
    }

    /// Keeps a directory, and lets go of those that nobody asked for lately.
    pub fn keep(&self, id: ObjectId, directory: &Arc<Directory>) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|(known, _)| *known != id);
        kept.push_front((id, Arc::clone(directory)));
        let mut bytes = 0;
        let fits = kept.iter().take(MOST).take_while(|(_, directory)| {
            bytes += directory.bytes();
            bytes <= MOST_BYTES
        });
        let fits = fits.count();
        kept.truncate(fits);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: u32) -> ObjectId {
        let mut bytes = [0; 20];
        bytes[..4].copy_from_slice(&number.to_be_bytes());
        ObjectId(bytes)
    }

    fn object(entries: &[(&str, &str, u32)]) -> Vec<u8> {
        let mut data = Vec::new();
        for (mode, name, number) in entries {
            data.extend(format!("{mode} {name}\0").bytes());
            data.extend(id(*number).0);
        }
        data
    }

    #[test]
    fn entries_are_found_by_name_and_listed_in_order() {
        // Git's order: `a.b` before the directory `a`, which counts as `a/`.
        let data = object(&[("100644", "a.b", 1), ("40000", "a", 2), ("100755", "b", 3)]);
        let directory = Directory::parse(&data).unwrap();
        let names: Vec<_> = directory.iter().map(|entry| entry.name.to_vec()).collect();
        assert_eq!(names, [&b"a"[..], b"a.b", b"b"]);
        assert_eq!(directory.get(b"a"), Some((Mode::Directory, id(2))));
        assert_eq!(directory.get(b"a.b"), Some((Mode::File { executable: false }, id(1))));
        assert_eq!(directory.get(b"b"), Some((Mode::File { executable: true }, id(3))));
        for missing in ["", "A", "a.", "a.bc", "c", "a/"] {
            assert_eq!(directory.get(missing.as_bytes()), None, "{missing}");
        }
        assert_eq!(Directory::parse(b"").unwrap().get(b"a"), None);
        assert!(Directory::parse(&data[..data.len() - 1]).is_none());
        assert!(Directory::parse(b"garbage").is_none());
    }

    #[test]
    fn of_two_entries_of_one_name_the_first_counts() {
        let data = object(&[("100644", "b", 1), ("100644", "a", 2), ("40000", "a", 3)]);
        let directory = Directory::parse(&data).unwrap();
        assert_eq!(directory.get(b"a"), Some((Mode::File { executable: false }, id(2))));
        assert_eq!(directory.iter().count(), 3);
    }

    #[test]
    fn what_is_kept_has_a_limit() {
        let directories = Directories::default();
        let small = Arc::new(Directory::parse(&object(&[("100644", "a", 1)])).unwrap());
        let most = u32::try_from(MOST).unwrap();
        for number in 0..=most {
            directories.keep(id(number), &small);
            // Asked for all the time: it stays.
            assert!(directories.get(id(0)).is_some());
        }
        assert!(directories.get(id(1)).is_none() && directories.get(id(most)).is_some());

        let long = "n".repeat(MOST_BYTES / 2);
        let large = Arc::new(Directory::parse(&object(&[("100644", &long, 1)])).unwrap());
        directories.keep(id(1000), &large);
        assert!(directories.get(id(1000)).is_some() && directories.get(id(0)).is_some());
        directories.keep(id(1001), &large);
        assert!(directories.get(id(1001)).is_some() && directories.get(id(1000)).is_none());

        let longer = "n".repeat(MOST_BYTES + 1);
        let larger = Arc::new(Directory::parse(&object(&[("100644", &longer, 1)])).unwrap());
        directories.keep(id(1002), &larger);
        assert!(directories.get(id(1002)).is_none());
    }
}
