//! The stand-alone binary: nothing but the kill.

fn main() {}
