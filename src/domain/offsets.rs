//! Offsets as every interface counts them: Unicode code points. Inside the program they are bytes.

/// Byte offsets as code points: every interface counts those. Offsets must rise.
#[derive(Debug)]
pub struct CodePoints<'t> {
    text: &'t str,
    byte: usize,
    point: usize,
}

impl<'t> CodePoints<'t> {
    /// At the text's beginning.
    pub fn new(text: &'t str) -> Self {
        Self { text, byte: 0, point: 0 }
    }

    /// The code point at a byte offset; going back starts anew.
    pub fn at(&mut self, byte: usize) -> usize {
        if byte < self.byte {
            (self.byte, self.point) = (0, 0);
        }
        let slice = self.text.get(self.byte..byte).unwrap_or_default();
        self.point += slice.chars().count();
        self.byte = byte;
        self.point
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_points_are_counted_forwards_and_back() {
        let mut points = CodePoints::new("aé😀b");
        assert_eq!(
            [points.at(0), points.at(1), points.at(3), points.at(7), points.at(8)],
            [0, 1, 2, 3, 4]
        );
        assert_eq!(points.at(1), 1);
    }
}
