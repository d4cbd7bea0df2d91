"""What is measured by itself. Each part fills in what it finds, so that a failure loses only what was to come."""

from measure.parts import kills, limited, outage, sizes, udp

PARTS = {"sizes": sizes.measure, "kills": kills.measure, "limited": limited.measure, "outage": outage.measure, "udp": udp.measure}
