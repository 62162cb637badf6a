//! Random bytes from the operating system.

use ring::rand::{SecureRandom, SystemRandom};

/// Random bytes.
///
/// # Panics
/// When the operating system gives no randomness: nothing safe can be done then.
pub fn bytes<const N: usize>() -> [u8; N] {
    let mut out = [0; N];
    let filled = SystemRandom::new().fill(&mut out);
    assert!(filled.is_ok(), "the operating system gives no random bytes");
    out
}

/// `N` values below `bound`, each equally likely.
pub fn below<const N: usize>(bound: u8) -> [u8; N] {
    let mut out = [0; N];
    let fair = (256 / u16::from(bound)) * u16::from(bound);
    let mut filled = 0;
    while filled < N {
        for byte in bytes::<64>() {
            if filled < N && u16::from(byte) < fair {
                out[filled] = byte % bound;
                filled += 1;
            }
        }
    }
    out
}
