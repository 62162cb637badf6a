//! Bodies nobody should send, made from a seed: the same ones every time.

use std::collections::BTreeSet;

use serde_json::Value;

/// SplitMix64.
pub struct Random(pub u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % limit as u64).unwrap()
    }

    fn one_in(&mut self, count: usize) -> bool {
        self.below(count) == 0
    }

    fn pick<'a, T: ?Sized>(&mut self, items: &[&'a T]) -> &'a T {
        items[self.below(items.len())]
    }
}

/// Values, as they stand in a body. Some of them are not JSON.
const VALUES: [&str; 44] = [
    "null",
    "true",
    "false",
    "0",
    "-1",
    "-0",
    "1.5",
    "80",
    "9223372036854775807",
    "9223372036854775808",
    "-9223372036854775809",
    "18446744073709551616",
    "1e400",
    "-1E+999",
    "1e-400",
    "NaN",
    "-Infinity",
    "undefined",
    "0x10",
    "01",
    "+1",
    ".5",
    "1.",
    "'single'",
    "[]",
    "{}",
    "[[]]",
    "[null]",
    "[{}]",
    "[1,\"a\",null]",
    "[\"read\"]",
    "[\"full\",\"full\"]",
    "[\"0.0.0.0/0\",\"::/0\"]",
    "[\"prj_0000000000000000\"]",
    "{\"\":\"\"}",
    "{\"a\":1,\"a\":2}",
    "{\"A\":\"1\",\"B\":null}",
    "{\"__proto__\":{\"x\":1}}",
    "\"\\ud800\"",
    "\"\\udc00\\ud800\"",
    "\"\\u0000\"",
    "\"\\x41\"",
    "\"\t\"",
    "\"open",
];

/// Texts, before they are quoted.
const TEXTS: [&str; 34] = [
    "",
    " ",
    "x",
    "local",
    "nodejs",
    "main",
    "a b",
    "-",
    "--upload-pack=touch x",
    "../../etc/passwd",
    "/",
    "\u{7f}\u{1}",
    "a\u{0}b",
    "\u{202e}txt.exe",
    "\u{feff}",
    "日本語🚀",
    "e\u{301}\u{301}\u{301}",
    "'; DROP TABLE projects; --",
    "\" OR 1=1",
    "<script>alert(1)</script>",
    "${jndi:ldap://x}",
    "$(id)`id`",
    "{{7*7}}",
    "%00%0d%0a",
    "line\r\nSet-Cookie: a=b",
    "https://example.com/a.git",
    "http://169.254.169.254/latest",
    "https://user:password@example.com/a.git",
    "https://[::1]/a.git",
    "file:///etc/passwd",
    "2026-02-30T00:00:00Z",
    "9999-12-31T23:59:59.999999999-23:59",
    "-009999-01-01T00:00:00Z",
    "0000-00-00T00:00:00+99:99",
];

/// Parts of a path that name nothing, already encoded.
pub fn names() -> Vec<String> {
    let short = [
        "%00",
        "a%00b",
        "..%2f",
        "..%2f..%2fetc%2fpasswd",
        "%2e%2e",
        ".",
        "..",
        "%2f",
        "%5c",
        "%20",
        "%ff",
        "%c0%af",
        "%ed%a0%80",
        "%f0%9f%9a%80",
        "%e2%80%ae",
        "%0d%0aX:%20y",
        "null",
        "-1",
        "0",
        "*",
        "%25",
        "%2500",
        "%27%20OR%201=1--",
        "%22",
        "%3cscript%3e",
        ";",
        "a;b=c",
        "a,b",
        "@",
        "~",
        "prj_",
        "prj_abc123",
        "dep_0000000000000000",
        "PRJ_0000000000000000",
        "prj_0000000000000000%00",
        "key_%f0%9f%9a%80",
        "evt_00000000000000001",
        "usr_iiiiiiiiiiiiiiii",
        "%7b%7d",
        "{id}",
        "a%2Fb",
    ];
    let long = ["x".repeat(5000), format!("prj_{}", "0".repeat(5000)), "%e2%98%83".repeat(1700)];
    short.into_iter().map(str::to_owned).chain(long).collect()
}

fn text(random: &mut Random) -> String {
    let text = random.pick(&TEXTS);
    let text = match random.below(40) {
        0 => "x".repeat(100_000),
        1 => "\u{1f680}".repeat(3000),
        2..6 => text.repeat(20),
        _ => text.to_owned(),
    };
    Value::from(text).to_string()
}

fn value(random: &mut Random, fields: &[&str], depth: usize) -> String {
    match random.below(24) {
        0..10 => random.pick(&VALUES).to_owned(),
        10..20 => text(random),
        20 if depth < 3 => object(random, fields, depth + 1),
        21 if depth < 3 => {
            let items: Vec<_> =
                (0..random.below(5)).map(|_| value(random, fields, depth + 1)).collect();
            format!("[{}]", items.join(","))
        }
        22 => nested(random.pick(&[&100, &128, &129, &1000])),
        _ => random.next().cast_signed().to_string(),
    }
}

fn nested(depth: &usize) -> String {
    format!("{}{}", "[".repeat(*depth), "]".repeat(*depth))
}

fn object(random: &mut Random, fields: &[&str], depth: usize) -> String {
    let count = random.below(6);
    let mut entries = Vec::new();
    for _ in 0..count {
        let name = if random.one_in(10) {
            text(random)
        } else {
            Value::from(random.pick(fields)).to_string()
        };
        entries.push(format!("{name}:{}", value(random, fields, depth)));
    }
    format!("{{{}}}", entries.join(","))
}

/// The valid body with another value in one of its fields, or with one more field.
fn altered(random: &mut Random, fields: &[&str], valid: &Value) -> String {
    let mut object = valid.as_object().unwrap().clone();
    let known: Vec<String> = object.keys().cloned().collect();
    let known: BTreeSet<&str> = known.iter().map(String::as_str).collect();
    let known: Vec<&str> = known.into_iter().collect();
    let name = match known.is_empty() || random.one_in(2) {
        true => random.pick(fields).to_owned(),
        false => random.pick(&known).to_owned(),
    };
    object.insert(name, Value::from("\u{1}here"));
    let text = Value::from(object).to_string();
    text.replacen("\"\\u0001here\"", &value(random, fields, 1), 1)
}

/// A body. `fields` are the names the API knows, `valid` is a body it takes.
pub fn body(random: &mut Random, fields: &[&str], valid: &Value) -> Vec<u8> {
    let text = match random.below(100) {
        0 => nested(&100_000),
        1 => "[".repeat(100_000),
        2 => "{\"a\":".repeat(100_000),
        3 => format!("{{\"name\":{}}}", nested(&(129 + random.below(100)))),
        4..8 => value(random, fields, 0),
        8..11 => format!("[{valid}]"),
        11..14 => valid.to_string().replacen('{', "{\"name\":1,\"name\":2,", 1),
        14 => {
            let many: Vec<_> = (0..2000).map(|n| format!("\"unknown{n}\":{n}")).collect();
            format!("{{{}}}", many.join(","))
        }
        15 => format!("{{{}:1}}", text(random)),
        16..45 => object(random, fields, 0),
        _ => altered(random, fields, valid),
    };
    let mut bytes = text.into_bytes();
    let at = random.below(bytes.len() + 1);
    match random.below(40) {
        0 | 1 => bytes.truncate(at),
        2 => bytes.insert(at, 0xff),
        3 => bytes.splice(at..at, [0xed, 0xa0, 0x80]).for_each(drop),
        4 => bytes.insert(at, 0),
        5 => bytes.splice(0..0, [0xef, 0xbb, 0xbf]).for_each(drop),
        6 => bytes.extend_from_slice(b" {}"),
        7 => bytes.splice(at..at, *b"/* */").for_each(drop),
        8 if at < bytes.len() => bytes[at] ^= 1 << random.below(8),
        _ => {}
    }
    bytes
}
