//! The platform over HTTP with stand-in children, at fifty times Railway's pace.

mod answers;
mod comeback;
mod deploying;
mod faulty;
mod faulty_commands;
mod in_process;
mod life;
mod network;
mod restarting;
mod reviving;
mod rig;
mod stopping;
mod variables;

/// A deployment like any other, for tests of parts.
pub(super) fn any_deployment() -> super::state::Deployment {
    life::row(super::state::RestartPolicy::Never, 0)
}
