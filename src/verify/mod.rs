//! `launch verify`: is what runs what was planned, asked from outside, twice.

pub mod identity;
pub mod judgement;
pub mod observe;
