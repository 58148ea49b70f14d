//! `launch plan`: what a deploy would do, as one document with digests.

pub mod intent;
pub mod variables;
