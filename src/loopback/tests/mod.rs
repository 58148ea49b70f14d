//! The platform over HTTP with stand-in children, at fifty times Railway's pace.

mod answers;
mod deploying;
mod faulty;
mod life;
mod restarting;
mod rig;
mod stopping;
mod variables;
