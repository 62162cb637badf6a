//! Keys that were looked up lately, so that a request with a known key reads nothing.
//!
//! What is kept counts only as long as no commit of this process touched accounts or keys, and never longer
//! than a second: another process may have changed them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::model::api_key::ApiKey;
use crate::model::user::User;

/// How long a key counts as known, because a change by another process is not seen otherwise.
const LIFETIME: Duration = Duration::from_secs(1);
/// Most keys that are kept.
const MOST: usize = 10_000;

/// A key and its account.
pub type Holder = Arc<(ApiKey, User)>;

/// When something was read: what is committed or passes after it makes it old.
#[derive(Clone, Copy, Debug)]
pub struct ReadAt {
    pub identities: u64,
    pub moment: Instant,
}

impl ReadAt {
    fn holds(self, now: Self) -> bool {
        self.identities == now.identities && now.moment.duration_since(self.moment) < LIFETIME
    }
}

/// The keys that are known, by the SHA-256 of the whole key. Keys that do not exist are never in it.
#[derive(Default)]
pub struct KnownKeys(Mutex<HashMap<[u8; 32], (ReadAt, Holder)>>);

impl KnownKeys {
    /// A key that is known and still as it was read.
    pub(super) fn find(&self, hash: &[u8; 32], now: ReadAt) -> Option<Holder> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(hash).filter(|(read, _)| read.holds(now)).map(|(_, holder)| holder.clone())
    }

    /// Keeps what was read after `read`.
    pub(super) fn keep(&self, hash: [u8; 32], read: ReadAt, holder: Holder) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MOST {
            known.retain(|_, (other, _)| other.holds(read));
            // Many keys within a second: the next requests read them again.
            if known.len() >= MOST {
                known.clear();
            }
        }
        known.insert(hash, (read, holder));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::api_key::KeyKind;
    use crate::model::ids::{KeyId, TeamId, UserId};
    use crate::model::scope::Scopes;
    use crate::model::timestamp::Timestamp;
    use crate::model::user::Plan;

    fn holder() -> Holder {
        let user = User {
            id: UserId::from_random([1; 10]),
            email: "user@example.com".to_owned(),
            name: "Someone".to_owned(),
            company: None,
            plan: Plan::Free,
            instance_admin: false,
            suspended: false,
            team_id: TeamId::from_random([1; 10]),
            created_at: Timestamp(0),
            updated_at: Timestamp(0),
            revision: 1,
        };
        let key = ApiKey {
            id: KeyId::from_random([1; 10]),
            user_id: user.id.clone(),
            kind: KeyKind::User,
            name: "ci".to_owned(),
            prefix: String::new(),
            last4: String::new(),
            scopes: Scopes::full(),
            allowed_ips: Vec::new(),
            project_ids: Vec::new(),
            expires_at: None,
            last_used_at: None,
            last_used_ip: None,
            created_at: Timestamp(0),
            revoked_at: None,
            revision: 1,
        };
        Arc::new((key, user))
    }

    #[test]
    fn a_key_is_known_for_a_second_and_until_keys_change() {
        let keys = KnownKeys::default();
        let moment = Instant::now();
        let at = |identities, millis| ReadAt {
            identities,
            moment: moment + Duration::from_millis(millis),
        };
        assert!(keys.find(&[1; 32], at(7, 0)).is_none());
        keys.keep([1; 32], at(7, 0), holder());
        assert!(keys.find(&[1; 32], at(7, 999)).is_some());
        assert!(keys.find(&[2; 32], at(7, 0)).is_none());
        assert!(keys.find(&[1; 32], at(7, 1000)).is_none(), "another process may have revoked it");
        assert!(keys.find(&[1; 32], at(8, 0)).is_none(), "keys were changed");
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let keys = KnownKeys::default();
        let (holder, moment) = (holder(), Instant::now());
        for number in 0..3 * MOST {
            let mut hash = [0; 32];
            hash[..8].copy_from_slice(&number.to_be_bytes());
            keys.keep(hash, ReadAt { identities: 0, moment }, holder.clone());
            assert!(keys.0.lock().expect("unpoisoned").len() <= MOST);
        }
    }
}
