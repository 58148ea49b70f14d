//! A small seeded random source (`splitmix64`), the same on every machine and in every build.
//!
//! For simulation only; nothing secret comes from here. Source of the constants: Steele, Lea, Flood,
//! "Fast splittable pseudorandom number generators" (2014).

/// The source.
#[derive(Debug, Clone)]
pub struct Rng(u64);

impl Rng {
    /// A source for a seed.
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// Uniform in (0, 1).
    pub fn uniform(&mut self) -> f64 {
        // 32 bits are plenty here and convert without loss.
        let bits = u32::try_from(self.bits() >> 32).unwrap_or(u32::MAX);
        (f64::from(bits) + 0.5) / 4_294_967_296.0
    }

    /// Uniform in `0..n`; 0 for `n` = 0.
    pub fn below(&mut self, n: u32) -> u32 {
        u32::try_from((self.bits() >> 32) % u64::from(n.max(1))).unwrap_or(0)
    }

    /// Standard normal (Box–Muller).
    pub fn normal(&mut self) -> f64 {
        let radius = libm::sqrt(-2.0 * libm::log(self.uniform()));
        radius * libm::cos(core::f64::consts::TAU * self.uniform())
    }
}
