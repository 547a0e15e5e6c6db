//! The shipped head as a whole, as far as it can be tested without the encoder's weights.

use super::*;

#[test]
fn the_shipped_head_is_sound() -> Result<(), WeightsError> {
    let head = NamesHead::shipped()?;
    assert!(head.reads("all-MiniLM-L6-v2@53aa5117/int8"));
    assert!(!head.reads("all-MiniLM-L6-v2@00000000/int8"));
    assert!(SHIPPED.len() <= 1 << 20);
    Ok(())
}
