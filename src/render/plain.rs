//! Text from outside (file names, a child's words) made safe for a terminal.

/// The text with every control character but the line end replaced, so that a file name cannot move
/// the cursor, colour the screen or ring the bell.
pub fn plain(text: &str) -> String {
    text.chars()
        .map(|c| {
            if c.is_control() && c != '\n' {
                '\u{fffd}'
            } else {
                c
            }
        })
        .collect()
}
