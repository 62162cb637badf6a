//! The server's half of a push: what is offered, what a client asks for, what it is told.
//!
//! Protocol version 0 over smart HTTP: <https://git-scm.com/docs/pack-protocol>, `http-protocol`,
//! `protocol-capabilities`.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use futures_util::stream::BoxStream;

use super::objects::ObjectId;
use super::pkt_line::{self, FLUSH, Packet};

/// Most refs that one push changes.
pub const MOST_COMMANDS: usize = 500;
/// Most bytes before the pack.
const MOST_HEAD: usize = 1024 * 1024;
/// Longest name of a ref in bytes.
pub const LONGEST_NAME: usize = 255;
/// Longest silence of a client in the middle of a push.
const IDLE: Duration = Duration::from_secs(60);
/// Most bytes of one packet of a side band, less its head and its number.
const BAND: usize = 65_515;
/// In the place of an object that there is not.
const NONE: &str = "0000000000000000000000000000000000000000";

/// What this server can do. Not `quiet`: Git asks for it wherever nobody sits in front of it, and a log of a build in a
/// workflow is what its author looks for.
const CAPABILITIES: &str = concat!(
    "report-status delete-refs side-band-64k ofs-delta object-format=sha1 agent=orbitra/",
    env!("CARGO_PKG_VERSION")
);

/// The answer to `GET /info/refs?service=git-receive-pack`: every ref with its object.
pub fn greeting(refs: &[(String, String)]) -> Bytes {
    let mut out = BytesMut::new();
    pkt_line::put_line(&mut out, "# service=git-receive-pack");
    out.extend_from_slice(FLUSH);
    let none = ("capabilities^{}".to_owned(), NONE.to_owned());
    let all = if refs.is_empty() { std::slice::from_ref(&none) } else { refs };
    for (index, (name, object)) in all.iter().enumerate() {
        let end = if index == 0 { format!("\0{CAPABILITIES}") } else { String::new() };
        pkt_line::put_line(&mut out, &format!("{object} {name}{end}"));
    }
    out.extend_from_slice(FLUSH);
    out.freeze()
}

/// A change of one ref.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    /// As it was sent.
    pub name: String,
    /// Where the client believes it is, 40 hexadecimal digits; `None` where there is none.
    pub old: Option<String>,
    /// Where it is to be; `None` is that it goes.
    pub new: Option<String>,
}

/// What a client asks for, before its pack.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PushRequest {
    pub commands: Vec<Command>,
    /// Commits whose parents the client does not have.
    pub shallow: Vec<String>,
    /// Whether it wants to hear what became of each ref.
    pub report: bool,
    /// Whether texts for people can be sent beside it.
    pub side_band: bool,
}

impl PushRequest {
    /// Whether a pack follows.
    pub fn has_pack(&self) -> bool {
        self.commands.iter().any(|command| command.new.is_some())
    }
}

/// Why a request was not read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// The client is gone or says nothing any more.
    #[error("The push broke off.")]
    BrokenOff,
    #[error("This is not what `git push` sends: {0}.")]
    Garbled(&'static str),
}

/// What comes in, in parts; `Err` is a connection that broke off.
pub type Parts = BoxStream<'static, Result<Bytes, ()>>;

/// Reads a push from its beginning.
pub struct Reader {
    parts: Parts,
    buffer: BytesMut,
}

impl Reader {
    /// Reads from these parts.
    pub fn new(parts: Parts) -> Self {
        Self { parts, buffer: BytesMut::new() }
    }

    /// What is asked for. Afterwards the reader stands at the beginning of the pack.
    pub async fn request(&mut self) -> Result<PushRequest, Unreadable> {
        let mut request = PushRequest::default();
        let (mut read, mut first) = (0, true);
        loop {
            let line = match self.packet().await? {
                Packet::Flush => return Ok(request),
                Packet::Data(line) => line,
                _ => return Err(Unreadable::Garbled("a packet that does not belong here")),
            };
            read += line.len();
            if read > MOST_HEAD {
                return Err(Unreadable::Garbled("too many refs"));
            }
            let text = std::str::from_utf8(&line);
            let text = text.map_err(|_| Unreadable::Garbled("a name that is not UTF-8"))?;
            let text = text.strip_suffix('\n').unwrap_or(text);
            if let Some(commit) = text.strip_prefix("shallow ") {
                let commit = ObjectId::parse(commit);
                let commit = commit.ok_or(Unreadable::Garbled("a commit without a name"))?;
                request.shallow.push(commit.to_string());
                continue;
            }
            let (text, capabilities) = match text.split_once('\0') {
                Some((text, capabilities)) if first => (text, capabilities),
                _ => (text, ""),
            };
            if std::mem::take(&mut first) {
                let has = |wanted: &str| capabilities.split(' ').any(|word| word == wanted);
                request.report = has("report-status");
                request.side_band = has("side-band-64k");
            }
            if request.commands.len() == MOST_COMMANDS {
                return Err(Unreadable::Garbled("more than 500 refs"));
            }
            request.commands.push(command(text)?);
        }
    }

    async fn packet(&mut self) -> Result<Packet, Unreadable> {
        loop {
            let taken = pkt_line::take(&mut self.buffer);
            if let Some(packet) = taken.map_err(|_| Unreadable::Garbled("no packets"))? {
                return Ok(packet);
            }
            let part = self.next().await?.ok_or(Unreadable::BrokenOff)?;
            self.buffer.extend_from_slice(&part);
        }
    }

    /// The next bytes of the pack; `None` at its end.
    pub(super) async fn chunk(&mut self) -> Result<Option<Bytes>, Unreadable> {
        if !self.buffer.is_empty() {
            return Ok(Some(self.buffer.split().freeze()));
        }
        self.next().await
    }

    async fn next(&mut self) -> Result<Option<Bytes>, Unreadable> {
        match tokio::time::timeout(IDLE, self.parts.next()).await {
            Ok(None) => Ok(None),
            Ok(Some(Ok(part))) => Ok(Some(part)),
            Ok(Some(Err(()))) | Err(_) => Err(Unreadable::BrokenOff),
        }
    }

    /// Reads to the end, at most `most` bytes: a client that is still sending does not hear an answer.
    pub async fn discard(&mut self, most: u64) -> Result<(), Unreadable> {
        let mut read = 0;
        while let Some(part) = self.chunk().await? {
            read += part.len() as u64;
            if read > most {
                return Err(Unreadable::BrokenOff);
            }
        }
        Ok(())
    }
}

/// `old new name`
fn command(text: &str) -> Result<Command, Unreadable> {
    let mut words = text.splitn(3, ' ');
    let mut object = || {
        let id = words.next().and_then(ObjectId::parse);
        let id = id.ok_or(Unreadable::Garbled("an object without a name"))?.to_string();
        Ok(Some(id).filter(|id| id != NONE))
    };
    let (old, new) = (object()?, object()?);
    let name = words.next().unwrap_or_default().to_owned();
    if name.is_empty() {
        return Err(Unreadable::Garbled("a ref without a name"));
    }
    Ok(Command { name, old, new })
}

/// What became of a push.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Whether the pack was taken in, else why not.
    pub pack: Result<(), String>,
    /// Of each ref that was to be changed its name and, where it was not, why.
    pub refs: Vec<(String, Result<(), String>)>,
}

impl Report {
    /// As the client reads it.
    fn lines(&self) -> BytesMut {
        let mut out = BytesMut::new();
        let one_line = |text: &str| text.replace(|c: char| c.is_control(), " ");
        match &self.pack {
            Ok(()) => pkt_line::put_line(&mut out, "unpack ok"),
            Err(why) => pkt_line::put_line(&mut out, &format!("unpack {}", one_line(why))),
        }
        for (name, outcome) in &self.refs {
            match outcome {
                Ok(()) => pkt_line::put_line(&mut out, &format!("ok {name}")),
                Err(why) => {
                    pkt_line::put_line(&mut out, &format!("ng {name} {}", one_line(why)));
                }
            }
        }
        out.extend_from_slice(FLUSH);
        out
    }

    /// The beginning of the answer to a request; nothing for a client that did not ask for it.
    pub fn answer(&self, request: &PushRequest) -> Bytes {
        match (request.report, request.side_band) {
            (false, _) => Bytes::new(),
            (true, false) => self.lines().freeze(),
            (true, true) => {
                let mut out = BytesMut::new();
                put_band(&mut out, 1, &self.lines());
                out.freeze()
            }
        }
    }
}

/// A text for whoever pushes; their terminal shows it after `remote:`.
pub fn told(text: &str) -> Bytes {
    let mut out = BytesMut::new();
    put_band(&mut out, 2, text.as_bytes());
    out.freeze()
}

/// A packet that says nothing and keeps the connection.
pub fn silence() -> Bytes {
    Bytes::from_static(b"0005\x02")
}

/// The end of an answer with side bands.
pub fn end() -> Bytes {
    Bytes::from_static(FLUSH)
}

fn put_band(out: &mut BytesMut, band: u8, bytes: &[u8]) {
    for part in bytes.chunks(BAND) {
        out.extend_from_slice(format!("{:04x}", part.len() + 5).as_bytes());
        out.extend_from_slice(&[band]);
        out.extend_from_slice(part);
    }
}

#[cfg(test)]
mod tests {
    use futures_util::stream;

    use super::*;

    const ONE: &str = "0123456789abcdef0123456789abcdef01234567";

    fn reader(bytes: &[u8], size: usize) -> Reader {
        let parts: Vec<_> =
            bytes.chunks(size).map(|part| Ok(Bytes::copy_from_slice(part))).collect();
        Reader::new(stream::iter(parts).boxed())
    }

    fn lines(texts: &[String]) -> Vec<u8> {
        let mut out = BytesMut::new();
        texts.iter().for_each(|text| pkt_line::put_line(&mut out, text));
        out.extend_from_slice(FLUSH);
        out.to_vec()
    }

    #[tokio::test]
    async fn a_request_is_read_in_parts_of_any_size() {
        let mut bytes = lines(&[
            format!("shallow {ONE}"),
            format!("{NONE} {ONE} refs/heads/main\0 report-status side-band-64k agent=git/2"),
            format!("{ONE} {NONE} refs/heads/a b"),
        ]);
        bytes.extend_from_slice(b"PACK...");
        for size in [1, 7, 4096] {
            let mut reader = reader(&bytes, size);
            let request = reader.request().await.unwrap();
            assert_eq!(request.shallow, [ONE]);
            assert!(request.report && request.side_band && request.has_pack());
            let [made, gone] = &request.commands[..] else { panic!("{request:?}") };
            assert_eq!((made.old.as_deref(), made.new.as_deref()), (None, Some(ONE)));
            assert_eq!((gone.name.as_str(), gone.new.as_deref()), ("refs/heads/a b", None));
            let mut pack = Vec::new();
            while let Some(part) = reader.chunk().await.unwrap() {
                pack.extend_from_slice(&part);
            }
            assert_eq!(pack, b"PACK...");
        }
    }

    #[tokio::test]
    async fn garbage_is_told_from_a_push() {
        for bytes in [
            b"GET / HTTP/1.1".to_vec(),
            b"0003".to_vec(),
            b"0001".to_vec(),
            lines(&["nonsense".to_owned()]),
            lines(&[format!("{ONE} {ONE}")]),
            lines(&[format!("{ONE} {ONE} ")]),
            lines(&["shallow x".to_owned()]),
            lines(&vec![format!("{NONE} {ONE} refs/heads/x"); MOST_COMMANDS + 1]),
            b"0008\xff\xfe\xff\xfe0000".to_vec(),
        ] {
            let read = reader(&bytes, 64).request().await;
            assert!(matches!(read, Err(Unreadable::Garbled(_))), "{bytes:?}");
        }
        let cut = &lines(&[format!("{NONE} {ONE} refs/heads/main")])[..40];
        assert_eq!(reader(cut, 8).request().await, Err(Unreadable::BrokenOff));
        // What a client sends to find out whether it is signed in.
        assert_eq!(reader(b"0000", 4).request().await, Ok(PushRequest::default()));
    }

    #[test]
    fn an_answer_is_framed_and_stays_in_its_lines() {
        let report = Report {
            pack: Ok(()),
            refs: vec![
                ("refs/heads/a".to_owned(), Ok(())),
                ("refs/heads/b".to_owned(), Err("no\nok refs/heads/c".to_owned())),
            ],
        };
        let plain = PushRequest { report: true, ..PushRequest::default() };
        let wanted =
            "000eunpack ok\n0014ok refs/heads/a\n0027ng refs/heads/b no ok refs/heads/c\n0000";
        assert_eq!(report.answer(&plain), wanted);
        let banded = PushRequest { side_band: true, ..plain.clone() };
        let head = format!("{:04x}\x01", wanted.len() + 5);
        assert_eq!(report.answer(&banded), format!("{head}{wanted}"));
        assert_eq!(report.answer(&PushRequest::default()), "");
        assert_eq!(told("hi\n"), "0008\x02hi\n");
        let long = told(&"x".repeat(BAND + 1));
        assert!(long.starts_with(b"fff0\x02x") && long.ends_with(b"0006\x02x"));
    }

    #[test]
    fn a_greeting_lists_refs_with_what_this_server_can_do() {
        let empty = greeting(&[]);
        let text = String::from_utf8_lossy(&empty);
        assert!(text.starts_with("001f# service=git-receive-pack\n0000"), "{text}");
        assert!(text.contains(&format!("{NONE} capabilities^{{}}\0report-status")), "{text}");
        let refs = [("refs/heads/a".to_owned(), ONE.to_owned())];
        let two = greeting(&[refs.clone(), refs].concat());
        let text = String::from_utf8_lossy(&two);
        assert!(text.ends_with(&format!("003a{ONE} refs/heads/a\n0000")), "{text}");
        assert_eq!(text.matches("report-status").count(), 1);
    }
}
