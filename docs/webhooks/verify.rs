// base64, hex, hmac and sha2
use base64::{Engine, engine::general_purpose::STANDARD};
use hmac::{Hmac, Mac};
use sha2::Sha256;

pub enum Error { Malformed, Timestamp, Secret, Signature }

pub fn verify(signature: &str, event_id: &str, body: &[u8], secret: &str, now: i64) -> Result<(), Error> {
    let (mut t, mut signatures) = (None, vec![]);
    for (k, v) in signature.split(',').filter_map(|p| p.trim().split_once('=')) {
        match k {
            "t" => t = Some(v),
            "v1" => signatures.push(v),
            _ => {}
        }
    }
    let t = t.ok_or(Error::Malformed)?;
    if (now - t.parse::<i64>().map_err(|_| Error::Malformed)?).abs() > 300 {
        return Err(Error::Timestamp);
    }
    let key = STANDARD.decode(secret.strip_prefix("whsec_").unwrap_or(secret)).map_err(|_| Error::Secret)?;
    let mut mac = Hmac::<Sha256>::new_from_slice(&key).map_err(|_| Error::Secret)?;
    mac.update(format!("{event_id}.{t}.").as_bytes());
    mac.update(body);
    let matches = |s: Vec<u8>| mac.clone().verify_slice(&s).is_ok();
    if signatures.iter().filter_map(|s| hex::decode(s).ok()).any(matches) { Ok(()) } else { Err(Error::Signature) }
}
