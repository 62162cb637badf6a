use super::{fixture, user};
use crate::db::page::PageRequest;
use crate::db::{DbError, api_keys, sessions, users};
use crate::model::api_key::{ApiKey, KeyKind};
use crate::model::ids::KeyId;
use crate::model::scope::Scopes;
use crate::model::timestamp::Timestamp;

fn key(number: u8) -> ApiKey {
    ApiKey {
        id: KeyId::from_random([number; 10]),
        user_id: user(1).id,
        kind: KeyKind::User,
        name: format!("key {number}"),
        prefix: "orbu_0123".to_owned(),
        last4: "ixfD".to_owned(),
        scopes: Scopes::full(),
        allowed_ips: vec!["203.0.113.0/24".to_owned()],
        project_ids: Vec::new(),
        expires_at: None,
        last_used_at: None,
        last_used_ip: None,
        created_at: Timestamp(i64::from(number)),
        revoked_at: None,
        revision: 1,
    }
}

#[tokio::test]
async fn an_address_has_one_account_whatever_its_case() {
    let fixture = fixture();
    let db = fixture.db.clone();
    db.write(|c| users::insert(c, &user(1), Some("hash"))).await.expect("written");
    let mut twin = user(2);
    twin.email = "USER1@Example.com".to_owned();
    let refused = db.write(move |c| users::insert(c, &twin, None)).await;
    assert!(matches!(refused, Err(DbError::Unique(column)) if column == "users.email"));
    let found = db.read(|c| users::find_by_email(c, "User1@example.COM")).await.expect("read");
    let (found, hash) = found.expect("there");
    assert_eq!((found.id, hash.as_deref()), (user(1).id, Some("hash")));
}

#[tokio::test]
async fn keys_are_listed_by_what_they_are_now() {
    let fixture = fixture();
    let db = fixture.db.clone();
    db.write(|c| -> Result<(), DbError> {
        users::insert(c, &user(1), None)?;
        for number in 1..=4 {
            let mut key = key(number);
            key.expires_at = (number == 2).then_some(Timestamp(50));
            api_keys::insert(c, &key, &[number; 32])?;
        }
        api_keys::revoke(c, &key(3).id, Timestamp(60))
    })
    .await
    .expect("written");
    for (statuses, expected) in [
        (vec![], vec![4, 3, 2, 1]),
        (vec!["active"], vec![4, 1]),
        (vec!["expired"], vec![2]),
        (vec!["revoked", "expired"], vec![3, 2]),
    ] {
        let wanted: Vec<String> = statuses.iter().map(|status| (*status).to_owned()).collect();
        let page = db.read(move |c| {
            let owner = api_keys::Owner::User(user(1).id);
            let filter = api_keys::KeyFilter { statuses: wanted, ..Default::default() };
            api_keys::list(c, &owner, &filter, Timestamp(100), PageRequest::default())
        });
        let page = page.await.expect("read");
        let names: Vec<_> = page.items.iter().map(|key| key.name.clone()).collect();
        let expected: Vec<_> = expected.iter().map(|number| format!("key {number}")).collect();
        assert_eq!((names, page.total), (expected.clone(), expected.len() as u64), "{statuses:?}");
    }
    let again = db.write(|c| api_keys::revoke(c, &key(3).id, Timestamp(70))).await;
    assert!(matches!(again, Err(DbError::Stale)));
}

#[tokio::test]
async fn sessions_end_with_time_with_the_account_and_by_hand() {
    let fixture = fixture();
    let db = fixture.db.clone();
    db.write(|c| -> Result<(), DbError> {
        users::insert(c, &user(1), None)?;
        assert!(sessions::insert(c, &[1; 32], Some(&user(1).id), b"one", Timestamp(100))?);
        assert!(
            !sessions::insert(c, &[1; 32], None, b"other", Timestamp(100))?,
            "an id is used once"
        );
        assert!(sessions::insert(c, &[2; 32], None, b"two", Timestamp(100))?);
        Ok(())
    })
    .await
    .expect("written");
    let load = |id: u8, now: i64| db.read(move |c| sessions::load(c, &[id; 32], Timestamp(now)));
    assert_eq!(load(1, 99).await.expect("read").as_deref(), Some(&b"one"[..]));
    assert_eq!(load(1, 100).await.expect("read"), None);
    db.write(|c| sessions::delete_of_user(c, &user(1).id)).await.expect("written");
    assert_eq!(load(1, 1).await.expect("read"), None);
    assert!(load(2, 1).await.expect("read").is_some());
    db.write(|c| sessions::delete_expired(c, Timestamp(100))).await.expect("written");
    assert_eq!(load(2, 1).await.expect("read"), None);
}
