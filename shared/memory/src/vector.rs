//! Vectors of one byte a dimension: a quarter of the memory, and the order of what is near stays the same to the third
//! digit.

/// A vector whose direction is kept in bytes.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Vector {
    /// Signed bytes, the largest part being 127.
    pub(crate) bytes: Vec<u8>,
    /// The length of the bytes as a vector.
    pub(crate) norm: f64,
}

impl Vector {
    /// Rounds a vector; `None` for one without direction.
    pub(crate) fn of(parts: &[f32]) -> Option<Self> {
        let largest = parts.iter().fold(0.0_f32, |most, part| most.max(part.abs()));
        if !largest.is_finite() || largest <= 0.0 || parts.iter().any(|part| !part.is_finite()) {
            return None;
        }
        let bytes: Vec<u8> =
            parts.iter().map(|part| ((part / largest * 127.0).round() as i8).cast_unsigned()).collect();
        let norm = f64::from(dot(&bytes, &bytes)).sqrt();
        Some(Self { bytes, norm })
    }

    /// The cosine of the angle to a stored vector; 0 for one of other dimensions.
    pub(crate) fn cosine(&self, bytes: &[u8], norm: f64) -> f64 {
        if bytes.len() != self.bytes.len() || norm <= 0.0 {
            return 0.0;
        }
        f64::from(dot(&self.bytes, bytes)) / (self.norm * norm)
    }
}

/// Below 2^31 for up to 133,000 dimensions.
fn dot(a: &[u8], b: &[u8]) -> i32 {
    let signed = |byte: &u8| i32::from(byte.cast_signed());
    a.iter().zip(b).map(|(a, b)| signed(a).wrapping_mul(signed(b))).fold(0, i32::wrapping_add)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn exact(a: &[f32], b: &[f32]) -> f64 {
        let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum::<f64>();
        dot(a, b) / (dot(a, a).sqrt() * dot(b, b).sqrt())
    }

    #[test]
    fn bytes_are_those_of_the_hand() {
        let vector = Vector::of(&[0.5, -1.0, 0.25, 0.0]).unwrap();
        // 0.5 * 127 = 63.5 -> 64, -127, 31.75 -> 32, 0
        assert_eq!(vector.bytes, [64, 129, 32, 0]);
        assert!((vector.norm - f64::from(64 * 64 + 127 * 127 + 32 * 32).sqrt()).abs() < 1e-9);
        assert!((vector.cosine(&vector.bytes, vector.norm) - 1.0).abs() < 1e-9);
    }

    #[test]
    fn what_has_no_direction_or_other_dimensions_is_near_nothing() {
        for parts in [&[][..], &[0.0, 0.0], &[f32::NAN, 1.0], &[f32::INFINITY, 1.0]] {
            assert_eq!(Vector::of(parts), None);
        }
        let (two, three) = (Vector::of(&[1.0, 1.0]).unwrap(), Vector::of(&[1.0, 1.0, 0.0]).unwrap());
        assert_eq!(two.cosine(&three.bytes, three.norm), 0.0);
    }

    proptest! {
        #[test]
        fn rounding_moves_an_angle_little(
            a in prop::collection::vec(-1.0_f32..1.0, 256),
            b in prop::collection::vec(-1.0_f32..1.0, 256),
        ) {
            let (x, y) = (Vector::of(&a).unwrap(), Vector::of(&b).unwrap());
            prop_assert!((x.cosine(&y.bytes, y.norm) - exact(&a, &b)).abs() < 0.01);
        }
    }
}
