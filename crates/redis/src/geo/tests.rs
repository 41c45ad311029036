//! Places, hashes and the ranges of a search.

use proptest::prelude::*;

use super::*;

fn places() -> impl Strategy<Value = Place> {
    (-180.0..180.0f64, -85.0..85.0f64)
        .prop_map(|(longitude, latitude)| Place { longitude, latitude })
}

#[test]
fn known_places_have_known_hashes() {
    let palermo = Place { longitude: 13.361389, latitude: 38.115556 };
    let catania = Place { longitude: 15.087269, latitude: 37.502669 };
    assert_eq!((palermo.hash(), catania.hash()), (3_479_099_956_230_698, 3_479_447_370_796_909));
    let (palermo, catania) = (Place::of_hash(palermo.hash()), Place::of_hash(catania.hash()));
    assert_eq!((palermo.text(), catania.text()), ("sqc8b49rny0".into(), "sqdtr74hyu0".into()));
    assert_eq!(format!("{:.4}", palermo.distance_m(catania)), "166274.1516");
}

proptest! {
    #[test]
    fn a_hash_is_near_its_place(place in places()) {
        let again = Place::of_hash(place.hash());
        prop_assert!(place.distance_m(again) < 1.0);
        prop_assert_eq!(again.hash(), place.hash());
    }

    #[test]
    fn bits_are_gathered_where_they_were_scattered(number in any::<u32>()) {
        prop_assert_eq!(gather(scatter(number)), number);
    }

    #[test]
    fn what_is_inside_is_searched(
        center in places(), east in -1.0..1.0f64, north in -1.0..1.0f64, radius_m in 1.0..100_000.0f64
    ) {
        prop_assume!(center.latitude.abs() < 70.0 && center.longitude.abs() < 178.0);
        let degree_m = 111_000.0;
        let other = Place {
            longitude: center.longitude + east * radius_m / degree_m,
            latitude: center.latitude + north * radius_m / degree_m,
        };
        let other = Place::of_hash(other.hash());
        for shape in [
            Shape::Circle { radius_m },
            Shape::Box { width_m: radius_m, height_m: radius_m / 2.0 },
        ] {
            let ranges = search_ranges(&shape, center);
            if shape.distance_inside_m(center, other).is_some() {
                prop_assert!(ranges.iter().any(|range| range.contains(&other.hash())));
            }
        }
    }
}
