//! Finds the JSON objects of one depth in a text that is not valid JSON as a whole, or not yet.

/// The longest object, in bytes.
const MAX_OBJECT: usize = 1 << 20;

/// Finds the objects that begin within so many open braces and brackets.
#[derive(Debug)]
pub(super) struct Objects {
    /// Open braces around an object.
    within_braces: usize,
    /// Open brackets around an object; `None`: any number.
    within_brackets: Option<usize>,
    braces: usize,
    brackets: usize,
    is_in_string: bool,
    is_escaped: bool,
    /// The object that has begun.
    object: Option<Vec<u8>>,
}

impl Objects {
    pub(super) fn within(braces: usize, brackets: Option<usize>) -> Objects {
        Objects {
            within_braces: braces,
            within_brackets: brackets,
            braces: 0,
            brackets: 0,
            is_in_string: false,
            is_escaped: false,
            object: None,
        }
    }

    /// Takes in a line and gives the objects that end in it.
    ///
    /// # Errors
    /// When an object is too long, or the line ends within a string, as none of these programs
    /// breaks one. The search then begins anew.
    pub(super) fn line(&mut self, line: &str, mut object: impl FnMut(&[u8])) -> Result<(), String> {
        for byte in line.bytes() {
            self.byte(byte, &mut object)?;
        }
        if self.is_in_string {
            self.reset();
            return Err("it ends within a string".to_owned());
        }
        Ok(())
    }

    /// Whether a line is only what stands between objects: blanks, commas and brackets.
    pub(super) fn is_between(line: &str) -> bool {
        line.bytes().all(|byte| matches!(byte, b' ' | b'\t' | b',' | b'[' | b']'))
    }

    /// Whether an object has begun and not ended.
    pub(super) fn is_open(&self) -> bool {
        self.object.is_some()
    }

    /// Whether nothing is open at all.
    pub(super) fn is_outside(&self) -> bool {
        self.braces == 0
    }

    fn byte(&mut self, byte: u8, object: &mut impl FnMut(&[u8])) -> Result<(), String> {
        if let Some(text) = &mut self.object {
            text.push(byte);
            if MAX_OBJECT < text.len() {
                self.reset();
                return Err(format!("an object is longer than {} KiB", MAX_OBJECT >> 10));
            }
        }
        if self.is_in_string {
            self.is_in_string = self.is_escaped || byte != b'"';
            self.is_escaped = !self.is_escaped && byte == b'\\';
            return Ok(());
        }
        match byte {
            b'"' => self.is_in_string = true,
            b'[' => self.brackets += 1,
            b']' => self.brackets = self.brackets.saturating_sub(1),
            b'{' => {
                let is_here = self.braces == self.within_braces
                    && self.within_brackets.is_none_or(|brackets| brackets == self.brackets);
                if self.object.is_none() && is_here {
                    self.object = Some(vec![byte]);
                }
                self.braces += 1;
            }
            b'}' => {
                self.braces = self.braces.saturating_sub(1);
                if self.braces == self.within_braces
                    && let Some(text) = self.object.take()
                {
                    object(&text);
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn reset(&mut self) {
        *self = Objects::within(self.within_braces, self.within_brackets);
    }
}
