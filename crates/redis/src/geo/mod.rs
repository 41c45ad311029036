//! Places on the earth as numbers that keep neighbours together.
//!
//! ```text
//! hash   52 bits: latitude at the even places (0, 2, …), longitude at the odd ones, 26 bits each
//! ```
//!
//! Longitudes go from -180 to 180, latitudes from -85.05112878 to 85.05112878. A hash is the score
//! of a sorted set's member, as in Redis.

mod area;
#[cfg(test)]
mod tests;

pub use area::{Shape, search_ranges};

/// Greatest longitude; its negative is the lowest.
pub const LONGITUDE_MAX: f64 = 180.0;
/// Greatest latitude; its negative is the lowest.
pub const LATITUDE_MAX: f64 = 85.051_128_78;
/// Bits of each coordinate.
const STEPS: u32 = 26;
/// Greatest latitude of the usual geohash.
const POLE: f64 = 90.0;
const EARTH_RADIUS_M: f64 = 6_372_797.560_856;
const RADIANS_PER_DEGREE: f64 = std::f64::consts::PI / 180.0;
const ALPHABET: &[u8; 32] = b"0123456789bcdefghjkmnpqrstuvwxyz";
/// Characters of a geohash.
const TEXT_CHARS: usize = 11;

/// A place.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Place {
    /// Degrees east.
    pub longitude: f64,
    /// Degrees north.
    pub latitude: f64,
}

impl Place {
    /// Whether a hash can name it.
    pub fn is_valid(self) -> bool {
        self.longitude.abs() <= LONGITUDE_MAX && self.latitude.abs() <= LATITUDE_MAX
    }

    /// The hash.
    pub fn hash(self) -> u64 {
        Cell::around(self, STEPS, LATITUDE_MAX).bits()
    }

    /// The middle of what a hash names.
    pub fn of_hash(hash: u64) -> Self {
        Cell::of_bits(hash, STEPS).middle()
    }

    /// The geohash that other systems know.
    pub fn text(self) -> String {
        let bits = Cell::around(self, STEPS, POLE).bits();
        let character = |index: usize| {
            // The last character has only two bits, which nobody uses.
            let shift = (2 * STEPS as usize).checked_sub((index + 1) * 5);
            let place = shift.map_or(0, |shift| bits >> shift & 31);
            char::from(ALPHABET[place as usize])
        };
        (0..TEXT_CHARS).map(character).collect()
    }

    /// Metres between two places.
    pub fn distance_m(self, other: Self) -> f64 {
        let v = ((radians(other.longitude) - radians(self.longitude)) / 2.0).sin();
        if v == 0.0 {
            return latitude_distance_m(self.latitude, other.latitude);
        }
        let (here, there) = (radians(self.latitude), radians(other.latitude));
        let u = ((there - here) / 2.0).sin();
        let a = u * u + here.cos() * there.cos() * v * v;
        2.0 * EARTH_RADIUS_M * a.sqrt().asin()
    }
}

fn latitude_distance_m(a: f64, b: f64) -> f64 {
    EARTH_RADIUS_M * (radians(b) - radians(a)).abs()
}

fn radians(degrees: f64) -> f64 {
    degrees * RADIANS_PER_DEGREE
}

fn degrees(radians: f64) -> f64 {
    radians / RADIANS_PER_DEGREE
}

/// A rectangle of the grid that has `2^steps` columns and rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Cell {
    column: u32,
    row: u32,
    steps: u32,
}

impl Cell {
    fn around(place: Place, steps: u32, latitude_max: f64) -> Self {
        let scale = (1u64 << steps) as f64;
        let part = |value: f64, max: f64| ((value + max) / (max + max) * scale) as u64 as u32;
        Self {
            column: part(place.longitude, LONGITUDE_MAX),
            row: part(place.latitude, latitude_max),
            steps,
        }
    }

    fn of_bits(bits: u64, steps: u32) -> Self {
        Self { column: gather(bits >> 1), row: gather(bits), steps }
    }

    /// Latitude and longitude, bit by bit in turn.
    fn bits(self) -> u64 {
        scatter(self.row) | scatter(self.column) << 1
    }

    /// The neighbour so many columns east and rows north, around the edges.
    fn neighbour(self, east: i32, north: i32) -> Self {
        let mask = ((1u64 << self.steps) - 1) as u32;
        Self {
            column: self.column.wrapping_add_signed(east) & mask,
            row: self.row.wrapping_add_signed(north) & mask,
            steps: self.steps,
        }
    }

    /// The corner with the lowest coordinates.
    fn low(self) -> Place {
        self.corner(0)
    }

    /// The corner with the greatest coordinates.
    fn high(self) -> Place {
        self.corner(1)
    }

    fn corner(self, offset: u64) -> Place {
        let scale = (1u64 << self.steps) as f64;
        let at = |index: u32, max: f64| {
            -max + ((u64::from(index) + offset) as f64 / scale) * (max + max)
        };
        Place { longitude: at(self.column, LONGITUDE_MAX), latitude: at(self.row, LATITUDE_MAX) }
    }

    fn middle(self) -> Place {
        let (low, high) = (self.low(), self.high());
        let middle = |low: f64, high: f64, max: f64| ((low + high) / 2.0).clamp(-max, max);
        Place {
            longitude: middle(low.longitude, high.longitude, LONGITUDE_MAX),
            latitude: middle(low.latitude, high.latitude, LATITUDE_MAX),
        }
    }
}

/// Puts a number's bits at the even places.
fn scatter(number: u32) -> u64 {
    let mut bits = u64::from(number);
    for (shift, mask) in [
        (16, 0x0000_FFFF_0000_FFFF),
        (8, 0x00FF_00FF_00FF_00FF),
        (4, 0x0F0F_0F0F_0F0F_0F0F),
        (2, 0x3333_3333_3333_3333),
        (1, 0x5555_5555_5555_5555),
    ] {
        bits = (bits | bits << shift) & mask;
    }
    bits
}

/// Takes the bits at the even places.
fn gather(bits: u64) -> u32 {
    let mut number = bits & 0x5555_5555_5555_5555;
    for (shift, mask) in [
        (1, 0x3333_3333_3333_3333),
        (2, 0x0F0F_0F0F_0F0F_0F0F),
        (4, 0x00FF_00FF_00FF_00FF),
        (8, 0x0000_FFFF_0000_FFFF),
        (16, 0x0000_0000_FFFF_FFFF),
    ] {
        number = (number | number >> shift) & mask;
    }
    number as u32
}
