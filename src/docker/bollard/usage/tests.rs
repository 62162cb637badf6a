use super::*;

fn records(text: &str) -> Vec<Record> {
    let told: Usage = serde_json::from_str(text).unwrap();
    let below = told.build_cache_usage.and_then(|usage| usage.items);
    told.build_cache.or(below).unwrap_or_default().into_iter().map(Record::from).collect()
}

#[test]
fn both_forms_of_the_answer_are_read() {
    let old = records(
        r#"{"LayersSize":1,"Images":[],"BuildCache":[{"ID":"yn97","Parent":"mqov","Type":"regular",
        "Description":"mount / from exec /bin/sh -c true","InUse":false,"Shared":true,"Size":3,
        "CreatedAt":"2026-11-29T16:29:13.148055506Z","LastUsedAt":null,"UsageCount":1}]}"#,
    );
    let new = records(
        r#"{"BuildCacheUsage":{"ActiveCount":0,"Items":[{"ID":"yn97","Parents":["mqov"],"Type":"regular",
        "Description":"mount / from exec /bin/sh -c true","InUse":false,"Shared":true,"Size":3,
        "CreatedAt":"2026-11-29T16:29:13.148055506Z","LastUsedAt":"2026-11-29T16:29:13.148055506Z"}]}}"#,
    );
    assert_eq!(old, new);
    assert_eq!(old[0].parents, ["mqov"]);
    assert_eq!((old[0].bytes, old[0].shared), (3, true));
    assert_eq!(old[0].created_at, Timestamp::parse("2026-11-29T16:29:13.148Z").unwrap());
    assert_eq!(records(r#"{"BuildCache":null}"#), []);
}

#[test]
fn a_pattern_names_these_records_and_no_others() {
    let ids = |ids: &[&str]| ids.iter().map(|id| (*id).to_owned()).collect::<Vec<_>>();
    assert_eq!(any_of(&ids(&["yn97"])).unwrap(), "^(yn97)$");
    assert_eq!(any_of(&ids(&["yn97", "mqov"])).unwrap(), "^(yn97|mqov)$");
    for hostile in ["", ".*", "a|b", "yn97,mqov"] {
        assert!(any_of(&ids(&["yn97", hostile])).is_err(), "{hostile}");
    }
}

#[test]
fn images_with_the_same_first_steps_have_the_same_first_layers() {
    let step = |text: &str, size| ImageHistoryResponseItem {
        created: 1,
        created_by: text.to_owned(),
        size,
        ..ImageHistoryResponseItem::default()
    };
    let one = layers(&[step("CMD", 0), step("COPY a", 5), step("RUN x", 7)]);
    let two = layers(&[step("COPY b", 5), step("RUN x", 7)]);
    let three = layers(&[step("COPY a", 5), step("RUN y", 7)]);
    assert_eq!((one.len(), one[0].bytes, one[1].bytes), (2, 7, 5));
    assert_eq!(one[0], two[0]);
    assert_ne!(one[1].key, two[1].key);
    assert_ne!(one[1].key, three[1].key);
}
