//! Capitals, digits and a few signs, 3 pixels wide and 5 high.
//!
//! A glyph is five octal digits: one per row from the top, its bits from left
//! to right. Characters without a glyph are drawn as a space.

/// A glyph's width in its own pixels; one more separates two glyphs.
pub const WIDTH: i32 = 3;
/// A glyph's height in its own pixels.
pub const HEIGHT: i32 = 5;

const LETTERS: [u16; 26] = [
    0o25755, 0o65656, 0o34443, 0o65556, 0o74647, 0o74644, 0o34553, 0o55755, 0o72227, 0o11152, 0o55655,
    0o44447, 0o57755, 0o65555, 0o25552, 0o65644, 0o25573, 0o65655, 0o34216, 0o72222, 0o55557, 0o55552,
    0o55775, 0o55255, 0o55222, 0o71247,
];
const DIGITS: [u16; 10] =
    [0o75557, 0o26227, 0o61247, 0o61216, 0o55711, 0o74616, 0o34652, 0o71222, 0o25252, 0o25316];

/// Whether the character's glyph is inked at this pixel.
#[must_use]
pub fn is_inked(character: char, x: i32, y: i32) -> bool {
    let glyph = match character.to_ascii_uppercase() {
        letter @ 'A'..='Z' => LETTERS[letter as usize - 'A' as usize],
        digit @ '0'..='9' => DIGITS[digit as usize - '0' as usize],
        '-' => 0o00700,
        '.' => 0o00002,
        _ => 0,
    };
    let inside = (0..WIDTH).contains(&x) && (0..HEIGHT).contains(&y);
    inside && glyph >> ((HEIGHT - 1 - y) * WIDTH + WIDTH - 1 - x) & 1 == 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn glyphs_are_upright() {
        let row = |y| (0..3).map(|x| if is_inked('l', x, y) { '#' } else { '.' }).collect::<String>();
        assert_eq!((0..5).map(row).collect::<Vec<_>>(), ["#..", "#..", "#..", "#..", "###"]);
    }
}
