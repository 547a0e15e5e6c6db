//! Keccak-256 as Ethereum uses it, which is SHA-3 before the padding was changed. Needed for the
//! checksum in the case of an address's letters (EIP-55), and for nothing that must stay secret.

/// Lanes of the state.
type State = [u64; 25];

/// Bytes that are absorbed at once: 1600 bits of state less twice 256 of capacity.
const RATE: usize = 136;

/// Rotations along the path of ρ and π.
const ROTATIONS: [u32; 24] =
    [1, 3, 6, 10, 15, 21, 28, 36, 45, 55, 2, 14, 27, 41, 56, 8, 25, 43, 62, 18, 39, 61, 20, 44];
const PATH: [usize; 24] =
    [10, 7, 11, 17, 18, 3, 5, 16, 8, 21, 24, 4, 15, 23, 19, 13, 12, 2, 20, 14, 22, 9, 6, 1];

/// The constant of a round, from the linear feedback shift register of the specification.
fn round_constants() -> [u64; 24] {
    let mut register: u8 = 1;
    std::array::from_fn(|_| {
        (0..7).fold(0, |constant, j| {
            let bit = register & 1;
            let overflow = register >> 7;
            register = (register << 1) ^ (overflow * 0x71);
            constant | u64::from(bit) << ((1u32 << j) - 1)
        })
    })
}

fn permute(state: &mut State) {
    for constant in round_constants() {
        // θ
        let column: [u64; 5] = std::array::from_fn(|x| (0..5).fold(0, |c, y| c ^ state[x + 5 * y]));
        for x in 0..5 {
            let mix = column[(x + 4) % 5] ^ column[(x + 1) % 5].rotate_left(1);
            (0..5).for_each(|y| state[x + 5 * y] ^= mix);
        }
        // ρ and π
        let mut carried = state[1];
        for (&to, &by) in PATH.iter().zip(&ROTATIONS) {
            carried = std::mem::replace(&mut state[to], carried.rotate_left(by));
        }
        // χ
        for y in 0..5 {
            let row: [u64; 5] = std::array::from_fn(|x| state[x + 5 * y]);
            (0..5).for_each(|x| state[x + 5 * y] = row[x] ^ !row[(x + 1) % 5] & row[(x + 2) % 5]);
        }
        // ι
        state[0] ^= constant;
    }
}

/// The hash of a text shorter than one block, as addresses are.
pub(super) fn keccak256(text: &[u8]) -> [u8; 32] {
    let mut block = [0u8; RATE];
    let len = text.len().min(RATE - 1);
    block[..len].copy_from_slice(&text[..len]);
    block[len] = 0x01;
    block[RATE - 1] |= 0x80;
    let mut state: State = [0; 25];
    for (lane, bytes) in state.iter_mut().zip(block.as_chunks::<8>().0) {
        *lane = u64::from_le_bytes(*bytes);
    }
    permute(&mut state);
    let mut hash = [0; 32];
    for (bytes, lane) in hash.as_chunks_mut::<8>().0.iter_mut().zip(state) {
        *bytes = lane.to_le_bytes();
    }
    hash
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_as_published() {
        let hex = |t: &[u8]| keccak256(t).iter().map(|b| format!("{b:02x}")).collect::<String>();
        assert_eq!(hex(b""), "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470");
        assert_eq!(hex(b"abc"), "4e03657aea45a94fc7d47ba826c8d667c0d1e6e33a64a036ec44f58fa12d6c45");
    }
}
