//! Which hashes can lie inside a circle or a rectangle.

use std::ops::Range;

use super::{Cell, EARTH_RADIUS_M, Place, STEPS, degrees, latitude_distance_m, radians};

/// Half of the map's width in metres.
const MERCATOR_MAX_M: f64 = 20_037_726.37;

/// What is searched around a place, in metres.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Shape {
    /// Everything not farther than this.
    Circle {
        /// The radius.
        radius_m: f64,
    },
    /// A rectangle with the place in its middle.
    Box {
        /// From west to east.
        width_m: f64,
        /// From south to north.
        height_m: f64,
    },
}

impl Shape {
    /// The distance of `other` from `center`, when it is inside.
    pub fn distance_inside_m(&self, center: Place, other: Place) -> Option<f64> {
        let inside = match *self {
            Self::Circle { radius_m } => center.distance_m(other) <= radius_m,
            Self::Box { width_m, height_m } => {
                let beside = Place { longitude: center.longitude, ..other };
                latitude_distance_m(other.latitude, center.latitude) <= height_m / 2.0
                    && other.distance_m(beside) <= width_m / 2.0
            }
        };
        inside.then(|| center.distance_m(other))
    }

    /// The distance of the farthest point.
    fn radius_m(&self) -> f64 {
        match *self {
            Self::Circle { radius_m } => radius_m,
            Self::Box { width_m, height_m } => {
                ((width_m / 2.0) * (width_m / 2.0) + (height_m / 2.0) * (height_m / 2.0)).sqrt()
            }
        }
    }

    /// The lowest and greatest coordinates.
    fn bounds(&self, center: Place) -> (Place, Place) {
        let (half_width_m, half_height_m) = match *self {
            Self::Circle { radius_m } => (radius_m, radius_m),
            Self::Box { width_m, height_m } => (width_m / 2.0, height_m / 2.0),
        };
        let north = degrees(half_height_m / EARTH_RADIUS_M);
        let widest = if center.latitude < 0.0 { -north } else { north };
        let parallel = radians(center.latitude + widest).cos();
        let east = degrees(half_width_m / EARTH_RADIUS_M / parallel);
        let at = |longitude, latitude| Place { longitude, latitude };
        (
            at(center.longitude - east, center.latitude - north),
            at(center.longitude + east, center.latitude + north),
        )
    }
}

/// Bits of a coordinate with which a cell and its neighbours cover the shape in most cases.
fn steps_for(radius_m: f64, latitude: f64) -> u32 {
    if radius_m == 0.0 {
        return STEPS;
    }
    let (mut steps, mut range_m) = (1, radius_m);
    while range_m < MERCATOR_MAX_M {
        range_m *= 2.0;
        steps += 1;
    }
    // Cells become narrow towards the poles.
    let polar = i32::from(latitude.abs() > 66.0) + i32::from(latitude.abs() > 80.0);
    (steps - 2 - polar).clamp(1, STEPS as i32) as u32
}

/// Whether the neighbours of the cell reach as far as the shape.
fn covers(cell: Cell, center: Place, radius_m: f64) -> bool {
    let reach = |longitude, latitude| center.distance_m(Place { longitude, latitude });
    reach(center.longitude, cell.neighbour(0, 1).high().latitude) >= radius_m
        && reach(center.longitude, cell.neighbour(0, -1).low().latitude) >= radius_m
        && reach(cell.neighbour(1, 0).high().longitude, center.latitude) >= radius_m
        && reach(cell.neighbour(-1, 0).low().longitude, center.latitude) >= radius_m
}

/// Ranges of hashes that cover the shape around `center`, none twice, in the order in which Redis
/// looks at them.
pub fn search_ranges(shape: &Shape, center: Place) -> Vec<Range<u64>> {
    let radius_m = shape.radius_m();
    let mut steps = steps_for(radius_m, center.latitude);
    let mut cell = Cell::around(center, steps, super::LATITUDE_MAX);
    if steps > 1 && !covers(cell, center, radius_m) {
        steps -= 1;
        cell = Cell::around(center, steps, super::LATITUDE_MAX);
    }
    let (low, high) = shape.bounds(center);
    let narrow = steps >= 2;
    let skips_south = narrow && cell.low().latitude < low.latitude;
    let skips_north = narrow && cell.high().latitude > high.latitude;
    let skips_west = narrow && cell.low().longitude < low.longitude;
    let skips_east = narrow && cell.high().longitude > high.longitude;
    let around = [(0, 0), (0, 1), (0, -1), (1, 0), (-1, 0), (1, 1), (-1, 1), (1, -1), (-1, -1)];
    let mut cells: Vec<Cell> = Vec::with_capacity(around.len());
    for (east, north) in around {
        let skipped = north > 0 && skips_north
            || north < 0 && skips_south
            || east > 0 && skips_east
            || east < 0 && skips_west;
        let neighbour = cell.neighbour(east, north);
        if !skipped && !cells.contains(&neighbour) {
            cells.push(neighbour);
        }
    }
    let shift = 2 * (STEPS - steps);
    cells.iter().map(|cell| cell.bits() << shift..(cell.bits() + 1) << shift).collect()
}
