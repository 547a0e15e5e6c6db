//! 16-bit floats (IEEE 754 binary16), in which weights are stored and states are cached.

/// Rounds to the nearest half, ties to even; beyond its range it becomes the largest finite one.
pub(crate) fn to_half(x: f32) -> u16 {
    let bits = x.to_bits();
    let sign = ((bits >> 16) & 0x8000) as u16;
    let magnitude = f32::from_bits(bits & 0x7fff_ffff);
    if magnitude.is_nan() {
        return sign | 0x7e00;
    }
    if magnitude >= 65_504.0 {
        return sign | 0x7bff;
    }
    // Below the smallest normal half the unit is 2⁻²⁴; above, 13 bits of the mantissa go.
    if magnitude < 6.103_515_6e-5 {
        return sign | (magnitude * 16_777_216.0).round_ties_even() as u16;
    }
    let rebased = (bits & 0x7fff_ffff) - (112 << 23);
    let rounded = rebased + 0x0fff + ((rebased >> 13) & 1);
    sign | (rounded >> 13).min(0x7bff) as u16
}

/// The number that the half stands for.
pub(crate) fn from_half(h: u16) -> f32 {
    let sign = if h & 0x8000 == 0 { 1.0 } else { -1.0 };
    let (exponent, mantissa) = ((h >> 10) & 31, u32::from(h & 0x03ff));
    match exponent {
        0 => sign * mantissa as f32 / 16_777_216.0,
        31 if mantissa == 0 => sign * f32::INFINITY,
        31 => f32::NAN,
        e => sign * f32::from_bits(((u32::from(e) + 112) << 23) | (mantissa << 13)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_half_comes_back_and_others_round_to_the_nearest() {
        for h in (0..=u16::MAX).filter(|h| h & 0x7c00 != 0x7c00) {
            assert_eq!(to_half(from_half(h)), h, "{h:04x}");
        }
        for x in [0.1f32, -3.3, 1e-6, 1234.5, 0.999_99] {
            let back = from_half(to_half(x));
            assert!((back - x).abs() <= x.abs() / 2048.0 + 3e-8, "{x} {back}");
        }
        assert_eq!(from_half(to_half(1e9)), 65_504.0);
    }
}
