use crate::logs::strip_ansi;

#[test]
fn only_visible_text_remains() {
    for (raw, visible) in [
        ("plain\ttext é 漢", "plain\ttext é 漢"),
        ("\x1b[1;31mred\x1b[0m", "red"),
        ("\x1b]0;pwn\x07title", "title"),
        ("\x1b]8;;javascript:alert(1)\x07X\x1b]8;;\x07", "X"),
        ("\x1b[2J\x1b[?1049hscreen", "screen"),
        ("a\x08b\x7fc\u{9b}d", "abcd"),
        ("cut \x1b[3", "cut "),
    ] {
        assert_eq!(strip_ansi(raw), visible, "{raw:?}");
    }
}
