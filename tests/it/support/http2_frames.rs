//! HTTP/2 frame by frame (RFC 9113), for clients that do not keep to it.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

pub const DATA: u8 = 0;
pub const HEADERS: u8 = 1;
pub const PRIORITY: u8 = 2;
pub const RST_STREAM: u8 = 3;
pub const SETTINGS: u8 = 4;
pub const PING: u8 = 6;
pub const WINDOW_UPDATE: u8 = 8;
pub const CONTINUATION: u8 = 9;

pub const END_STREAM: u8 = 1;
pub const END_HEADERS: u8 = 4;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// A frame as bytes.
pub fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut bytes = vec![length[1], length[2], length[3], kind, flags];
    bytes.extend(stream.to_be_bytes());
    bytes.extend(payload);
    bytes
}

/// The fields of a request without anything that is remembered (RFC 7541 section 6.2.2).
pub fn fields(method: &str, host: &str, path: &str) -> Vec<u8> {
    let mut block = vec![0x87];
    for (name, value) in [(2, method), (4, path), (1, host)] {
        block.extend([name, u8::try_from(value.len()).unwrap()]);
        block.extend(value.as_bytes());
    }
    block
}

/// A field of any name.
pub fn field(name: &str, value: &str) -> Vec<u8> {
    let mut block = vec![0];
    for text in [name, value] {
        block.push(u8::try_from(text.len()).unwrap());
        block.extend(text.as_bytes());
    }
    block
}

/// A frame that came.
#[derive(Debug)]
pub struct Came {
    pub kind: u8,
    pub stream: u32,
    pub payload: Vec<u8>,
}

/// Sends the beginning of a connection.
pub async fn begin(stream: &mut (impl AsyncWrite + Unpin)) -> io::Result<()> {
    let begin = [PREFACE, &frame(SETTINGS, 0, 0, &[])].concat();
    stream.write_all(&begin).await?;
    stream.flush().await
}

/// Reads the next frame.
pub async fn next(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Came> {
    let mut head = [0; 9];
    stream.read_exact(&mut head).await?;
    let [high, middle, low, kind, _, rest @ ..] = head;
    let length = u32::from_be_bytes([0, high, middle, low]);
    let mut payload = vec![0; usize::try_from(length).unwrap()];
    stream.read_exact(&mut payload).await?;
    Ok(Came { kind, stream: u32::from_be_bytes(rest), payload })
}
