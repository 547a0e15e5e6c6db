//! Which embeddings compare: those of one encoder. An encoder's id is the first 8 digits of its
//! weights' SHA-256 and its mode, as `53aa5117/int8`; ids written by earlier versions have the name of
//! the model's folder and an `@` in front.

/// Whether vectors of two encoders can stand in one index. `int8w7` is `int8` on a CPU without 8-bit
/// dot products; its vectors are other ones by a rounding, so that processes on unlike machines can
/// share a database.
pub fn comparable(one: &str, other: &str) -> bool {
    bare(one) == bare(other)
}

fn bare(id: &str) -> &str {
    let id = id.rsplit('@').next().unwrap_or(id);
    id.strip_suffix("w7").unwrap_or(id)
}

#[cfg(test)]
mod tests {
    use super::comparable;

    #[test]
    fn weights_and_mode_count_and_neither_the_folder_nor_the_machine() {
        assert!(comparable("53aa5117/int8", "all-MiniLM-L6-v2@53aa5117/int8"));
        assert!(comparable("53aa5117/int8", "53aa5117/int8w7"));
        assert!(!comparable("53aa5117/int8", "53aa5117/f32"));
        assert!(!comparable("53aa5117/int8", "00000000/int8"));
    }
}
