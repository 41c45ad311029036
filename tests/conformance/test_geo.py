"""Places against a real Redis."""

from __future__ import annotations

from random import Random

import pytest
from tests.conformance.scenes import assert_same_replies
from tests.conformance.servers import AidbServer
from tests.conformance.wire import Wire

EDGES = """
GEOADD g 13.361389 38.115556 Palermo 15.087269 37.502669 Catania
GEOADD g 13.361389 38.115556 Palermo
GEOADD g NX 13.4 38.2 Palermo 12.758489 38.788135 edge1
GEOADD g XX CH 13.5 38.3 Palermo 1 1 nobody
GEOADD g XX NX 1 1 a
GEOADD g CH 13.361389 38.115556 Palermo 17.241510 38.788135 edge2
GEOADD g 1 1
GEOADD g 181 1 a
GEOADD g 1 86 a
GEOADD g -180 -85.05112878 low 180 85.05112878 high 0 0 zero
GEOADD g abc 1 a
GEOADD g 1 nan a
GEOADD g NX CH NX
GEOADD k 1 1 a
TYPE g
OBJECT ENCODING g
GEODIST g Palermo Catania
GEODIST g Palermo Catania km
GEODIST g Palermo Catania MI
GEODIST g Palermo Catania ft
GEODIST g Palermo Catania parsec
GEODIST g Palermo nobody
GEODIST g low high
GEODIST g zero zero
GEODIST none a b
GEODIST k a b
GEODIST g a b m x
GEOHASH g Palermo Catania nobody low high zero
GEOHASH none a
GEOHASH g
GEOHASH k a
GEOPOS g Palermo nobody Catania low high zero
GEOPOS none a
GEOPOS g
GEOPOS k a
GEORADIUS g 15 37 200 km WITHDIST WITHCOORD WITHHASH ASC
GEORADIUS g 15 37 200 km DESC
GEORADIUS g 15 37 200 km COUNT 1
GEORADIUS g 15 37 200 km COUNT 0
GEORADIUS g 15 37 200 km ANY
GEORADIUS g 15 37 -1 km
GEORADIUS g 15 37 abc km
GEORADIUS g 15 37 1 x
GEORADIUS g 15 37 200 km STORE out
GEOPOS out Palermo Catania
GEORADIUS g 15 37 200 km STOREDIST out
TYPE out
GEORADIUS g 15 37 200 km STORE out WITHDIST
GEORADIUS g 15 37 1 m STORE out
EXISTS out
GEORADIUS g 15 37 200 km STORE
GEORADIUS_RO g 15 37 200 km ASC
GEORADIUS_RO g 15 37 200 km STORE out
GEORADIUS none 15 37 200 km
GEORADIUS none 15 37 200 km STORE out
GEORADIUS k 15 37 200 km
GEORADIUSBYMEMBER g Palermo 200 km ASC WITHDIST
GEORADIUSBYMEMBER g nobody 200 km
GEORADIUSBYMEMBER none nobody 200 km
GEORADIUSBYMEMBER_RO g Catania 200 km DESC
GEORADIUSBYMEMBER_RO g Catania 200 km STORE out
GEOSEARCH g FROMMEMBER Palermo BYRADIUS 200 km ASC
GEOSEARCH g FROMLONLAT 15 37 BYBOX 400 400 km ASC WITHCOORD WITHDIST
GEOSEARCH g FROMLONLAT 15 37 BYBOX -1 400 km
GEOSEARCH g FROMLONLAT 15 37 BYBOX 1 abc km
GEOSEARCH g FROMLONLAT 15 37 BYRADIUS 200 km BYBOX 1 1 km
GEOSEARCH g FROMLONLAT 15 37
GEOSEARCH g FROMLONLAT 15 37 ASC DESC WITHDIST
GEOSEARCH g BYRADIUS 200 km ASC DESC
GEOSEARCH g FROMMEMBER Palermo FROMLONLAT 1 1 BYRADIUS 1 km
GEOSEARCH g FROMMEMBER nobody BYRADIUS 1 km
GEOSEARCH none FROMMEMBER nobody BYRADIUS 1 km
GEOSEARCH g FROMLONLAT 15 37 BYRADIUS 200 km COUNT 1 ANY
GEOSEARCH g FROMLONLAT 15 37 BYRADIUS 200 km STOREDIST
GEOSEARCHSTORE out g FROMLONLAT 15 37 BYRADIUS 200 km
GEOPOS out Catania
GEOSEARCHSTORE out g FROMLONLAT 15 37 BYRADIUS 200 km STOREDIST COUNT 1
GEOHASH out Catania Palermo
GEOSEARCHSTORE out g FROMLONLAT 15 37 BYRADIUS 200 km WITHDIST
GEOSEARCHSTORE k none FROMLONLAT 15 37 BYRADIUS 200 km
EXISTS k
"""
SCRIPTS = {"edges": EDGES}


@pytest.mark.parametrize("protocol", [2, 3])
def test_edges_get_the_replies_of_redis(server: AidbServer, redis_port: int, protocol: int) -> None:
    with Wire(redis_port, protocol=protocol) as theirs, server.connect(protocol) as ours:
        assert_same_replies(ours, theirs, EDGES)


@pytest.mark.parametrize("count", [60, 800])
def test_searches_find_the_places_of_redis(server: AidbServer, redis_port: int, count: int) -> None:
    random = Random(count)
    with Wire(redis_port) as theirs, server.connect() as ours:
        theirs("FLUSHALL")
        for number in range(count):
            place = (random.uniform(-180, 180), random.uniform(-85, 85))
            if number % 2:
                place = (random.uniform(10, 12), random.uniform(50, 52))
            for wire in (ours, theirs):
                wire("GEOADD", "geo:g", str(place[0]), str(place[1]), f"m{number}")
        for _ in range(300):
            center = ("FROMLONLAT", f"{random.uniform(9, 13)}", f"{random.uniform(49, 53)}")
            size = random.choice([1, 50, 200, 1000])
            shape = random.choice([("BYRADIUS", size, "km"), ("BYBOX", size, 2 * size, "km")])
            search = ("GEOSEARCH", "geo:g", *center, *shape, "ASC", "WITHDIST", "WITHHASH")
            assert ours(*search) == theirs(*search), search
