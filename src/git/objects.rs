//! Git's objects as bytes: identifiers, commits, tags and directories. Pure; reads what strangers wrote.

use std::fmt;

use crate::model::timestamp::Timestamp;

/// The SHA-1 name of an object.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct ObjectId(pub [u8; 20]);

impl ObjectId {
    /// Reads 40 hexadecimal digits.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.as_bytes();
        if text.len() != 40 {
            return None;
        }
        let mut id = [0; 20];
        for (slot, pair) in id.iter_mut().zip(text.chunks_exact(2)) {
            let digit = |c: u8| char::from(c).to_digit(16).and_then(|d| u8::try_from(d).ok());
            *slot = digit(pair[0])? << 4 | digit(pair[1])?;
        }
        Some(Self(id))
    }
}

impl fmt::Display for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What the platform shows of a commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Commit {
    pub tree: ObjectId,
    /// First line of the message without control characters, at most 200 characters.
    pub subject: String,
    /// Author's name without control characters, at most 200 characters.
    pub author: String,
    /// When it was committed; the epoch when it does not say.
    pub committed_at: Timestamp,
}

impl Commit {
    pub fn parse(data: &[u8]) -> Option<Self> {
        let text = String::from_utf8_lossy(data);
        let (head, message) = text.split_once("\n\n").unwrap_or((&text, ""));
        let tree = head.strip_prefix("tree ")?.get(..40)?;
        let author = head
            .lines()
            .find_map(|line| line.strip_prefix("author "))
            .map_or("", |line| line.split('<').next().unwrap_or(line));
        let subject = message.lines().find(|line| !line.trim().is_empty());
        Some(Self {
            tree: ObjectId::parse(tree)?,
            subject: one_line(subject.unwrap_or("")),
            author: one_line(author),
            committed_at: committed_at(head).unwrap_or(Timestamp(0)),
        })
    }
}

/// What a commit names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct CommitLinks {
    pub tree: ObjectId,
    pub parents: Vec<ObjectId>,
}

/// Reads what a commit names; `None` when it has not the form of one.
pub(super) fn commit_links(data: &[u8]) -> Option<CommitLinks> {
    let mut lines = data.split(|byte| *byte == b'\n');
    let id = |line: &[u8], word: &str| {
        let text = std::str::from_utf8(line).ok()?;
        ObjectId::parse(text.strip_prefix(word)?)
    };
    let tree = id(lines.next()?, "tree ")?;
    let mut parents = Vec::new();
    for line in lines {
        if !line.starts_with(b"parent ") {
            break;
        }
        parents.push(id(line, "parent ")?);
    }
    Some(CommitLinks { tree, parents })
}

/// The time in `committer Name <address> 1700000000 +0100`.
fn committed_at(head: &str) -> Option<Timestamp> {
    let line = head.lines().find_map(|line| line.strip_prefix("committer "))?;
    let (_, times) = line.rsplit_once('>')?;
    let seconds: i64 = times.split_whitespace().next()?.parse().ok()?;
    seconds.checked_mul(1000).map(Timestamp)
}

/// Text of a stranger, fit to stand in one line of a page or a log.
pub(super) fn one_line(text: &str) -> String {
    // The second test takes the marks that reverse the direction of the text around them.
    text.chars()
        .filter(|c| {
            !c.is_control() && !matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
        })
        .take(200)
        .collect::<String>()
        .trim()
        .to_owned()
}

/// What an annotated tag points to.
pub(super) fn tag_target(data: &[u8]) -> Option<ObjectId> {
    let text = std::str::from_utf8(data.get(..48)?).ok()?;
    ObjectId::parse(text.strip_prefix("object ")?.get(..40)?)
}

/// What a directory entry is, by its mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    File { executable: bool },
    Directory,
    Symlink,
    Submodule,
}

/// An entry of a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct RawEntry<'a> {
    pub mode: Mode,
    pub name: &'a [u8],
    pub id: ObjectId,
}

/// The entries of a directory; an `Err` is a broken object.
pub(super) fn entries(mut data: &[u8]) -> impl Iterator<Item = Result<RawEntry<'_>, ()>> {
    std::iter::from_fn(move || {
        if data.is_empty() {
            return None;
        }
        let entry = entry(data);
        data = entry.as_ref().map_or(&[], |(_, rest)| rest);
        Some(entry.map(|(entry, _)| entry).ok_or(()))
    })
}

fn entry(data: &[u8]) -> Option<(RawEntry<'_>, &[u8])> {
    let blank = data.iter().position(|byte| *byte == b' ')?;
    let (mode, rest) = (&data[..blank], &data[blank + 1..]);
    let end = rest.iter().position(|byte| *byte == 0)?;
    let (name, rest) = (&rest[..end], &rest[end + 1..]);
    let id = ObjectId(rest.get(..20)?.try_into().ok()?);
    let mode = match mode {
        b"40000" | b"040000" => Mode::Directory,
        b"120000" => Mode::Symlink,
        b"160000" => Mode::Submodule,
        // Old repositories hold 100664 and other bits; Git itself looks at the owner's x bit only.
        _ if mode.starts_with(b"100") && mode.len() == 6 => {
            Mode::File { executable: (mode[3].wrapping_sub(b'0')) & 1 == 1 }
        }
        _ => return None,
    };
    Some((RawEntry { mode, name, id }, &rest[20..]))
}

/// Whether an entry of this name is refused: names that leave the directory, and every spelling that some file
/// system takes for `.git`, where a program run in the build could be made to find hooks and filters.
pub(super) fn is_forbidden_name(name: &[u8]) -> bool {
    if name.is_empty() || name == b"." || name == b".." || name.contains(&b'/') {
        return true;
    }
    // Nearly all names: they begin with a character that no spelling of the two begins with.
    if name.is_ascii() && !matches!(name[0], b'.' | b'g' | b'G' | b'\\') {
        return false;
    }
    // Characters that HFS+ ignores in names.
    let plain: String = String::from_utf8_lossy(name)
        .chars()
        .filter(|c| {
            !matches!(c, '\u{200c}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{206a}'..='\u{206f}' | '\u{feff}')
        })
        .collect::<String>()
        .to_lowercase();
    // NTFS: trailing dots and blanks do not count, `:` starts a stream's name, `git~1` is the short name.
    let plain = plain.split([':', '\\']).next().unwrap_or("");
    let plain = plain.trim_end_matches(['.', ' ']);
    plain == ".git" || plain == "git~1" || name.starts_with(b"\\") || name.starts_with(b"..\\")
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "0123456789abcdef0123456789abcdef01234567";

    #[test]
    fn identifiers_are_forty_hexadecimal_digits() {
        assert_eq!(ObjectId::parse(ID).unwrap().to_string(), ID);
        for text in ["", "zz", &ID[1..], &format!("{ID}0"), &ID.replace('0', "é")[..40]] {
            assert_eq!(ObjectId::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_commit_tells_its_tree_subject_and_author() {
        let text = format!(
            "tree {ID}\nparent {ID}\nauthor Ada \u{1b}[1mL <a@b> 1 +0000\ncommitter X> <x> 1700000000 +0100\n\nFix it\u{202e}\n\nbody"
        );
        let commit = Commit::parse(text.as_bytes()).unwrap();
        assert_eq!(commit.tree.to_string(), ID);
        assert_eq!(commit.subject, "Fix it");
        assert_eq!(commit.author, "Ada [1mL");
        assert_eq!(commit.committed_at, Timestamp(1_700_000_000_000));
        for line in [
            "",
            "committer X <x>",
            "committer X <x> soon",
            "committer X <x> 9223372036854775807 +0000",
        ] {
            let text = format!("tree {ID}\n{line}\n\nx");
            assert_eq!(
                Commit::parse(text.as_bytes()).unwrap().committed_at,
                Timestamp(0),
                "{line}"
            );
        }
        assert_eq!(Commit::parse(b"tree x"), None);
        assert_eq!(Commit::parse(b""), None);
        let links = commit_links(format!("tree {ID}\nparent {ID}\nparent {ID}\nauthor").as_bytes());
        assert_eq!(links.map(|links| links.parents.len()), Some(2));
        assert_eq!(commit_links(format!("tree {ID}\nparent x\n").as_bytes()), None);
        assert_eq!(commit_links(b"parent"), None);
        let tag = format!("object {ID}\ntype commit\n");
        assert_eq!(tag_target(tag.as_bytes()), ObjectId::parse(ID));
        assert_eq!(tag_target(b"object 12"), None);
    }

    #[test]
    fn directories_are_read_and_broken_ones_end_with_an_error() {
        let mut data = b"100644 a\0".to_vec();
        data.extend([1; 20]);
        data.extend(b"100755 b\0");
        data.extend([2; 20]);
        data.extend(b"40000 c\0");
        data.extend([3; 20]);
        let modes: Vec<_> = entries(&data).map(|e| e.map(|e| e.mode)).collect();
        assert_eq!(
            modes,
            [
                Ok(Mode::File { executable: false }),
                Ok(Mode::File { executable: true }),
                Ok(Mode::Directory)
            ]
        );
        data.extend(b"100644 d\0short");
        assert_eq!(entries(&data).last(), Some(Err(())));
        assert_eq!(entries(b"garbage").collect::<Vec<_>>(), [Err(())]);
    }

    #[test]
    fn names_that_mean_the_git_directory_are_forbidden() {
        for name in [
            "",
            ".",
            "..",
            "a/b",
            ".git",
            ".GIT",
            ".git.",
            ".git ",
            ".Git. .",
            "git~1",
            "GIT~1",
            ".g\u{200c}it",
            ".git::$INDEX",
            ".git\\x",
            "..\\x",
        ] {
            assert!(is_forbidden_name(name.as_bytes()), "{name}");
        }
        for name in [".gitignore", ".github", "git", "...", "a.git", ".gitmodules", "é"] {
            assert!(!is_forbidden_name(name.as_bytes()), "{name}");
        }
    }
}
