//! One combination of all axes, and its name.

use super::axes::{
    MOMENT, MomentRow, NETWORK, NetworkRow, PLATFORM, PlatformRow, REAL_ROWS, TARGET, TRADER,
    TargetRow, TraderRow, WITNESS, WitnessRow,
};
use super::venue_axis::{VENUE, VenueRow};

/// A kill and everything it is tried against.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Combination {
    pub(super) platform: PlatformRow,
    pub(super) network: NetworkRow,
    pub(super) trader: TraderRow,
    pub(super) witness: WitnessRow,
    pub(super) venue: VenueRow,
    pub(super) target: TargetRow,
    pub(super) moment: MomentRow,
}

/// Rows of each axis by their place in the table.
pub(super) type Places = [usize; AXES];
/// How many axes there are.
pub(super) const AXES: usize = 7;

/// How many rows each axis has.
pub(super) const SIZES: Places = [
    PLATFORM.len(),
    NETWORK.len(),
    TRADER.len(),
    WITNESS.len(),
    VENUE.len(),
    TARGET.len(),
    MOMENT.len(),
];

/// The same without the rows that are real programs.
pub(super) const ORDINARY: Places = {
    let [platform, network, trader, witness, venue, target, moment] = SIZES;
    let [real_trader, real_witness, real_moment] = REAL_ROWS;
    [
        platform,
        network,
        trader.saturating_sub(real_trader),
        witness.saturating_sub(real_witness),
        venue,
        target,
        moment.saturating_sub(real_moment),
    ]
};

impl Combination {
    /// The combination at these places; `None` where a place is beyond its table.
    pub(super) fn at(places: Places) -> Option<Self> {
        let [platform, network, trader, witness, venue, target, moment] = places;
        Some(Self {
            platform: *PLATFORM.get(platform)?,
            network: *NETWORK.get(network)?,
            trader: *TRADER.get(trader)?,
            witness: *WITNESS.get(witness)?,
            venue: *VENUE.get(venue)?,
            target: *TARGET.get(target)?,
            moment: *MOMENT.get(moment)?,
        })
    }

    /// The names of its rows, axis by axis.
    pub(super) const fn names(&self) -> [&'static str; AXES] {
        [
            self.platform.slug,
            self.network.slug,
            self.trader.slug,
            self.witness.slug,
            self.venue.slug,
            self.target.slug,
            self.moment.slug,
        ]
    }

    /// Its name: the names of its rows, joined.
    pub(super) fn slug(&self) -> String {
        self.names().join(".")
    }

    /// Any combination of the whole product by its name.
    ///
    /// # Errors
    /// Which part is unknown, and what it may be.
    pub(super) fn parse(slug: &str) -> Result<Self, String> {
        let parts: Vec<&str> = slug.split('.').collect();
        let places: Option<Places> = parts
            .iter()
            .zip(names_of_axes())
            .map(|(part, names)| {
                names
                    .iter()
                    .position(|name| name == part)
                    .unwrap_or(usize::MAX)
            })
            .collect::<Vec<_>>()
            .try_into()
            .ok()
            .filter(|_| parts.len() == AXES);
        let Some(places) = places else {
            return Err(format!(
                "`{slug}` is no combination: wanted {AXES} names joined by dots"
            ));
        };
        Self::at(places).ok_or_else(|| {
            let wanted = parts.iter().zip(names_of_axes());
            let lines = wanted
                .filter(|(part, names)| !names.contains(part))
                .map(|(part, names)| format!("`{part}` is none of {}", names.join(", ")));
            lines.collect::<Vec<_>>().join("; ")
        })
    }
}

/// The names of every axis's rows.
pub(super) fn names_of_axes() -> [Vec<&'static str>; AXES] {
    [
        PLATFORM.iter().map(|row| row.slug).collect(),
        NETWORK.iter().map(|row| row.slug).collect(),
        TRADER.iter().map(|row| row.slug).collect(),
        WITNESS.iter().map(|row| row.slug).collect(),
        VENUE.iter().map(|row| row.slug).collect(),
        TARGET.iter().map(|row| row.slug).collect(),
        MOMENT.iter().map(|row| row.slug).collect(),
    ]
}
