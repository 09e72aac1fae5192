//! Numbers as they are written: exact decimals, so that `0.1`, `1.0` and ids beyond 2^53 are judged as the schema
//! means them. Past 38 digits they are compared as `f64`.

use std::cmp::Ordering;

/// `mantissa * 10^exponent`, without trailing zeros in the mantissa.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Number {
    Exact { mantissa: i128, exponent: i32 },
    Rough(f64),
}

/// Exponents beyond this are compared as `f64`.
const MAX_EXPONENT: i32 = 400;

impl Number {
    pub const fn of(value: i64) -> Self {
        Self::Exact { mantissa: value as i128, exponent: 0 }
    }
    /// Reads a number that JSON's grammar takes.
    pub fn parse(text: &str) -> Option<Self> {
        Self::exact(text).or_else(|| text.parse().ok().map(Self::Rough))
    }
    fn exact(text: &str) -> Option<Self> {
        if (1..=18).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit()) {
            let whole = text.bytes().fold(0i64, |whole, byte| whole * 10 + i64::from(byte - b'0'));
            return Some(Self::of(whole));
        }
        let (base, power) = match text.split_once(['e', 'E']) {
            Some((base, power)) => (base, power.strip_prefix('+').unwrap_or(power).parse::<i32>().ok()?),
            None => (text, 0),
        };
        let (negative, digits) = match base.strip_prefix('-') {
            Some(digits) => (true, digits),
            None => (false, base),
        };
        let (mut mantissa, mut exponent, mut seen) = (0i128, power, false);
        let mut fraction = false;
        for byte in digits.bytes() {
            match byte {
                b'0'..=b'9' => {
                    seen = true;
                    mantissa = mantissa.checked_mul(10)?.checked_add(i128::from(byte - b'0'))?;
                    exponent = if fraction { exponent.checked_sub(1)? } else { exponent };
                }
                b'.' if !fraction => fraction = true,
                _ => return None,
            }
        }
        if !seen {
            return None;
        }
        if mantissa == 0 {
            return Some(Self::Exact { mantissa: 0, exponent: 0 });
        }
        while mantissa % 10 == 0 {
            mantissa /= 10;
            exponent = exponent.checked_add(1)?;
        }
        // Small whole numbers are by far the most: they keep their digits.
        if (1..=18).contains(&exponent)
            && let Some(whole) = pow10(exponent).and_then(|scale| mantissa.checked_mul(scale))
        {
            (mantissa, exponent) = (whole, 0);
        }
        if exponent.abs() > MAX_EXPONENT {
            return None;
        }
        Some(Self::Exact { mantissa: if negative { -mantissa } else { mantissa }, exponent })
    }
    pub fn is_integer(self) -> bool {
        match self {
            Self::Exact { exponent, .. } => exponent >= 0,
            Self::Rough(value) => value.is_finite() && value.fract() == 0.0,
        }
    }
    pub fn as_f64(self) -> f64 {
        match self {
            Self::Exact { mantissa, exponent } => mantissa as f64 * 10f64.powi(exponent),
            Self::Rough(value) => value,
        }
    }
    /// Both with one exponent, where that fits.
    fn aligned(self, other: Self) -> Option<(i128, i128)> {
        let (Self::Exact { mantissa: a, exponent: x }, Self::Exact { mantissa: b, exponent: y }) =
            (self, other)
        else {
            return None;
        };
        match x.cmp(&y) {
            Ordering::Equal => Some((a, b)),
            Ordering::Less => Some((a, b.checked_mul(pow10(y - x)?)?)),
            Ordering::Greater => Some((a.checked_mul(pow10(x - y)?)?, b)),
        }
    }
    pub fn compare(self, other: Self) -> Ordering {
        match self.aligned(other) {
            Some((a, b)) => a.cmp(&b),
            None => self.as_f64().total_cmp(&other.as_f64()),
        }
    }
    pub fn is_multiple_of(self, other: Self) -> bool {
        match self.aligned(other) {
            Some((_, 0)) => false,
            Some((a, b)) => a % b == 0,
            None => {
                let divided = self.as_f64() / other.as_f64();
                divided.is_finite() && divided.fract() == 0.0
            }
        }
    }
}

fn pow10(exponent: i32) -> Option<i128> {
    10i128.checked_pow(u32::try_from(exponent).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(text: &str) -> Number {
        Number::parse(text).expect("a number")
    }

    #[test]
    fn compares_exactly() {
        for (one, other, expected) in [
            ("1", "1.0", Ordering::Equal),
            ("1e2", "100", Ordering::Equal),
            ("0.1", "0.10", Ordering::Equal),
            ("-0", "0", Ordering::Equal),
            ("9007199254740993", "9007199254740992", Ordering::Greater),
            ("-2", "1", Ordering::Less),
            ("1e400", "1e399", Ordering::Greater),
            ("123456789012345678901234567890123456789012345", "1", Ordering::Greater),
        ] {
            assert_eq!(number(one).compare(number(other)), expected, "{one} {other}");
        }
    }

    #[test]
    fn knows_multiples_and_integers() {
        for (value, step, expected) in [
            ("0.3", "0.1", true),
            ("19.99", "0.01", true),
            ("19.999", "0.01", false),
            ("0", "5", true),
            ("7", "2", false),
            ("4.5", "1.5", true),
            ("1e3", "1000", true),
            ("5", "0", false),
        ] {
            assert_eq!(number(value).is_multiple_of(number(step)), expected, "{value} {step}");
        }
        for (value, expected) in
            [("1", true), ("1.0", true), ("1.5", false), ("1e-1", false), ("10e-1", true)]
        {
            assert_eq!(number(value).is_integer(), expected, "{value}");
        }
    }
}
