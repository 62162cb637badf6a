use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};

use crate::logs::Redactor;

fn clean(secrets: &[&str], text: &str) -> String {
    Redactor::new(secrets.iter().copied()).redact(text, usize::MAX).0
}

#[test]
fn a_secret_is_masked_in_every_form() {
    let secret = "p@ss wörd/1+2?";
    let encoded = "p%40ss%20w%C3%B6rd%2F1%2B2%3F";
    for form in
        [secret.to_owned(), encoded.to_owned(), encoded.to_lowercase(), encoded.replace("%20", "+")]
    {
        assert_eq!(clean(&[secret], &format!("[{form}]")), "[***]");
    }
    for before in ["", "u", "us", "user:"] {
        for text in [
            STANDARD.encode(format!("{before}{secret}")),
            URL_SAFE.encode(format!("{before}{secret}!")),
        ] {
            let masked = clean(&[secret], &text);
            assert!(masked.contains("***") && masked.len() <= 15, "{text} became {masked}");
        }
    }
    assert_eq!(clean(&["say \"hi\"\\"], r#"{"a":"say \"hi\"\\"}"#), r#"{"a":"***"}"#);
}

#[test]
fn overlapping_secrets_leave_no_rest() {
    assert_eq!(clean(&["abcdef", "defghi"], "xabcdefghix"), "x***x");
    assert_eq!(clean(&["secret", "my-secret-value"], "my-secret-value secret"), "*** ***");
    assert_eq!(clean(&["secret"], "secretsecret"), "***");
}

#[test]
fn every_line_of_a_long_secret_is_one() {
    let key = "-----BEGIN KEY-----\nMIIEvQIBADANBg\r\nkqhkiG9w0BAQ\n-----END KEY-----\n";
    assert_eq!(clean(&[key], "key: kqhkiG9w0BAQ"), "key: ***");
    assert_eq!(clean(&[key], "MIIEvQIBADANBg"), "***");
}

#[test]
fn short_values_and_other_text_stay() {
    assert_eq!(clean(&["true", "3000", ""], "true 3000"), "true 3000");
    assert_eq!(clean(&[], "anything"), "anything");
}

#[test]
fn a_secret_across_the_limit_is_masked_whole() {
    let redactor = Redactor::new(["topsecret"]);
    assert_eq!(redactor.redact("0123 topsecret rest", 8), ("0123 ***".to_owned(), true));
    assert_eq!(redactor.redact("0123456é", 8), ("0123456".to_owned(), true));
    assert_eq!(redactor.redact("0123", 4), ("0123".to_owned(), false));
    assert_eq!(redactor.redact("topsecret", 4), ("***".to_owned(), false));
}
