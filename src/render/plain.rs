//! Text from outside (file names, a child's words) made safe for a terminal.

/// What stands where something was taken out.
const TAKEN_OUT: char = '\u{fffd}';
/// How a line begins that a GitHub runner takes for a command, wherever it stands in a log.
const COMMANDS: [&str; 2] = ["::", "##["];

/// The text with every control character but the line end replaced, so that a file name cannot move
/// the cursor, colour the screen or ring the bell; and with no line that a CI runner would obey.
pub fn plain(text: &str) -> String {
    text.split_inclusive('\n').map(plain_line).collect()
}

fn plain_line(line: &str) -> String {
    let begins = line.trim_start();
    let is_command = COMMANDS.iter().any(|start| begins.starts_with(start));
    let at = line.len() - begins.len();
    line.char_indices()
        .map(|(index, c)| {
            let is_control = c.is_control() && c != '\n';
            if is_control || (is_command && index == at) {
                TAKEN_OUT
            } else {
                c
            }
        })
        .collect()
}
