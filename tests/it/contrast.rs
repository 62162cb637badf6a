//! Every pair of colours that meets on a page is far enough apart (WCAG 2.2), computed from the style sheet itself.

use std::collections::HashMap;

/// Token -> its colours in the light and the dark theme.
fn tokens() -> HashMap<String, [[f64; 3]; 2]> {
    let css = std::fs::read_to_string("static/app.css").unwrap();
    let mut tokens = HashMap::new();
    for line in css.lines() {
        let Some((name, value)) =
            line.trim().strip_prefix("--").and_then(|line| line.split_once(": light-dark(#"))
        else {
            continue;
        };
        let Some((light, dark)) = value.trim_end_matches(");").split_once(", #") else {
            continue;
        };
        tokens.insert(name.to_owned(), [channels(light), channels(dark)]);
    }
    tokens
}

fn channels(hex: &str) -> [f64; 3] {
    [0, 2, 4].map(|at| f64::from(u8::from_str_radix(&hex[at..at + 2], 16).unwrap()) / 255.0)
}

fn luminance(colour: [f64; 3]) -> f64 {
    let [red, green, blue] = colour.map(|channel| {
        if channel <= 0.04045 { channel / 12.92 } else { ((channel + 0.055) / 1.055).powf(2.4) }
    });
    0.2126 * red + 0.7152 * green + 0.0722 * blue
}

fn ratio(one: [f64; 3], other: [f64; 3]) -> f64 {
    let (one, other) = (luminance(one), luminance(other));
    (one.max(other) + 0.05) / (one.min(other) + 0.05)
}

#[test]
fn text_and_borders_can_be_told_from_their_ground() {
    let tokens = tokens();
    let mut checked = 0;
    let mut check = |fore: &str, back: &str, least: f64| {
        for (theme, name) in ["light", "dark"].into_iter().enumerate() {
            let found = ratio(tokens[fore][theme], tokens[back][theme]);
            assert!(found >= least, "{name}: {fore} on {back} is {found:.2}, needs {least}");
            checked += 1;
        }
    };
    for ground in ["canvas", "subtle", "inset", "raised"] {
        check("fg", ground, 7.0);
        check("fg-muted", ground, 4.5);
        check("fg-faint", ground, 4.5);
        check("link", ground, 4.5);
        check("focus", ground, 3.0);
    }
    for ground in ["canvas", "subtle", "raised"] {
        check("line-strong", ground, 3.0);
    }
    check("on-accent", "accent", 4.5);
    check("on-accent", "accent-hover", 4.5);
    check("on-bad", "bad", 4.5);
    for state in ["ok", "bad", "warn", "busy", "sleep", "idle"] {
        let soft = format!("{state}-soft");
        check(state, &soft, 4.5);
        check("fg", &soft, 7.0);
        check("link", &soft, 4.5);
        check("fg-muted", &soft, 4.5);
    }
    // Log rows stand on the log's ground, on the ground of an error, and on that of the linked line.
    for ground in ["log", "bad-soft", "warn-soft"] {
        check("fg-faint", ground, 4.5);
        for colour in "krgybmcwKRGYBMCW".chars() {
            check(&format!("ansi-{colour}"), ground, 4.5);
        }
    }
    assert!(checked > 150);
}
