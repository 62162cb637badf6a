use super::to_html;

#[test]
fn colours_become_classes_and_merge() {
    assert_eq!(
        to_html("\x1b[32mok\x1b[0m 3 \x1b[1;91mbad\x1b[m"),
        "<b class=\"g\">ok</b> 3 <b class=\"r B h\">bad</b>"
    );
    assert_eq!(to_html("\x1b[32ma\x1b[32mb"), "<b class=\"g\">ab</b>");
    assert_eq!(to_html("\x1b[31;42mx"), "<b class=\"bg-g\">x</b>");
    assert_eq!(to_html("\x1b[31m\x1b[39mplain"), "plain");
}

#[test]
fn many_colours_become_the_nearest_of_sixteen() {
    assert_eq!(to_html("\x1b[38;5;196mx"), "<b class=\"r B\">x</b>");
    assert_eq!(to_html("\x1b[38;2;20;160;30mx"), "<b class=\"g\">x</b>");
    assert_eq!(to_html("\x1b[38:2::20:160:30mx"), "<b class=\"g\">x</b>");
    assert_eq!(to_html("\x1b[38;5;244mx"), "<b class=\"k B\">x</b>");
    assert_eq!(to_html("\x1b[38;2;20;160;30;4mx"), "<b class=\"g u\">x</b>");
}

#[test]
fn progress_keeps_its_last_state() {
    assert_eq!(to_html("10 %\r50 %\r100 %"), "100 %");
    assert_eq!(to_html("\x1b[32m10 %\rdone\r"), "<b class=\"g\">done</b>");
    assert_eq!(to_html("windows line\r"), "windows line");
}

#[test]
fn nothing_but_text_and_colour_comes_through() {
    assert_eq!(
        to_html("<script>&\"'\x1b]0;title\x07\x1b[2J\x1b[5A\x08\u{85}x"),
        "&lt;script&gt;&amp;&quot;&#39;x"
    );
    assert_eq!(to_html("\x1b]8;;https://example.com\x1b\\link\x1b]8;;\x1b\\"), "link");
    assert_eq!(to_html("a\u{202e}b"), "a<b class=\"chip\">U+202E</b>b");
    assert_eq!(to_html("a\tb"), "a       b");
    assert_eq!(to_html("\x1b[38;5m\x1b[48;2;1m\x1b[999mx"), "x");
}

#[test]
fn a_very_long_line_is_cut_and_says_so() {
    let html = to_html(&"x".repeat(5000));
    assert!(html.ends_with("<b class=\"chip\">904 more characters in the raw log</b>"));
}

/// Random bytes and escapes: always balanced, only our own elements, and no text lost.
#[test]
fn any_input_gives_balanced_markup_of_the_same_text() {
    let pieces = [
        "a",
        "<",
        "&",
        "é",
        "\x1b[",
        "31",
        ";",
        "1",
        "m",
        "38;5;",
        "200",
        "\x1b]",
        "\x07",
        "\x1b",
        "\t",
        "48;2;1;2;3",
        "\u{202e}",
        "0",
        "\x1b[0m",
        "\x1b[7m",
        "z",
    ];
    let mut seed = 1u64;
    for _ in 0..5000 {
        let mut line = String::new();
        for _ in 0..12 {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            line.push_str(pieces[(seed >> 33) as usize % pieces.len()]);
        }
        let html = to_html(&line);
        let mut depth = 0i32;
        let mut rest = html.as_str();
        while let Some(at) = rest.find('<') {
            rest = &rest[at..];
            depth += if rest.starts_with("<b class=\"") {
                1
            } else {
                assert!(rest.starts_with("</b>"), "{line:?} -> {html}");
                -1
            };
            assert!((0..=2).contains(&depth), "{line:?} -> {html}");
            rest = &rest[1..];
        }
        assert_eq!(depth, 0, "{line:?} -> {html}");
    }
}
