//! Finds the METADATA comment of a Rego module (the annotation form of Open Policy Agent).

/// What opens the block, on a line of its own.
const OPENING: &str = "# METADATA";

/// The YAML of the first METADATA block and the line on which it begins.
///
/// The text keeps its place: lines before the block are blank and each comment sign is a space, so that a line and
/// column in the YAML are those of the Rego file. `None` when the module has no such block or nothing stands in it.
pub fn metadata_block(rego: &str) -> Option<(String, u32)> {
    let opening = rego.lines().position(|line| line.trim_end() == OPENING)?;
    let mut yaml = "\n".repeat(opening + 1);
    let mut lines = 0usize;
    for line in rego.lines().skip(opening + 1) {
        let Some(rest) = line.strip_prefix('#') else { break };
        yaml.push(' ');
        yaml.push_str(rest);
        yaml.push('\n');
        lines += 1;
    }
    let first_line = u32::try_from(opening + 2).ok()?;
    (lines > 0).then_some((yaml, first_line))
}
